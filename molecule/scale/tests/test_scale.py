"""Instances that come and go: by the clock (which the tests set), by hand, one after the other and under load."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.trust.stack.plugins.module_utils.stackfile import parse
from support.rush import Kind, Rush
from support.slow_release import make
from support.stack import ROOT, Stack, wait_until

FRIDAY = "2027-03-12T10:{:02}:00+00:00"  # within the window "friday rush" of molecule/site/stack.yml
EVENING = "2027-03-12T18:{:02}:00+00:00"  # after it
RUSH = {"app-a-2", "app-b-2", "worker-a-2"}
ALL_APPS = "app-a-2,app-b-2,app-a-3,app-b-3"


def tick(stack: Stack, now: str) -> str:
    return stack.play("playbooks/scale.yml", "-e", f"scale_now={now}")


def server_states(stack: Stack, name: str) -> set[str]:
    return {stack.servers(balancer)[f"app/{name}"].split()[0] for balancer in stack.hosts("lb")}


def watched(stack: Stack) -> set[str]:
    """The hosts that Prometheus asks: of one that was stopped on purpose nobody must be told."""
    with urllib.request.urlopen(f"http://{stack.address('monitor-c-1')}:9090/api/v1/targets?state=active", timeout=5) as answer:
        return {one["labels"]["name"] for one in json.load(answer)["data"]["activeTargets"] if one["labels"]["job"] == "node"}


def movable(stack: Stack) -> set[str]:
    return stack.running() & set(stack.offline)


@pytest.fixture
def evening(stack: Stack) -> Iterator[None]:
    """Before and after the test only what always runs."""
    forget(stack)
    tick(stack, EVENING.format(0))
    assert movable(stack) == set()
    yield
    forget(stack)
    tick(stack, EVENING.format(0))


def forget(stack: Stack) -> None:
    """The clock of the tests goes back and forth; for a controller that would be a reason to stop nothing."""
    (Path(stack.var("stack_state_dir")) / "tick.json").unlink(missing_ok=True)


def test_a_window_brings_its_instances_and_its_end_takes_them(stack: Stack, evening: None) -> None:
    began, began_at = len(stack.events()), time.time()
    tick(stack, FRIDAY.format(0))
    assert movable(stack) == RUSH
    for name in ("app-a-2", "app-b-2"):
        assert server_states(stack, name) == {"UP"}
    assert stack.ssh("worker-a-2", "systemctl is-active boxoffice-worker").strip() == "active"
    assert len({stack.release(host) for host in (*stack.hosts("app"), *RUSH)}) == 1
    assert stack.ssh("app-a-2", "cat /var/lib/hook-setup").strip() == "setup of app"

    wait_until(lambda: watched(stack) >= RUSH, "they are watched", 20)  # Prometheus looks at its list every 5 s

    # A burst of three is one configure of each of the others, and that comes when all of them are in.
    own, others = stack.hook_events("app-a-2", began_at), stack.hook_events("app-a-1", began_at)
    assert [event for _at, event in own] == ["setup", "deploy", "configure"]
    assert [event for _at, event in others] == ["configure"]
    assert others[0][0] > own[1][0]

    again = tick(stack, FRIDAY.format(1))
    assert "changed=0" in again
    assert "starting" not in again

    tick(stack, EVENING.format(1))
    assert movable(stack) == set()
    assert server_states(stack, "app-a-2") == {"MAINT"}
    wait_until(lambda: watched(stack) & RUSH == set(), "nobody is told that they are off", 20)
    events = [one for one in stack.events()[began:] if one["verb"] != "configure"]
    assert {(one["verb"], one["instance"], one["actor"]) for one in events} == {
        (verb, name, "scale.yml") for verb in ("start", "stop") for name in RUSH}  # fmt: skip
    assert {one["cause"] for one in events if one["verb"] == "start"} == {"window 'friday rush' until 12:00 Europe/Dublin"}
    print(f"\nfresh or stopped, side by side: {[one['seconds'] for one in events if one['verb'] == 'start']} s", file=sys.stderr)


def test_of_who_will_miss_a_window_one_alert_tells_a_minute_before(stack: Stack, evening: None) -> None:
    for second in (0, 50):
        said = stack.play("playbooks/late.yml", "-e", f"late_now=2027-03-12T09:29:{second:02}+00:00")
        assert "app: 2 of 2 will not be ready at 09:30 UTC" in said
    with urllib.request.urlopen(f"http://{stack.address('monitor-c-1')}:9093/api/v2/alerts?filter=alertname=InstancesLate", timeout=5) as answer:
        alerts = json.load(answer)
    assert sorted((one["labels"]["layer"], one["labels"]["opens"]) for one in alerts) == [
        ("app", "2027-03-12T09:30:00+00:00"), ("worker", "2027-03-12T09:30:00+00:00")]  # fmt: skip
    assert "will not" not in stack.play("playbooks/late.yml", "-e", f"late_now={EVENING.format(5)}")


def test_one_more_instance_fresh_and_stopped(stack: Stack, evening: None) -> None:
    """From the order to start to requests from both balancers."""
    stack.podman("rm", "--force", "--ignore", "--time", "0", stack.container("app-a-2"))
    took = {}
    for kind in ("fresh", "stopped"):
        began = time.monotonic()
        stack.play("playbooks/start.yml", "-e", "start=app-a-2")
        took[kind] = time.monotonic() - began
        assert server_states(stack, "app-a-2") == {"UP"}
        wait_until(lambda: served(stack, "app-a-2"), "it serves", 20)
        stack.play("playbooks/stop.yml", "-e", "stop=app-a-2")
    print(f"\none more app instance: {', '.join(f'{kind} {seconds:.1f} s' for kind, seconds in took.items())}", file=sys.stderr)


def served(stack: Stack, name: str) -> bool:
    """Whether a request through the virtual IP reaches the instance."""
    before = int(stack.stat(stack.active_balancer(), f"app/{name}", "stot"))
    for _ in range(6):
        urllib.request.urlopen(f"{stack.url}/health", timeout=5).read()
    return int(stack.stat(stack.active_balancer(), f"app/{name}", "stot")) > before


def test_from_two_to_six_and_back_under_load_breaks_no_request_and_no_task(stack: Stack, evening: None, slow: None) -> None:
    kinds = [Kind("/health", 180), Kind("/", 18), Kind("/slow/5", 2, 30)]
    with Rush(stack, kinds, task_every=6, task_seconds=30) as rush:
        stack.play("playbooks/start.yml", "-e", f"start={ALL_APPS},worker-a-2,worker-b-2")
        assert movable(stack) == {*ALL_APPS.split(","), "worker-a-2", "worker-b-2"}
        time.sleep(10)
        stack.play("playbooks/stop.yml", "-e", f"stop={ALL_APPS},worker-a-2,worker-b-2")
        assert movable(stack) == set()
    print(f"\n2 -> 6 -> 2: {rush}", file=sys.stderr)
    assert rush.failed == []
    assert rush.refused == []
    assert set(rush.settled().values()) == {(1, 1)}


def test_a_request_that_outlasts_the_drain_is_told_and_still_answered(stack: Stack, evening: None, slow: None) -> None:
    stack.play("playbooks/start.yml", "-e", "start=app-a-2")
    began = len(stack.events())
    with Rush(stack, [Kind("/slow/12", 2, 40)]) as rush:
        time.sleep(3)
        said = stack.play("playbooks/stop.yml", "-e", "stop=app-a-2", "-e", "stack_drain_timeout=2")
    assert "app-a-2 still had" in said
    assert [one.get("overran") for one in stack.events()[began:] if one["verb"] == "stop"] == [True]
    assert rush.failed == []


@pytest.fixture(scope="session")
def slow(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> None:
    stack.play("playbooks/deploy.yml", "-e", f"release_source={make(tmp_path_factory.mktemp('app') / 'app')}")


@pytest.fixture
def by_queue(stack: Stack) -> Iterator[Stack]:
    """The same stack, whose app layer scales by the visitors who wait."""
    file = stack.inventory.with_name("queue.stack.yml")
    layer = "  app:\n    load: {Enable: true, UpScaling: {CpuThreshold: -1, QueueThreshold: 3}}\n"
    file.write_text(stack.inventory.read_text().replace("  app:\n", layer, 1))
    yield Stack(file)
    file.unlink()


def test_visitors_who_wait_bring_an_instance_and_it_serves_them(stack: Stack, by_queue: Stack, evening: None, slow: None) -> None:
    """45 requests at once for 32 places; a look every 15 s, as the timer does. Prometheus measures, the brain decides."""
    began = len(stack.events())
    with Rush(stack, [Kind("/slow/5", 9, 60)]) as rush:
        start = time.time()
        for look in range(1, 5):
            time.sleep(max(0.0, start + 15 * look - time.time()))
            if "start app-" in (said := by_queue.play("playbooks/scale.yml", "-e", f"scale_now={EVENING.format(20 + look)}")):
                break
        events = [one for one in stack.events()[began:] if one["verb"] == "start"]
        decided = {one["instance"]: datetime.fromisoformat(one["time"]).timestamp() - one["seconds"] - start for one in events}
        assert decided, said
        name = min(decided)
        assert "queue" in events[0]["cause"]
        balancer = stack.active_balancer()
        before = int(stack.stat(balancer, f"app/{name}", "stot"))
        wait_until(lambda: int(stack.stat(balancer, f"app/{name}", "stot")) > before, f"visitors reach {name}", 20)
    stack.play("playbooks/stop.yml", "-e", f"stop={','.join(decided)}")
    print(f"\nqueue: decided {min(decided.values()):.1f} s after the rush began; {events[0]['cause']}; {rush}", file=sys.stderr)
    assert rush.failed == []
    assert next(one.type for one in parse(stack.inventory.read_text()).instances if one.name == name) == "load"


CHANGES = """
- hosts: lb
  gather_facts: false
  tasks:
    - trust.stack.haproxy_servers: {state: "{{ item.0 }}", servers: ["{{ item.1 }}"], timeout: 20}
      loop: "{{ (['drained', 'admitted'] | product([groups['app'][0]]) + ['drained', 'admitted'] | product([groups['app'][1]])) * 25 }}"
"""


def test_a_hundred_changes_of_membership_break_no_request(stack: Stack, evening: None, tmp_path: Path) -> None:
    """In and out through the runtime API of both balancers, while a client keeps asking."""
    (tmp_path / "changes.yml").write_text(CHANGES)
    with Rush(stack, [Kind("/health", 500, connections=20), Kind("/", 10)]) as rush:
        output = stack.play(str(tmp_path / "changes.yml"))
    print(f"\n100 changes of membership: {rush}", file=sys.stderr)
    assert output.count("changed: [lb-a-1]") == 100
    assert rush.failed == []


def test_on_what_somebody_works_is_neither_started_nor_stopped(stack: Stack, evening: None) -> None:
    stack.play("playbooks/maintenance.yml", "-e", "hold=app-a-2")
    try:
        assert "app-a-2: in maintenance until" in stack.play(
            "playbooks/scale.yml", "--check", "-e", f"scale_now={FRIDAY.format(3)}")  # fmt: skip
    finally:
        stack.play("playbooks/maintenance.yml", "-e", "release=app-a-2")


def test_two_controllers_at_once_start_and_stop_nothing_twice(stack: Stack, evening: None) -> None:
    began = len(stack.events())
    command = ["ansible-playbook", "-i", str(stack.inventory), "playbooks/scale.yml", "-e", f"scale_now={FRIDAY.format(5)}"]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate(timeout=300)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert sum("this run leaves it to it" in text for text in said) == 1
    assert sorted(one["instance"] for one in stack.events()[began:] if one["verb"] != "configure") == sorted(RUSH)


def test_what_dies_while_it_is_wanted_is_started_again(stack: Stack, evening: None) -> None:
    tick(stack, FRIDAY.format(10))
    stack.power_off("app-b-2")
    said = tick(stack, FRIDAY.format(11))
    assert "start app-b-2: window 'friday rush' until 12:00 Europe/Dublin; it had died" in said
    assert server_states(stack, "app-b-2") == {"UP"}


BROKEN: dict[str, tuple[str, str, str]] = {
    "not yaml": ("layers:", "layers: [", "stack.yml:"),
    "unknown zone": ("Europe/Dublin", "Europe/Dubln", "time_zone"),
    "unknown layer": ("  redis: 2", "  redis: 2\n  web: 2", "there is no such layer"),
    "hour 24": ('from: "09:30"', 'from: "24:30"', "from"),
    "overlap": ("windows:\n", 'windows:\n        - {name: clash, days: [fri], from: "11:00", to: "13:00", instances: 3}\n', "priority"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_stack_file_stops_nothing(stack: Stack, case: str) -> None:
    old, new, said = BROKEN[case]
    text = stack.inventory.read_text()
    before = stack.running()
    broken = stack.inventory.with_name("broken.stack.yml")
    try:
        broken.write_text(text.replace(old, new, 1))
        done = subprocess.run(["ansible-playbook", "-i", str(broken), "playbooks/scale.yml"], cwd=ROOT, capture_output=True, text=True, check=False)
    finally:
        broken.unlink(missing_ok=True)
    assert done.returncode != 0
    output = done.stdout + done.stderr
    assert said in output, output
    assert "mend:" in output
    assert stack.running() == before


def test_a_clock_that_jumps_stops_nothing(stack: Stack, evening: None) -> None:
    stack.play("playbooks/start.yml", "-e", "start=app-a-2")
    remembered: dict[str, Any] = stack.state("tick")
    file = Path(stack.var("stack_state_dir")) / "tick.json"
    file.write_text(json.dumps(remembered | {"wall": time.time() - 20000, "uptime": time.clock_gettime(time.CLOCK_BOOTTIME) - 60,
                                             "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip()}))  # fmt: skip
    said = stack.play("playbooks/scale.yml")
    assert "the clock was set forward by" in said
    assert "app-a-2" in movable(stack)


def test_what_must_always_run_cannot_be_stopped_by_mistake(stack: Stack) -> None:
    said = " ".join(stack.failing_play("playbooks/stop.yml", "-e", "stop=app-a-1").split())
    assert "stop: app-a-1 is of type always; expected one of: app-a-2, app-b-2" in said
    said = " ".join(stack.failing_play("playbooks/start.yml", "-e", "start=app-z-9").split())
    assert "start: there is no instance 'app-z-9'" in said
