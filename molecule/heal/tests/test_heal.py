"""What hangs or is off comes back by itself; what a person works on is left alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stack import Stack, wait_until

HOST = "app-b-1"
GUNICORN = "systemctl kill --signal={} --kill-whom=all boxoffice-web.service"


@pytest.fixture(autouse=True)
def fresh(stack: Stack) -> Iterator[None]:
    """A whole stack before, nobody held, and no heal of an earlier test counts."""
    stack.wait_until_whole()
    memory(stack).unlink(missing_ok=True)
    yield
    stack.play("playbooks/maintenance.yml", "-e", f"release={HOST}")
    if HOST not in stack.running():
        stack.power_on(HOST)
    stack.wait_until_whole()


def memory(stack: Stack) -> Path:
    return Path(stack.var("stack_state_dir")) / "heals.json"


def state(stack: Stack) -> set[str]:
    return {stack.servers(balancer)[f"app/{HOST}"] for balancer in stack.hosts("lb")}


def up(stack: Stack) -> bool:
    return all(one.startswith("UP") for one in state(stack))


def heal_until(stack: Stack, seconds: float) -> float:
    """Run heal.yml again and again, as the timer does, only more often. Returns after how many seconds the server takes requests again."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        stack.play("playbooks/heal.yml")
        if up(stack):
            return time.monotonic() - began
        time.sleep(3)
    raise AssertionError(f"{HOST} is {state(stack)} after {seconds:.0f} s of healing; {stack.events()[-5:]}")


def healed(stack: Stack, since: int) -> list[tuple[str, str]]:
    """What was decided; that start.yml then brought it, and told others, are lines of their own."""
    own = {"restart services", "restart machine", "start machine"}
    return [(line["verb"], line["instance"]) for line in stack.events()[since:] if line["actor"] == "heal.yml" and line["verb"] in own]


def test_a_web_that_hangs_leaves_the_pool_and_its_services_are_restarted(stack: Stack) -> None:
    before, pid = len(stack.events()), stack.ssh(HOST, "systemctl show -p MainPID --value boxoffice-web.service").strip()
    began = time.monotonic()
    stack.ssh(HOST, GUNICORN.format("STOP"))
    wait_until(lambda: all(one.startswith("DOWN") for one in state(stack)), f"{HOST} is out of the pool", 15, 0.2)
    out = time.monotonic() - began
    heal_until(stack, 90)
    back = time.monotonic() - began
    print(f"\na hung web: out of the pool after {out:.1f} s, back after {back:.0f} s")
    assert out <= 10
    assert back <= 90
    assert healed(stack, before) == [("restart services", HOST)]
    assert stack.ssh(HOST, "systemctl show -p MainPID --value boxoffice-web.service").strip() != pid


def test_when_the_services_did_not_help_the_machine_is_restarted(stack: Stack) -> None:
    before, boot = len(stack.events()), stack.ssh(HOST, "systemctl show -p UserspaceTimestampMonotonic --value")
    stack.ssh(HOST, GUNICORN.format("STOP"))
    wait_until(lambda: all(one.startswith("DOWN") for one in state(stack)), f"{HOST} is out of the pool", 15, 0.2)
    now = time.time()
    memory(stack).write_text(json.dumps({HOST: {"since": now - 120, "last": "services", "heals": [now - 61]}}))
    took = heal_until(stack, 120)
    print(f"\na machine that was restarted: takes requests again after {took:.0f} s")
    assert healed(stack, before) == [("restart machine", HOST)]
    assert stack.ssh(HOST, "systemctl show -p UserspaceTimestampMonotonic --value") != boot


def test_a_worker_that_gives_no_sign_is_restarted(stack: Stack) -> None:
    """The watchdog of its host, which would come first, hangs too. The sign is made older, which saves minutes of waiting."""
    host, before = "worker-b-1", len(stack.events())
    units = "boxoffice-worker.service boxoffice-watchdog.service"
    stack.ssh(host, f"systemctl kill --signal=STOP --kill-whom=all {units}")
    old = f"update worker_heartbeat set executed_at = executed_at - interval 10 minute where host = '{host}'"
    stack.ssh(stack.hosts("database")[0], f'mariadb boxoffice -e "{old}"')
    memory(stack).write_text(json.dumps({host: {"since": time.time() - 60, "last": "", "heals": []}}))
    began = time.monotonic()
    stack.play("playbooks/heal.yml")
    assert healed(stack, before) == [("restart services", host)]
    wait_until(lambda: float(stack.query(f"select timestampdiff(second, executed_at, utc_timestamp()) from worker_heartbeat where host = '{host}'")) < 10,
               f"{host} gives a sign", 60)
    took = time.monotonic() - began
    print(f"\na worker without a sign: works again after {took:.0f} s")
    assert took < 60  # a run that heals keeps others from scaling


def test_a_machine_that_is_off_is_started_and_let_in(stack: Stack) -> None:
    before = len(stack.events())
    stack.power_off(HOST)
    wait_until(lambda: HOST not in stack.running(), f"{HOST} is off", 20)
    took = heal_until(stack, 120)
    print(f"\na machine that was off: takes requests {took:.0f} s after the first look")
    assert ("start machine", HOST) in healed(stack, before)
    assert [line for line in healed(stack, before) if line[0].startswith("restart")] == []
    assert stack.release(HOST) == stack.release("app-a-1")


def test_who_is_well_is_left_alone_and_a_look_is_short(stack: Stack) -> None:
    before = len(stack.events())
    began = time.monotonic()
    said = stack.play("playbooks/heal.yml")
    print(f"\na look that finds nothing: {time.monotonic() - began:.1f} s")
    assert "changed=0 " in said
    assert healed(stack, before) == []


def test_what_a_person_works_on_is_left_alone(stack: Stack) -> None:
    before = len(stack.events())
    stack.play("playbooks/maintenance.yml", "-e", f"hold={HOST}", "-e", "minutes=30")
    stack.podman("stop", stack.container(HOST))
    for _look in range(3):
        assert f"{HOST}: its machine is off; left alone, in maintenance until" in stack.play("playbooks/heal.yml")
    assert healed(stack, before) == []
    assert HOST not in stack.running()
    stack.play("playbooks/maintenance.yml", "-e", f"release={HOST}")
    heal_until(stack, 120)
    assert ("start machine", HOST) in healed(stack, before)


def test_three_heals_an_hour_and_then_an_alert(stack: Stack) -> None:
    """A host that healing does not help is not healed for ever: here because the memory says so."""
    now = time.time()
    memory(stack).write_text(json.dumps({HOST: {"since": 0, "last": "", "heals": [now - 900, now - 600, now - 300]}}))
    before = len(stack.events())
    stack.power_off(HOST)
    wait_until(lambda: HOST not in stack.running(), f"{HOST} is off", 20)
    assert f"alert: {HOST}: its machine is off, although it was healed 3 times within an hour" in stack.play("playbooks/heal.yml")
    assert healed(stack, before) == []


def test_who_is_cut_off_heals_nobody(stack: Stack) -> None:
    """More than half of the app layer looks dead: a look from here proves nothing."""
    before = len(stack.events())
    hosts = stack.hosts("app")
    for host in hosts:
        stack.ssh(host, GUNICORN.format("STOP"))
    try:
        wait_until(lambda: not any(status.startswith("UP") for name, status in stack.servers("lb-a-1").items() if name.startswith("app/")), "all are DOWN")
        time.sleep(20)
        said = stack.play("playbooks/heal.yml")
    finally:
        for host in hosts:
            stack.ssh(host, GUNICORN.format("CONT"))
    assert f"alert: app: {len(hosts)} of {len(hosts)} look dead or cannot be seen" in said
    assert healed(stack, before) == []
