"""Role instance: a container that cannot be told from a rented machine, and that comes back."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
STATE = ROOT / ".state/mol-one"
testinfra_hosts = ["local://"]


def podman(*words: str) -> str:
    conf = json.loads((STATE / "machine.json").read_text())["containers_conf"]
    env = {**os.environ, **({"CONTAINERS_CONF": conf} if conf else {})}
    sudo = [] if os.geteuid() == 0 else ["sudo", "--preserve-env=CONTAINERS_CONF"]
    return subprocess.run([*sudo, "podman", *words], env=env, capture_output=True, text=True, check=True).stdout


def ssh(command: str) -> str:
    address = json.loads((STATE / "addresses.json").read_text())["only"]
    options = ["-i", STATE / "id_ed25519", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
               "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10"]
    return subprocess.run(["ssh", *options, f"root@{address}", command], capture_output=True, text=True, check=True).stdout.strip()


def run() -> subprocess.CompletedProcess[str]:
    command = ["ansible-playbook", "-i", "localhost,", "molecule/instance/converge.yml"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def converge() -> None:
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr


def cidr() -> str:
    return json.loads(podman("network", "inspect", "mol-one"))[0]["subnets"][0]["subnet"]


def test_it_is_a_machine_with_systemd_and_ssh(host):
    assert ssh("cat /proc/1/comm") == "systemd"
    assert ssh("hostname") == "only"
    assert ssh("systemctl is-system-running") == "running"


def test_only_the_stacks_key_opens_it(host):
    assert ssh("wc -l < /root/.ssh/authorized_keys") == "1"
    assert (STATE / "id_ed25519").stat().st_mode & 0o077 == 0


def test_switched_off_it_comes_back_with_its_data(host):
    ssh("echo kept > /root/data && sync")
    podman("kill", "mol-one-only")
    converge()
    assert ssh("cat /root/data") == "kept"


def test_made_by_half_it_is_made_anew(host):
    """As after an interruption between making the container and putting the key in."""
    podman("rm", "--force", "--time", "0", "mol-one-only")
    (STATE / "instances.json").unlink()
    image = podman("images", "--format", "{{.Repository}}:{{.Tag}}", "localhost/trust-stack").split()[0]
    podman("create", "--name", "mol-one-only", "--label", "trust.stack=mol-one", "--label", "trust.stack.instance=only", image)
    converge()
    assert ssh("hostname") == "only"


def test_the_network_is_made_again_as_it_was(host):
    """As after `podman system reset`: the addresses that the inventory knows stay true."""
    before = cidr()
    podman("rm", "--force", "--time", "0", "mol-one-only")
    podman("network", "rm", "mol-one")
    converge()
    assert cidr() == before
    assert ssh("hostname") == "only"


def test_a_network_of_somebody_else_is_refused_before_anything_is_made(host):
    before = cidr()
    podman("rm", "--force", "--time", "0", "mol-one-only")
    podman("network", "rm", "mol-one")
    try:
        podman("network", "create", "--subnet", "10.254.253.0/24", "mol-one")
        done = run()
        assert done.returncode != 0
        said = " ".join((done.stdout + done.stderr).split())
        assert "10.254.253.0/24" in said
        assert "mend: make down, then make up" in said
        assert podman("ps", "--all", "--quiet", "--filter", "label=trust.stack=mol-one") == ""
    finally:
        podman("network", "rm", "--force", "mol-one")
        converge()
    assert cidr() == before
