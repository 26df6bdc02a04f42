"""Role image: what a container made from the image finds inside. The image is root's."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

testinfra_hosts = ["local://"]
PODMAN = "podman" if os.geteuid() == 0 else "sudo podman"
ROLE = Path(__file__).resolve().parents[3] / "roles/image"


@pytest.fixture(scope="module")
def image() -> str:
    digest = hashlib.sha256((ROLE / "files/build-image").read_bytes().rstrip(b"\n")).hexdigest()[:12]
    return f"localhost/trust-stack:trixie-{digest}"


def test_the_image_is_named_after_what_builds_it(host, image):
    assert host.run(f"{PODMAN} image exists {image}").rc == 0


def test_no_key_and_no_identity_is_baked_in(host, image):
    """Else every instance of every stack would have the same."""
    container = host.check_output(f"{PODMAN} create {image}").strip()
    try:
        names = host.check_output(f"{PODMAN} export {container} | tar --list")
        assert "ssh_host_" not in names
        assert "authorized_keys" not in names
        assert "usr/bin/python3" in names
        assert host.check_output(f"{PODMAN} export {container} | tar --extract --to-stdout etc/machine-id | tr -d [:space:]") == ""
    finally:
        host.run(f"{PODMAN} rm {container}")


def test_it_starts_systemd_and_stops_it_well(host, image):
    settings = host.check_output(f"{PODMAN} image inspect {image} --format '{{{{.Config.Cmd}}}} {{{{.Config.StopSignal}}}}'")
    assert "/sbin/init" in settings
    assert "RTMIN+3" in settings or "37" in settings
