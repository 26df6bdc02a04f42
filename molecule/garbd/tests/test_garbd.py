"""What the third vote is for: one data node can be lost, and the other goes on."""

import time
import urllib.error
import urllib.request

import pytest

testinfra_hosts = ["ansible://arbiter"]


@pytest.fixture
def nodes(host):
    """Hosts of the database group by address."""
    found = host.get_hosts(["ansible://database"], ansible_inventory=host.backend.ansible_inventory)
    return {node.ansible.get_variables()["ansible_host"]: node for node in found}


def sql(node, statement):
    return node.check_output("mariadb --batch --skip-column-names --execute %s", statement)


def size(node):
    return sql(node, "SHOW GLOBAL STATUS LIKE 'wsrep_cluster_size'").split()[1]


def agent(address):
    try:
        with urllib.request.urlopen(f"http://{address}:9200/", timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def until(condition, seconds=90):
    for _ in range(seconds * 2):
        if condition():
            return True
        time.sleep(0.5)
    return False


def whole(nodes):
    return all(agent(address) == 200 for address in nodes) and all(size(node) == "3" for node in nodes.values())


# A client that writes one row after the other and remembers what was acknowledged, until told to stop.
ORDERS = """
n=0
while [ ! -e /run/orders.stop ]; do
  n=$((n + 1))
  mariadb boxoffice --execute "INSERT INTO ledger VALUES ($n)" && echo $n >>/run/orders || sleep 0.1
done
"""


def acknowledged(node):
    return [int(number) for number in node.file("/run/orders").content_string.split()]


def test_the_arbiter_is_the_third_member(host, nodes):
    assert host.service("garb").is_running
    assert host.service("garb").is_enabled
    assert len(nodes) == 2
    assert until(lambda: whole(nodes))


def test_writes_go_on_when_one_server_is_killed(nodes):
    (stays, survivor), (_, victim) = nodes.items()
    assert until(lambda: whole(nodes))
    sql(survivor, "CREATE OR REPLACE TABLE boxoffice.ledger (id INT PRIMARY KEY)")
    survivor.check_output("rm -f /run/orders.stop; : >/run/orders")
    survivor.check_output("systemd-run --collect --unit=orders bash -c %s", ORDERS)
    try:
        assert until(lambda: len(acknowledged(survivor)) > 20)
        victim.check_output("systemctl kill --signal=KILL mariadb")
        before = len(acknowledged(survivor))
        # More than what may have been under way: the survivor and the arbiter take them without the victim.
        assert until(lambda: len(acknowledged(survivor)) > before + 50)
        assert agent(stays) == 200
    finally:
        survivor.check_output("touch /run/orders.stop")
    assert until(lambda: not survivor.service("orders").is_running)
    orders = acknowledged(survivor)
    assert until(lambda: whole(nodes))
    for node in nodes.values():
        stored = sql(node, "SET wsrep_sync_wait = 1; SELECT id FROM boxoffice.ledger").split()
        assert set(orders) <= set(map(int, stored))


def test_a_frozen_server_is_reported_and_comes_back(nodes):
    (stays, _), (frozen, victim) = nodes.items()
    assert until(lambda: whole(nodes))
    victim.check_output("systemctl kill --signal=STOP --kill-whom=main mariadb")
    try:
        assert agent(frozen) == 503
        # The survivor and the arbiter agree on going on without it.
        assert until(lambda: agent(stays) == 200 and size(nodes[stays]) == "2")
    finally:
        victim.check_output("systemctl kill --signal=CONT --kill-whom=main mariadb")
    assert until(lambda: whole(nodes))


def test_a_killed_arbiter_is_started_again(host, nodes):
    host.check_output("systemctl kill --signal=KILL garb")
    assert until(lambda: host.service("garb").is_running and whole(nodes))
