# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must hold between the windows, the thresholds and the instances of a layer, so that each does what it says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import combinations, product
from zoneinfo import ZoneInfo

from .load import LoadSettings
from .schedule import DAY, Window, occurrences
from .stackfile import Stack
from .stackfile_nodes import Problem, nearest
from .stackfile_scaling import METRICS

WEEK = 7 * DAY  # minutes
# Any year will do: how far two clocks are apart comes back each year, and weekly windows come back for ever.
YEAR = [datetime(2027, 1, 1, 12, tzinfo=UTC) + timedelta(days=n) for n in range(366)]
ALWAYS = (datetime(1999, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC))  # every date that a file may have


def windows(stack: Stack) -> Iterator[Problem]:
    """Each window has instances that can fill it, and a dated one begins at a time that comes."""
    for layer, schedule in stack.schedules.items():
        top, members = f"layers.{layer}.schedule", {one.name: one for one in stack.layer(layer)}
        if top in stack.lines and not schedule.timed:
            what, expected = "nobody in this layer lives by the clock", "instances of type time beside it"
            mend = "write for example instances: {always: 2, time: 2}, or remove the schedule"
            yield Problem(stack.lines[top], top, what, "no instance of type time", expected, mend)
            continue
        timed = [one.name for one in schedule.timed]
        for i, window in enumerate(schedule.windows):
            path = f"{top}.windows[{i}]"
            line = stack.lines[path]
            steady, most = len(schedule.steady), len(schedule.steady) + len(timed)
            if isinstance(window.instances, int) and window.instances > most:
                expected = f"at most {most}: {steady} always and {len(timed)} by the clock"
                mend = f"write {most}, or add instances of type time"
                yield Problem(line, f"{path}.instances", "there are not so many instances to fill this window", str(window.instances), expected, mend)
            for nth, name in enumerate(window.instances if isinstance(window.instances, tuple) else ()):
                if name in timed:
                    continue
                what, found, mend = "there is no such instance in this layer", f'"{name}"', "remove it, or write one of these"
                if name in members:
                    what, found = "this instance does not live by the clock", f'"{name}", of type {members[name].type}'
                elif near := nearest(name, timed):
                    mend = f'did you mean "{near}"?'
                yield Problem(line, f"{path}.instances[{nth}]", what, found, f"one of: {', '.join(timed)}", mend)
            yield from impossible(window, line, path)


def impossible(window: Window, line: int, path: str) -> Iterator[Problem]:
    """A dated window at a time that does not come."""
    reads = _reads(window.at, window.zone) if window.at else None
    if reads != window.at:
        what, found = "the clock is put forward over this time", f'"{window.at:%Y-%m-%d %H:%M}" in {window.zone}'
        yield Problem(line, f"{path}.at", what, found, "a time that the clock reads on this day", f'write "{reads:%Y-%m-%d %H:%M}"')


def clashes(stack: Stack) -> Iterator[Problem]:
    for layer, schedule in {**stack.schedules, **{layer: group.schedule for layer, group in stack.groups.items()}}.items():
        numbered = list(enumerate(schedule.windows))
        for (_first, one), (second, other) in combinations(numbered, 2):
            if not clash(one, other):
                continue
            path = f"layers.{layer}.schedule.windows[{second}]"
            wants = [str(window.instances) if isinstance(window.instances, int) else ", ".join(window.instances) for window in (one, other)]
            what, found = "two windows are open at one time, and neither wins", f"'{one.name}' wants {wants[0]}, '{other.name}' wants {wants[1]}"
            expected = f"one of a higher priority than {one.priority}"
            mend = f"give the one that should win a higher priority, for example priority: {one.priority + 1}"
            yield Problem(stack.lines[path], path, what, found, expected, mend)


def loads(stack: Stack) -> Iterator[Problem]:
    for layer, load in stack.loads.items():
        path = f"layers.{layer}.load"
        line = stack.lines[path]
        if not any(one.type == "load" for one in stack.layer(layer)):
            what, expected = "nobody in this layer lives by load", "instances of type load beside it"
            mend = "write for example instances: {always: 2, load: 2}, or remove the load"
            yield Problem(line, path, what, "no instance of type load", expected, mend)
        if load.enable and not stack.layer("monitor"):
            what, expected = "nobody would measure the load", 'a line "monitor: 1" in the layers'
            yield Problem(line, path, what, "Enable: true, and no layer monitor", expected, 'add "monitor: 1" to the layers')
        yield from between(stack, path, load)


def between(stack: Stack, path: str, load: LoadSettings) -> Iterator[Problem]:
    """Each threshold down is below that for up."""
    for key, (field, _most) in METRICS.items():
        up, down = getattr(load.up, field), getattr(load.down, field)
        if up is not None and down is not None and down >= up:
            what = "what was just started would be stopped again, and so on"
            found = f"{down:g} down and {up:g} up"
            mend = f"write a smaller one, for example {up / 2:g}, or -1"
            side = stack.lines.get(f"{path}.DownScaling", stack.lines[path])
            yield Problem(side, f"{path}.DownScaling.{key}", what, found, f"less than {up:g}, at which instances are started", mend)


def clash(one: Window, other: Window) -> bool:
    """Open at one time with the same priority, but with different numbers, or with a number and names.

    Two lists of names do not clash: together they are one list.
    """
    names = isinstance(one.instances, tuple) and isinstance(other.instances, tuple)
    if names or one.instances == other.instances or one.priority != other.priority:
        return False
    if one.at is None and other.at is None:
        return _weekly(one, other)
    dated, second = (one, other) if one.at is not None else (other, one)
    return any(occurrences(second, here.start, here.end) for here in occurrences(dated, *ALWAYS))


def _weekly(one: Window, other: Window) -> bool:
    """By the clock on the wall, so that windows that only touch do not clash in the hour that comes twice."""
    lengths = one.end - one.begin, other.end - other.begin
    for apart, first, second in product(_apart(one.zone, other.zone), one.days, other.days):
        later = (second * DAY + other.begin - (first * DAY + one.begin) + apart) % WEEK
        if later < lengths[0] or WEEK - later < lengths[1]:
            return True
    return False


@cache
def _apart(one: str, other: str) -> frozenset[int]:
    """By how many minutes the clock of the first zone is before that of the second, at some time of the year."""
    zones = ZoneInfo(one), ZoneInfo(other)
    offsets = [[at.astimezone(zone).utcoffset() or timedelta(0) for zone in zones] for at in YEAR] if one != other else [[timedelta(0)] * 2]
    return frozenset((first - second) // timedelta(minutes=1) for first, second in offsets)


def _reads(local: datetime, zone: str) -> datetime:
    """What the zone's clock reads when a dated window of this local time opens: another time where the clock never reads it."""
    opens = occurrences(Window("", 1, zone, at=local, length=timedelta(minutes=1)), *ALWAYS)[0].start
    return opens.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
