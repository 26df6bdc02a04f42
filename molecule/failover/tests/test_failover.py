"""What dies and who takes over: after each fault a ticket is bought, its mail arrives, and the second is put back.

Times are printed, never asserted: a busy machine is not a broken stack.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest
from support.buyers import Buyers, buy_one
from support.prober import Prober
from support.stack import Stack, wait_until

CAPACITY = 2000


@pytest.fixture(scope="session")
def event(stack: Stack) -> str:
    shop = stack.shop()
    shop.sign_in(*stack.organiser)
    return shop.ensure_event("Failover night", [{"name": "Standing", "price_cents": 0, "capacity": CAPACITY}], "failover-night")


@pytest.fixture(autouse=True)
def whole(stack: Stack) -> Iterator[None]:
    """Each fault begins and ends with everything there."""
    stack.wait_until_whole()
    yield
    stack.wait_until_whole()


def tell(text: str) -> None:
    print(f"\n    {text}", file=sys.stderr)


def test_active_balancer_killed(stack: Stack, event: str) -> None:
    active = stack.active_balancer()
    with Prober(f"{stack.url}/e/{event}", rate=20, timeout=3) as client:
        time.sleep(1)
        stack.ssh(active, "systemctl kill --signal=KILL haproxy")
        buy_one(stack, event, "balancer-killed")
    tell(f"haproxy killed on {active}: {client.report}")


def test_active_balancer_host_off(stack: Stack, event: str) -> None:
    active = stack.active_balancer()
    with Prober(f"{stack.url}/e/{event}", rate=20, timeout=3) as client:
        time.sleep(1)
        stack.power_off(active)
        wait_until(lambda: stack.active_balancer() != active, "the other balancer holds the virtual IP")
        buy_one(stack, event, "balancer-off")
    stack.power_on(active)
    tell(f"{active} off: {client.report}")


def test_app_host_off(stack: Stack, event: str) -> None:
    """No GET may fail: the balancer asks the other host."""
    victim = stack.hosts("app")[0]
    with Prober(f"{stack.url}/e/{event}", rate=20, timeout=15) as client:
        time.sleep(1)
        stack.power_off(victim)
        buy_one(stack, event, "app-off")
        time.sleep(1)
    stack.power_on(victim)
    tell(f"{victim} off: {client.report}")
    assert client.report.failed == []


def test_worker_killed_in_the_middle_of_orders(stack: Stack, event: str) -> None:
    victim = stack.hosts("worker")[0]
    buyers = Buyers(stack, event, "worker-killed")
    references = buyers.confirm(20)
    stack.power_off(victim)
    began = time.monotonic()
    buyers.wait_for_mails(references)
    tell(f"{victim} off with {len(references)} orders under way: all processed {time.monotonic() - began:.1f} s later, one mail each")
    stack.power_on(victim)


def test_database_writer_off(stack: Stack, event: str) -> None:
    writer = stack.database_writer()
    buyers = Buyers(stack, event, "writer-off")
    before = buyers.confirm(5)
    stack.power_off(writer)
    began = time.monotonic()
    buy_one(stack, event, "writer-off-after", seconds=60)
    tell(f"{writer} off: the next ticket was sold {time.monotonic() - began:.1f} s later")
    buyers.wait_for_mails(before)
    stack.power_on(writer)
    wait_until(lambda: stack.database_writer() != writer, "the returned database stays the second (no failback)")


def test_redis_master_off(stack: Stack, event: str) -> None:
    master = stack.redis_master()
    with Prober(f"{stack.url}/e/{event}", rate=20, timeout=15) as client:
        time.sleep(1)
        stack.power_off(master)
        began = time.monotonic()
        buy_one(stack, event, "redis-off", seconds=60)
        took = time.monotonic() - began
    tell(f"{master} off: ticket and mail {took:.1f} s later; pages: {client.report}")
    assert stack.redis_master() != master
    stack.power_on(master)
    assert client.report.failed == []


def test_memcached_off(stack: Stack, event: str) -> None:
    victim = stack.hosts("memcached")[0]
    with Prober(f"{stack.url}/e/{event}", rate=20, timeout=15) as client:
        time.sleep(1)
        stack.power_off(victim)
        buy_one(stack, event, "memcached-off")
    stack.power_on(victim)
    tell(f"{victim} off: {client.report}")
    assert client.report.failed == []


def test_zone_off(stack: Stack, event: str) -> None:
    """All of a zone at once; the quorum corner and the other zone carry on."""
    zone = [host for host in stack.data["zone_a"]["hosts"] if host not in stack.offline]
    for host in zone:
        stack.power_off(host)
    began = time.monotonic()
    buy_one(stack, event, "zone-off", seconds=90)
    tell(f"zone a off ({len(zone)} hosts): ticket and mail {time.monotonic() - began:.1f} s later")
    for host in zone:
        stack.power_on(host)


def test_a_run_after_all_that_changes_nothing(stack: Stack) -> None:
    """Takeovers move masters and writers about; Ansible must respect where they are."""
    output = stack.play("playbooks/setup.yml", "playbooks/configure.yml")
    changed = [line for line in output.splitlines() if "changed=" in line and "changed=0" not in line]
    assert changed == [], output[-6000:]
