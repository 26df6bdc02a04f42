"""Which scheduled actions are put and which removed: each only when it must be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.trust.stack.plugins.module_utils.asg_actions import steps

FRIDAY = {
    "ScheduledActionName": "friday", "MinSize": 0, "MaxSize": 4, "DesiredCapacity": 2, "Recurrence": "30 9 * * 5", "TimeZone": "Europe/Dublin"}  # fmt: skip
SALE = {"ScheduledActionName": "sale", "MinSize": 0, "MaxSize": 4, "DesiredCapacity": 4, "StartTime": "2026-12-15T10:00:00Z"}
AT = datetime(2026, 12, 15, 10, tzinfo=UTC)
NEXT = {"StartTime": datetime(2026, 12, 11, 9, 30, tzinfo=UTC)}  # as AWS says of every action that comes back


def done(want: list[dict[str, Any]], have: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    found = steps(want, have)
    return list(found.remove), [one["ScheduledActionName"] for one in found.put]


def test_what_is_there_is_left_alone() -> None:
    assert done([FRIDAY, SALE], [FRIDAY | NEXT, SALE | {"StartTime": AT, "AutoScalingGroupName": "shop-app"}]) == ([], [])
    utc = {key: value for key, value in FRIDAY.items() if key != "TimeZone"}
    assert done([utc], [utc | NEXT | {"TimeZone": "Etc/UTC"}]) == ([], [])


@pytest.mark.parametrize(
    ("key", "value"),
    [("DesiredCapacity", 3), ("MinSize", 1), ("MaxSize", 5), ("Recurrence", "31 9 * * 5"), ("TimeZone", "UTC"), ("EndTime", "2026-12-18T09:31:00Z")],
)
def test_what_differs_is_put(key: str, value: object) -> None:
    assert done([FRIDAY | {key: value}, SALE], [FRIDAY | NEXT, SALE | {"StartTime": AT}])[1] == ["friday"]


def test_another_time_of_a_dated_action_is_a_change() -> None:
    assert done([SALE], [SALE | {"StartTime": datetime(2026, 12, 15, 11, tzinfo=UTC)}]) == ([], ["sale"])
    assert done([FRIDAY | {"StartTime": "2026-12-18T09:30:00Z"}], [FRIDAY | NEXT]) == ([], ["friday"])


def test_stale_ones_go_and_new_ones_come() -> None:
    assert done([SALE], [FRIDAY | NEXT]) == (["friday"], ["sale"])


@pytest.mark.parametrize(("key", "value"), [("EndTime", AT), ("DesiredCapacity", 2), ("Recurrence", "0 0 * * *"), ("TimeZone", "Europe/Dublin")])
def test_what_must_lose_something_is_made_anew(key: str, value: object) -> None:
    want = {name: said for name, said in (SALE if key == "Recurrence" else FRIDAY).items() if name != key}
    assert done([want], [want | NEXT | {key: value}]) == ([want["ScheduledActionName"]], [want["ScheduledActionName"]])
    assert steps([want], [want | NEXT | {key: value}]).before != steps([want], [want | NEXT | {key: value}]).after
