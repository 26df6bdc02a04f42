"""`scaling: asg` in a stack file: what it gives, and what is said about each mistake."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ansible_collections.trust.stack.plugins.module_utils.stackfile import parse
from test_stackfile import GOOD, changed, names, only, problems
from test_stackfile_ec2 import AWS

ASG = changed(
    "  app: {instances: {always: 2, time: 2}, class: m7g.large}\n",
    """\
  app:
    instances: 2
    scaling: asg
    most: 6
    class: m7g.large
    schedule:
      time_zone: Europe/Dublin
      ready_by: 10 min
      windows:
        - {name: rush, days: [fri], from: "09:30", to: "12:00", instances: 5}
        - {name: sale, at: "2027-03-14 10:00", for: 90 min, instances: 6}
    load:
      Enable: true
      UpScaling: {CpuThreshold: 80, QueueThreshold: 1, IgnoreMetricsTime: 3}
      DownScaling: {CpuThreshold: 30}
""",
    AWS,
)


def test_the_group_is_what_comes_and_goes() -> None:
    stack = parse(ASG)
    group = stack.groups["app"]
    assert names(stack, "app") == ["app-a-1", "app-b-1"]
    assert (group.most, group.steady, group.least, group.largest, group.by_load) == (6, 2, 1, 4, True)
    assert (group.schedule.ready_by, [one.name for one in group.schedule.windows]) == (timedelta(minutes=10), ["rush", "sale"])
    assert [one.zone for one in group.schedule.timed] == ["a", "b", "a", "b"]
    # The tick neither starts nor stops anything in this layer.
    assert (dict(stack.schedules), dict(stack.loads), stack.movable) == ({}, {}, ())
    assert stack.boxes["app"] == {"class": "m7g.large"}


def test_without_load_the_group_may_be_empty() -> None:
    group = parse(changed("Enable: true", "Enable: false", ASG)).groups["app"]
    assert (group.least, group.by_load) == (0, False)
    assert parse(AWS).groups == {}


RUSH = '- {name: rush, days: [fri], from: "09:30", to: "12:00", instances: 5}'
# what is changed: (old, new), then line, key path below layers.app, a part of what is said, of what was found, of the mend
MISTAKES = {
    "timed instances too": (("instances: 2\n    sc", "instances: {always: 2, time: 1}\n    sc"), 9, "instances", "stands in", "type: time", "instances: 2"),
    "load instances too": (("instances: 2\n    sc", "instances: {always: 2, load: 2}\n    sc"), 9, "instances", "stands in", "type: load", "instances: 2"),
    "no most": (("    most: 6\n", ""), 10, "most", "how many", "nothing", "most: 6"),
    "most without asg": (("    scaling: asg\n", ""), 10, "most", "ended by AWS", '"most"', "scaling: asg"),
    "a small most": (("most: 6", "most: 2"), 11, "most", "never have an instance", "2, with 2 always", "4"),
    "no number": (("most: 6", "most: many"), 11, "most", "must be a number", '"many"', "for example"),
    "another engine": (("scaling: asg", "scaling: fleet"), 10, "scaling", "choices", '"fleet"', "asg"),
    "people's word for it": (("most: 6", "max: 6"), 11, "max", "no such key", '"max"', '"most"'),
    "too large a window": (("instances: 5}", "instances: 7}"), 17, "schedule.windows[0].instances", "so many", "7", "6"),
    "named instances": (("instances: 5}", "instances: [app-a-2]}"), 17, "schedule.windows[0].instances", "cannot name", "app-a-2", "3"),
    "a time that is left out": (
        ('at: "2027-03-14 10:00"', 'at: "2027-03-28 01:30"'), 18, "schedule.windows[1].at", "put forward", "2027-03-28 01:30", "02:00"),
    "published sales": (("ready_by: 10 min", "on_sales: true"), 13, "schedule.on_sales", "hears nothing", "true", "dated window"),
    "two windows at once": (
        (RUSH, RUSH + '\n        - {name: noon, from: "11:00", to: "13:00", instances: 4}'), 18, "schedule.windows[1]", "neither wins", "5", "priority: 1"),
    "a memory target": (("CpuThreshold: 80,", "CpuThreshold: 80, MemoryThreshold: 70,"), 21, "load.UpScaling.MemoryThreshold", "no target", "70", "-1"),
    "a load target": (("{CpuThreshold: 30}", "{CpuThreshold: 30, LoadThreshold: 1}"), 22, "load.DownScaling.LoadThreshold", "no target", "1", "-1"),
    "a step": (("QueueThreshold: 1", "InstanceCount: 2"), 21, "load.UpScaling.InstanceCount", "pace of its own", "2", "remove"),
    "a wait": (("{CpuThreshold: 30}", "{ThresholdsWaitTime: 5}"), 22, "load.DownScaling.ThresholdsWaitTime", "pace of its own", "5", "remove"),
    "a target of 0": (("QueueThreshold: 1", "QueueThreshold: 0"), 21, "load.UpScaling.QueueThreshold", "above 0", "0", "1"),
    "thresholds the wrong way": (("{CpuThreshold: 30}", "{CpuThreshold: 90}"), 22, "load.DownScaling.CpuThreshold", "stopped again", "90", "40"),
    "nothing up": (("CpuThreshold: 80, QueueThreshold: 1", "CpuThreshold: -1"), 19, "load", "larger", "none", "CpuThreshold: 80"),
    "nothing down": (("{CpuThreshold: 30}", "{CpuThreshold: -1}"), 19, "load", "smaller again", "none", "CPU"),
    "no monitor": (("  monitor: 1\n", ""), 19, "load", "what waits", "no layer monitor", "monitor: 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_one_mistake_is_told_once_with_its_line(case: str) -> None:
    change, line, path, what, found, mend = MISTAKES[case]
    one = only(changed(*change, ASG))
    assert (one.line, one.path) == (line, f"layers.app.{path}")
    assert what in one.what
    assert found in one.found
    assert mend in one.mend


def test_a_group_whose_size_nothing_changes_is_refused() -> None:
    text = changed("worker: 2", "worker: {instances: 2, scaling: asg, most: 4}", AWS)
    one = only(text)
    assert (one.line, one.path, one.found) == (9, "layers.worker.scaling", "neither")
    assert "a schedule with windows" in one.expected


def test_a_group_belongs_to_app_and_worker_on_ec2() -> None:
    one = only(changed("app: 2", "app: {instances: 2, scaling: asg, most: 4}", GOOD))
    assert (one.path, one.found) == ("layers.app.scaling", '"asg"')
    assert "type time and load" in one.mend
    found = problems(changed("lb: {instances: 2, ", "lb: {instances: 2, scaling: asg, most: 3, ", AWS))
    assert [one.path for one in found] == ["layers.lb.scaling"]
