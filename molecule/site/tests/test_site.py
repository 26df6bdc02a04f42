"""The whole stack, from outside: what a second run changes, what one variable changes, and who is where."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.prober import Prober
from support.stack import ROOT, Stack

RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.M)


def changed(output: str) -> dict[str, int]:
    """Host to number of changed tasks, from a play's recap."""
    found = {m[1]: int(m[3]) for m in RECAP.finditer(output)}
    assert found, f"no recap in: {output[-2000:]}"
    return found


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder elsewhere into which the built collection was installed."""
    folder = tmp_path_factory.mktemp("elsewhere")
    subprocess.run(["ansible-galaxy", "collection", "build", "--output-path", folder, "--force"], cwd=ROOT, check=True, capture_output=True)
    built = next(folder.glob("trust-stack-*.tar.gz"))
    subprocess.run(["ansible-galaxy", "collection", "install", built, "--offline", "--no-deps", "-p", folder / "collections"],
                   cwd=folder, check=True, capture_output=True)
    return folder


def test_second_run_changes_nothing_and_fails_no_request(stack: Stack, installed: Path) -> None:
    """From the installed collection, in another folder, while a client asks 50 times a second."""
    shop = stack.shop()
    shop.sign_in(*stack.organiser)
    slug = shop.ensure_event("Second run", [{"name": "Standing", "price_cents": 0, "capacity": 100}], "second-run")
    # Nothing of the checkout: not its ansible.cfg, not its collections folder, not molecule's settings.
    (installed / "ansible.cfg").write_text(f"[defaults]\ncollections_path = {installed / 'collections'}\nforks = 14\n")
    env = {"ANSIBLE_COLLECTIONS_PATH": str(installed / "collections"), "ANSIBLE_CONFIG": str(installed / "ansible.cfg")}
    with Prober(f"{stack.url}/e/{slug}", rate=50) as client:
        output = stack.play("trust.stack.site", cwd=installed, env=env)
    print(f"\nsecond run: {client.report}", file=sys.stderr)
    assert not any(changed(output).values()), output[-8000:]
    assert client.report.failed == []
    assert client.report.sent > 100


def test_check_mode_predicts_no_change(stack: Stack) -> None:
    output = stack.play("playbooks/site.yml", "--check", "--diff")
    assert not any(changed(output).values()), output[-8000:]


def test_one_variable_changes_one_file_and_reloads_one_service(stack: Stack) -> None:
    pids = {h: stack.ssh(h, "systemctl show -P MainPID haproxy") for h in stack.hosts("lb")}
    try:
        output = stack.play("playbooks/setup.yml", "-e", "haproxy_maxconn=4321", "--diff")
        by_host = {host: n for host, n in changed(output).items() if n}
        assert by_host == dict.fromkeys(stack.hosts("lb"), 2), output[-8000:]   # the file and the reload
        assert len(re.findall(r"^\+ .*maxconn 4321", output, re.M)) >= 1
        assert {h: stack.ssh(h, "systemctl show -P MainPID haproxy") for h in stack.hosts("lb")} == pids, "restarted instead of reloaded"
    finally:
        stack.play("playbooks/configure.yml")


def test_layers_are_spread_over_zones(stack: Stack) -> None:
    for layer in ("lb", "app", "worker", "database", "redis", "memcached"):
        assert {stack.var("zone", h) for h in stack.hosts(layer)} == {"a", "b"}, layer


def test_every_unit_is_well(stack: Stack) -> None:
    for host in stack.all_hosts:
        assert stack.ssh(host, "systemctl --failed --no-legend --plain").strip() == "", host


def test_secrets_stay_secret(stack: Stack) -> None:
    """Not in any journal, and not readable by others on the hosts that need them."""
    assert {"redis", "organiser"} < stack.secrets.keys()
    for host in stack.all_hosts:
        journal = stack.ssh(host, "journalctl --no-pager -o cat")
        leaked = [name for name, value in stack.secrets.items() if value in journal]
        assert not leaked, f"{host}'s journal tells {leaked}"
    for host in stack.hosts("app") + stack.hosts("worker"):
        assert stack.ssh(host, "runuser -u nobody -- cat /etc/boxoffice/env /etc/boxoffice/endpoints.json; true").strip() == ""
