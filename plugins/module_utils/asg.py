# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an EC2 Auto Scaling group is told, so that its size is what schedule.py wants of the layer beside its `always` instances. Pure.

An action sets a size and leaves it. So the coming days are flattened into the instants at which the wanted number changes, as
schedule.py itself says, and each gets exactly one action:
- What comes back at one time of the week by the clock of its window's zone is a cron action in that zone: right over a clock change, and
  without an end, so that it goes on when nobody renews it.
- Where that would be wrong on some day (a date in `except`, a dated event on top, a window of another zone whose clock is changed on another
  day, a time that the clock skips or reads twice), the cron action ends before it and a second one begins after it.
- What does not come back is a dated action, which runs once.
Nothing ever fires at a local time that does not exist or exists twice: what AWS does then need not be known. No two actions fire at one
instant: AWS refuses some such pairs, and runs others in an order that nobody knows.

All this holds for DAYS; later dates are told by a later run. By load, an action sets only the least size: the group goes up to it at once, and
target tracking takes away what no longer has to be there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from .load import LoadSettings
from .schedule import LayerSchedule, count, edges, exists, occurrences
from .stackfile_asg import Group
from .stackfile_scaling import WEEKDAYS

MOST_ACTIONS = 125  # of one group, as AWS has it
DAYS = (28, 21, 14)  # how far ahead; fewer where there would be too many actions
TAIL = timedelta(days=15)  # a weekly action that was right so lately goes on after the last day that was looked at
MINUTE = timedelta(minutes=1)
NAMESPACE = "TrustStack"  # what the monitor publishes: queue and backlog of a layer, with the dimensions stack and layer


class AsgError(Exception):
    """The schedule cannot be told to AWS; the text says why, and the mend."""


@dataclass(frozen=True)
class Action:
    """With a recurrence: at each time that the cron text names in the zone, from `start` to `end`. Without: once, at `start`."""

    name: str
    size: int
    recurrence: str = ""
    time_zone: str = "UTC"
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class Plan:
    size: int  # now
    actions: tuple[Action, ...]
    until: datetime  # the actions are right up to here


@dataclass(frozen=True)
class _Slot:
    """A time of the day in a zone, on some days of the week, at which the group gets a size."""

    zone: str
    minute: int
    size: int
    days: frozenset[int]

    def at(self, day: date) -> datetime | None:
        """The instant on this day; None where the clock skips this time or reads it twice."""
        local, zone = datetime.combine(day, time(self.minute // 60, self.minute % 60)), ZoneInfo(self.zone)
        instants = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
        return instants.pop() if exists(local, zone) and len(instants) == 1 else None

    def dates(self, start: datetime, end: datetime) -> Iterator[date]:
        day = start.astimezone(ZoneInfo(self.zone)).date()
        last = end.astimezone(ZoneInfo(self.zone)).date()
        while day <= last:
            if day.weekday() in self.days:
                yield day
            day += timedelta(days=1)


def soon(now: datetime) -> datetime:
    """The first whole minute for which AWS can still be told something before it comes."""
    return now.replace(second=0, microsecond=0) + 2 * MINUTE


def size(group: Group, now: datetime, lead: timedelta) -> int:
    """How many instances the group should have; by load: at least."""
    return max(count(group.schedule, now, whole(lead)) - group.steady, group.least)


def whole(lead: timedelta) -> timedelta:
    """Not less than this, in whole minutes, as cron has them."""
    return -(-lead // MINUTE) * MINUTE


def plan(group: Group, lead: timedelta, now: datetime) -> Plan:
    """AsgError where the schedule takes more actions than a group may have."""
    start = soon(now)
    for days in DAYS:
        end = start + timedelta(days=days)
        actions = tuple(_actions(group, whole(lead), start, end))
        if len(actions) <= MOST_ACTIONS:
            return Plan(size(group, start, lead), actions, end)
    raise AsgError(
        f"layers.{group.schedule.layer}.schedule: found {len(actions)} times at which the size of the group changes, expected at most {MOST_ACTIONS}, "
        "which is all that an Auto Scaling group takes. Mend: fewer windows, or the same hours on more days; or instances of type time, which have no limit"
    )


def _actions(group: Group, lead: timedelta, start: datetime, end: datetime) -> Iterator[Action]:
    values = [(start, size(group, start, lead))]
    for at in edges(group.schedule, start + MINUTE, end, lead):
        if (number := size(group, at, lead)) != values[-1][1]:
            values.append((at, number))
    changes = dict(values[1:])

    def wanted(at: datetime) -> int:
        return values[bisect_right(values, at, key=itemgetter(0)) - 1][1]

    taken: set[datetime] = set()
    for slot in _slots(group.schedule, changes, lead, start, end):
        # What this slot may do: fire where its size is wanted, and where no other fires.
        times = [(day, slot.at(day)) for day in slot.dates(start, end)]
        times = [(day, at) for day, at in times if at is None or start < at < end]
        right = [at is not None and at not in taken and wanted(at) == slot.size for _day, at in times]
        taken |= {at for (_day, at), good in zip(times, right, strict=True) if good and at}
        yield from _weekly(slot, [at for _day, at in times], right, end)
    for at in sorted(changes.keys() - taken):
        yield Action(f"once-{at:%Y%m%dT%H%MZ}", changes[at], start=at)


def _slots(schedule: LayerSchedule, changes: dict[datetime, int], lead: timedelta, start: datetime, end: datetime) -> list[_Slot]:
    """What comes back at least once, the same size on several days as one."""
    causes: dict[datetime, dict[str, None]] = {}
    for window in schedule.windows:
        for one in occurrences(window, start, end + lead) if window.at is None else []:
            for at in (one.start - lead, one.end):
                causes.setdefault(at, {})[window.zone] = None
    seen: Counter[tuple[str, int, int, int]] = Counter()
    for at, number in changes.items():
        for zone in causes.get(at, {}):
            seen[(*_place(at, zone), number)] += 1
    found: dict[tuple[str, int, int], set[int]] = {}
    used: set[tuple[str, int, int]] = set()
    for (zone, minute, day, number), times in sorted(seen.items(), key=lambda pair: (-pair[1], pair[0])):
        if times >= 2 and (zone, minute, day) not in used:
            used.add((zone, minute, day))
            found.setdefault((zone, minute, number), set()).add(day)
    return [_Slot(zone, minute, number, frozenset(days)) for (zone, minute, number), days in found.items()]


def _place(at: datetime, zone: str) -> tuple[str, int, int]:
    local = at.astimezone(ZoneInfo(zone))
    return zone, local.hour * 60 + local.minute, local.weekday()


def _weekly(slot: _Slot, times: list[datetime | None], right: list[bool], end: datetime) -> Iterator[Action]:
    last = len(times) - 1
    for good, run in groupby(range(len(times)), key=lambda i: right[i]):
        here = list(run)
        first, final = times[here[0]], times[here[-1]]
        if not good or first is None or final is None:
            continue
        if here[0] > 0 and here[-1] < last and len(here) == 1:
            yield Action(f"once-{first:%Y%m%dT%H%MZ}", slot.size, start=first)
        else:
            yield _cron(slot, first if here[0] > 0 else None, final + MINUTE if here[-1] < last else None)
    lately = [at for at, good in zip(times, right, strict=True) if good and at]
    if lately and not right[-1] and lately[-1] > end - TAIL:
        after = (slot.at(day) for day in slot.dates(end, end + TAIL))
        yield _cron(slot, next(at for at in after if at and at >= end), None)


def _cron(slot: _Slot, start: datetime | None, end: datetime | None) -> Action:
    days = "daily" if len(slot.days) == 7 else "-".join(WEEKDAYS[day] for day in sorted(slot.days))
    numbers = "*" if len(slot.days) == 7 else ",".join(str(number) for number in sorted((day + 1) % 7 for day in slot.days))
    place = slot.zone.lower().replace("/", "-").replace("_", "-").replace("+", "-plus-")
    name = f"{days}-{slot.minute // 60:02}{slot.minute % 60:02}-{place}" + (f"-from-{start:%Y%m%d}" if start else "")
    return Action(name, slot.size, f"{slot.minute % 60} {slot.minute // 60} * * {numbers}", slot.zone, start, end)


def asked(action: Action, group: Group, prefix: str) -> dict[str, Any]:
    """An action in the words of PutScheduledUpdateGroupAction."""
    sizes: dict[str, Any] = {"MinSize": action.size if group.by_load else 0, "MaxSize": group.largest}
    sizes |= {} if group.by_load else {"DesiredCapacity": action.size}
    when: dict[str, Any] = {"Recurrence": action.recurrence} if action.recurrence else {}
    when |= {"TimeZone": action.time_zone} if action.recurrence and action.time_zone != "UTC" else {}
    bounds = {"StartTime": action.start, "EndTime": action.end}
    return {"ScheduledActionName": f"{prefix}-{action.name}"} | sizes | when | {key: f"{at:%Y-%m-%dT%H:%M:%SZ}" for key, at in bounds.items() if at}


def policies(load: LoadSettings, stack: str, layer: str) -> list[dict[str, Any]]:
    """A target for each threshold up, in the words of community.aws.autoscaling_policy; between it and that for down.

    The CPU is the mean of the group's own instances. What waits is of the whole layer: above its target the group grows.
    """
    found: list[dict[str, Any]] = []
    for metric in ("cpu", "queue", "backlog"):
        up, down = getattr(load.up, metric), getattr(load.down, metric)
        if not load.enable or up is None:
            continue
        config: dict[str, Any] = {"target_value": up if down is None else (up + down) / 2, "disable_scalein": down is None}
        if metric == "cpu":
            config["predefined_metric_spec"] = {"predefined_metric_type": "ASGAverageCPUUtilization"}
        else:
            dimensions = [{"Name": "stack", "Value": stack}, {"Name": "layer", "Value": layer}]
            config["customized_metric_spec"] = {"metric_name": metric, "namespace": NAMESPACE, "statistic": "Average", "dimensions": dimensions}
        # In the first minutes an instance says nothing about the load: OpsWorks' IgnoreMetricsTime.
        found.append({"metric": metric, "warmup": load.up.ignore * 60, "config": config})
    return found
