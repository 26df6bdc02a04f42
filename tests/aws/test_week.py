"""A week of ticks on EC2, by a clock that the test holds: what is started and stopped, to the minute, and who then runs.

What should happen is worked out here a second time, minute by minute from the words of the stack file, without the brain. A tick against moto takes
about 0.1 s, nearly all of it moto's: the test ticks every ten minutes, which is as long as the load's memory lasts, and each minute around every edge.
WEEK_STEP=1 ticks each of the 10,080 minutes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from ansible_collections.trust.stack.plugins.action.tick import decide
from ansible_collections.trust.stack.plugins.module_utils import statefiles
from ansible_collections.trust.stack.plugins.module_utils.stackfile import parse
from support.aws import Aws

STACK = """\
plugin: trust.stack.stack
stack: shop
provider: ec2
region: eu-west-1
zones: [a, b]
layers:
  lb: {instances: 2, failover: route53}
  app:
    instances: {always: 2, time: 2, load: 2}
    schedule:
      time_zone: Europe/Dublin
      ready_by: false
      windows:
        - {name: friday rush, days: [fri], from: "09:30", to: "12:00", instances: 4}
        - {name: saturday night, days: [sat], from: "22:00", to: "02:30", instances: [app-b-2]}
        - {name: spring sale, at: "2027-03-24 18:15", for: 95 min, instances: 3}
    load: {Enable: true}
  worker:
    instances: {always: 2, time: 1, load: 1}
    schedule:
      ready_by: 10 min
      windows:
        - {name: nights, days: [mon, tue, wed, thu, fri], from: "23:30", to: "01:00", instances: 3}
    load:
      Enable: true
      UpScaling: {CpuThreshold: -1, BacklogThreshold: 100}
      DownScaling: {CpuThreshold: -1, BacklogThreshold: 10}
  database: {managed: rds, multi_az: true}
  redis: {managed: elasticache}
  memcached: {managed: elasticache}
  mail: {managed: ses, domain: example.com}
  monitor: 1
"""
MONDAY = datetime(2027, 3, 22, tzinfo=UTC)  # on Sunday at 01:00 UTC the clocks of Dublin go from 01:00 to 02:00
MINUTE = timedelta(minutes=1)
WEEK = 7 * 24 * 60
NAMES = {"app": ["app-a-2", "app-b-2"], "worker": ["worker-a-2"]}  # of type time, in the order in which a count takes them
STEADY = 2
UNTOUCHED = "app-a-1"
LEADS = {"app": 0, "worker": 10}


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


# The load: cpu of all app hosts is 10 %, of the backlog nothing waits; but here.
BUSY = (at(1, 14), at(1, 14, 40))  # cpu 90 %
SPIKE = (at(2, 10), at(2, 10, 3))  # backlog 500
AGAIN = (at(3, 20), at(3, 20, 10))  # cpu 90 %,
DARK = (at(3, 20, 12), at(3, 20, 45))  # and soon after it the monitor says nothing
# What the load settings of the file make of it: 5 minutes above, 10 below, and as long no notice of the metrics after each change.
BY_LOAD = [
    (at(1, 14, 5), "start", "app-a-3"), (at(1, 14, 15), "start", "app-b-3"), (at(1, 14, 50), "stop", "app-b-3"), (at(1, 15, 10), "stop", "app-a-3"),
    (at(2, 10), "start", "worker-b-2"), (at(2, 10, 15), "stop", "worker-b-2"),
    (at(3, 20, 5), "start", "app-a-3"), (at(3, 20, 55), "stop", "app-a-3"),
]  # fmt: skip


def opened(window: dict[str, Any], zone: str, now: datetime) -> bool:
    """Whether the window is open, by nothing but what the clock on the wall reads."""
    local = now.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    if "at" in window:
        start = datetime.fromisoformat(window["at"])
        return start <= local < start + timedelta(minutes=int(window["for"].split()[0]))
    days = [("mon", "tue", "wed", "thu", "fri", "sat", "sun").index(day) for day in window["days"]]
    reads, today, before = f"{local:%H:%M}", local.weekday() in days, (local.weekday() - 1) % 7 in days
    if window["from"] < window["to"]:
        return today and window["from"] <= reads < window["to"]
    return (today and reads >= window["from"]) or (before and reads < window["to"])


def by_clock(now: datetime) -> set[str]:
    """The instances of type time that should run."""
    found: set[str] = set()
    for layer, names in NAMES.items():
        said = yaml.safe_load(STACK)["layers"][layer]["schedule"] if layer not in _said else _said[layer]
        _said[layer] = said
        for window in said["windows"]:
            if any(opened(window, said.get("time_zone", "UTC"), now + early * MINUTE) for early in range(LEADS[layer] + 1)):
                found |= set(window["instances"] if isinstance(window["instances"], list) else names[: window["instances"] - STEADY])
    return found


_said: dict[str, Any] = {}


def expected() -> list[tuple[datetime, str, str]]:
    found, before = list(BY_LOAD), by_clock(MONDAY - MINUTE)
    assert not before
    for number in range(WEEK):
        now = MONDAY + number * MINUTE
        here = by_clock(now)
        found += [(now, "start", name) for name in here - before] + [(now, "stop", name) for name in before - here]
        before = here
    return sorted(found)


def ticks(moves: list[tuple[datetime, str, str]]) -> list[datetime]:
    edges = {when for when, _verb, _name in moves} | {when for span in (BUSY, SPIKE, AGAIN, DARK) for when in span}
    near = {(when - MONDAY) // MINUTE + around for when in edges for around in range(-2, 3)}
    return [MONDAY + number * MINUTE for number in sorted(near | set(range(0, WEEK, int(os.environ.get("WEEK_STEP", "10")))))]


def load_at(now: datetime) -> tuple[float, float] | None:
    """Cpu and backlog of that minute, as the monitor publishes them; None when it does not."""
    if DARK[0] <= now < DARK[1]:
        return None
    return (90.0 if any(start <= now < end for start, end in (BUSY, AGAIN)) else 10.0, 500.0 if SPIKE[0] <= now < SPIKE[1] else 0.0)


@pytest.fixture(scope="module")
def machines(aws: Aws) -> Iterator[dict[str, str]]:
    """The instances that come and go, stopped, and one that nobody may touch: name -> id."""
    ec2, found = aws.client("ec2"), {}
    image = ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]
    for one in parse(STACK).instances:
        if one.type == "always" and one.name != UNTOUCHED:
            continue
        tags = {"Name": f"shop-{one.name}", "stack": "shop", "managed-by": "trust.stack"}
        named = [{"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]
        done = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t4g.small", TagSpecifications=named)
        found[one.name] = done["Instances"][0]["InstanceId"]
        if one.type != "always":
            ec2.stop_instances(InstanceIds=[found[one.name]])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        yield found


class Account:
    """What the test asks of AWS itself, past the code under test."""

    def __init__(self, aws: Aws, machines: dict[str, str]) -> None:
        self.ec2, self.cloudwatch, self.machines = aws.client("ec2"), aws.client("cloudwatch"), machines
        self.apps = [one.name for one in parse(STACK).layer("app")]

    def publish(self, some: list[datetime]) -> None:
        metrics = []
        for now in some:
            if said := load_at(now):
                when = now - timedelta(seconds=10)
                metrics += [self.metric("cpu", said[0], when, "app", name) for name in self.apps] + [self.metric("backlog", said[1], when, "worker")]
        for first in range(0, len(metrics), 500):
            self.cloudwatch.put_metric_data(Namespace="TrustStack", MetricData=metrics[first : first + 500])

    @staticmethod
    def metric(name: str, value: float, when: datetime, layer: str, instance: str = "") -> dict[str, Any]:
        named = {"stack": "shop", "layer": layer} | ({"name": instance} if instance else {})
        return {
            "MetricName": name, "Value": value, "Timestamp": when, "StorageResolution": 1,
            "Dimensions": [{"Name": key, "Value": word} for key, word in named.items()]}  # fmt: skip

    def running(self) -> set[str]:
        names = {machine: name for name, machine in self.machines.items()}
        rows = [row for group in self.ec2.describe_instances()["Reservations"] for row in group["Instances"]]
        return {names[row["InstanceId"]] for row in rows if row["State"]["Name"] == "running"}


def test_a_week_to_the_minute(aws: Aws, machines: dict[str, str], tmp_path: Path) -> None:
    account, stack, moves = Account(aws, machines), parse(STACK), expected()
    # The independent calculation, too, may err: what a person reads off the file, across midnight and the change of the clocks.
    assert {(at(6, 1, 30), "stop", "app-b-2"), (at(5, 22), "start", "app-b-2"), (at(4, 12), "stop", "app-a-2"), (at(2, 19, 50), "stop", "app-a-2"),
            (at(0, 23, 20), "start", "worker-a-2"), (at(5, 1), "stop", "worker-a-2")} <= set(moves)  # fmt: skip
    assert len(moves) == len(BY_LOAD) + 2 * (2 + 1 + 1 + 5)
    layers = {one.name: one.layer for one in stack.instances}
    (tmp_path / "stack.yml").write_text(STACK)
    given = {
        "stack_file": str(tmp_path / "stack.yml"), "state_dir": str(tmp_path), "balancers": [], "stats_port": 8404, "containers_conf": "",
        "metrics_url": "", "metrics_source": "cloudwatch", "events_url": ""}  # fmt: skip
    all_ticks = ticks(moves)
    for number, now in enumerate(all_ticks):
        if number % 80 == 0:
            account.publish(all_ticks[number : number + 80])
        found = decide(given | {"now": now.isoformat()}, check_mode=False)
        if ids := [machines[name] for name in found["start"]]:
            account.ec2.start_instances(InstanceIds=ids)
        if ids := [machines[name] for name in found["stop"]]:
            account.ec2.stop_instances(InstanceIds=ids)
        statefiles.record(tmp_path, now, "scale.yml", found["start"], found["stop"], {}, layers, {})  # as module online does
        if now.minute == 0:
            by_load = {name for when, verb, name in moves if when <= now and verb == "start" and (when, verb, name) in BY_LOAD}
            by_load -= {name for name in by_load if [verb for when, verb, one in moves if one == name and when <= now][-1] == "stop"}
            assert account.running() == {UNTOUCHED} | by_clock(now) | by_load, now
    lines = [json.loads(line) for line in (tmp_path / statefiles.EVENTS).read_text().splitlines()]
    assert sorted((datetime.fromisoformat(one["time"]), one["verb"], one["instance"]) for one in lines) == moves
