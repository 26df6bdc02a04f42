"""Role keepalived: two hosts, one address, and HAProxy answering behind it."""

import os
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
import testinfra

testinfra_hosts = ["ansible://lb-a-1"]
CONVERGE = Path(__file__).parents[1] / "converge.yml"
NAMES = ("lb-a-1", "lb-b-1")


@pytest.fixture(scope="module")
def balancers(host):
    inventory = host.backend.ansible_inventory
    return {name: testinfra.get_host(f"ansible://{name}", ansible_inventory=inventory) for name in NAMES}


@pytest.fixture(scope="module")
def virtual_ip(host):
    return host.ansible.get_variables()["stack_virtual_ip"]


@pytest.fixture
def holders(balancers, virtual_ip):
    """Return a function that says who holds the virtual IP."""

    def now():
        return [name for name in NAMES if balancers[name].check_output(f"ip -brief address show to {virtual_ip}")]

    return now


def until(expected, question):
    """Ask until the answer is right, at most fifteen seconds; return the last answer."""
    for _ in range(50):
        if (answer := question()) == expected:
            break
        time.sleep(0.3)
    return answer


def other(name):
    return next(each for each in NAMES if each != name)


def main_pid(balancer):
    return balancer.check_output("systemctl show --property MainPID --value keepalived")


def reaches(virtual_ip):
    with urllib.request.urlopen(f"http://{virtual_ip}/", timeout=5) as response:
        return response.status


def held_by_one(holders):
    """Wait until exactly one host holds the address, and return its name."""
    assert until(1, lambda: len(holders())) == 1
    return holders()[0]


def test_configuration_is_valid(balancers):
    for balancer in balancers.values():
        assert balancer.run("keepalived -t -f /etc/keepalived/keepalived.conf").rc == 0


def test_one_host_holds_the_address_and_it_serves(holders, virtual_ip):
    held_by_one(holders)
    assert reaches(virtual_ip) == 200


def test_the_address_leaves_a_stopped_balancer_and_does_not_come_back(balancers, holders, virtual_ip):
    first = held_by_one(holders)
    balancers[first].check_output("systemctl stop haproxy")
    try:
        assert until([other(first)], holders) == [other(first)]
        assert reaches(virtual_ip) == 200
    finally:
        balancers[first].check_output("systemctl start haproxy")
    rejoined = "journalctl -u keepalived --since -30s | grep -q 'balancer) succeeded'"
    assert until(0, lambda: balancers[first].run(rejoined).rc) == 0
    time.sleep(1)
    assert holders() == [other(first)]


def test_the_address_moves_again_when_the_second_one_stops(balancers, holders, virtual_ip):
    first = held_by_one(holders)
    balancers[first].check_output("systemctl stop haproxy")
    try:
        assert until([other(first)], holders) == [other(first)]
    finally:
        balancers[first].check_output("systemctl start haproxy")
    assert reaches(virtual_ip) == 200


def test_a_killed_keepalived_returns_and_leaves_one_holder(balancers, holders, virtual_ip):
    first = held_by_one(holders)
    before = main_pid(balancers[first])
    balancers[first].check_output("systemctl kill --signal KILL keepalived")
    assert until(True, lambda: main_pid(balancers[first]) not in ("0", before))
    time.sleep(3)
    held_by_one(holders)
    assert reaches(virtual_ip) == 200


def test_a_reload_takes_a_changed_priority(balancers, holders):
    first = held_by_one(holders)
    second = balancers[other(first)]
    before = main_pid(second)
    second.check_output("sed -i 's/priority 100/priority 200/' /etc/keepalived/keepalived.conf")
    try:
        second.check_output("systemctl reload keepalived")
        assert until([other(first)], holders) == [other(first)]
    finally:
        second.check_output("sed -i 's/priority 200/priority 100/' /etc/keepalived/keepalived.conf")
        second.check_output("systemctl reload keepalived")
    assert main_pid(second) == before
    held_by_one(holders)


def test_one_that_somebody_stopped_is_started_and_stays_enabled(host, balancers, holders):
    """The package starts and enables it once; after that only the role does."""
    stopped = balancers["lb-b-1"]
    stopped.check_output("systemctl disable --now keepalived")
    run = subprocess.run(
        ["ansible-playbook", "-i", host.backend.ansible_inventory, CONVERGE, "--limit", "lb-b-1"],
        cwd=CONVERGE.parents[2], env=os.environ | {"ANSIBLE_NOCOLOR": "1"}, capture_output=True, text=True, check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert stopped.check_output("systemctl is-enabled keepalived; systemctl is-active keepalived").split() == ["enabled", "active"]
    held_by_one(holders)
