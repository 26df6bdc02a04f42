# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The hours that are ticked for one instance: AWS OpsWorks' AutoScalingSchedule, read and written unchanged. Pure.

Hour H of a day that is "on" means: wanted during [H:00, H+1:00) UTC. An hour that is not said is off. What is read is kept
as it was said, each "off" and each empty day too, so that reading and writing is the identity and merging knows what to undo.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS = tuple(str(hour) for hour in range(24))
MARKS = ("on", "off")
WEEK = 7 * 24
# The keys below which OpsWorks' API (requests and answers) and CloudFormation have the grid.
WRAPPERS = ("AutoScalingSchedule", "TimeBasedAutoScaling")


@dataclass(frozen=True)
class Mistake:
    """What cannot be in a grid: the keys that lead to it, and what to say about it."""

    keys: tuple[str, ...]
    what: str
    found: str
    expected: str
    mend: str


class GridError(ValueError):
    """The first mistake of a grid, with its key path."""

    def __init__(self, path: str, mistake: Mistake) -> None:
        self.mistake = mistake
        self.path = ".".join(filter(None, (path, *mistake.keys)))
        super().__init__(f"{self.path}: {mistake.what} (found {mistake.found}, expected {mistake.expected}; {mistake.mend})")


@dataclass(frozen=True)
class Grid:
    """The ticked hours of one instance: (day, ((hour, on), ...)), in the order in which they were said."""

    days: tuple[tuple[str, tuple[tuple[int, bool], ...]], ...] = ()

    @cached_property
    def hours(self) -> frozenset[int]:
        """The hours that are on, counted from Monday 00:00 UTC: 0 to 167."""
        return frozenset(DAYS.index(day) * 24 + hour for day, marks in self.days for hour, on in marks if on)

    @cached_property
    def edges(self) -> frozenset[int]:
        """The hours, counted like `hours`, at whose beginning the instance comes or goes."""
        return frozenset(hour for hour in range(WEEK) if (hour in self.hours) != ((hour - 1) % WEEK in self.hours))

    def wanted(self, now: datetime) -> bool:
        return week_hour(now) in self.hours


def week_hour(now: datetime) -> int:
    """The hour of the week, from Monday 00:00, in which a UTC instant falls."""
    return now.weekday() * 24 + now.hour


def say(now: datetime) -> str:
    """The hour of an instant in words: "grid Friday 09-10 UTC"."""
    return f"grid {DAYS[now.weekday()]} {now.hour:02}-{(now + timedelta(hours=1)).hour or 24:02} UTC"


def unwrap(data: object) -> tuple[tuple[str, ...], object]:
    """The grid inside what the API or CloudFormation put around it, and the keys that lead there."""
    if isinstance(data, Mapping):
        inside = [key for key in data if key in WRAPPERS]
        if len(inside) == 1 and set(data) <= {inside[0], "InstanceId"}:
            return (inside[0],), data[inside[0]]
    return (), data


def mistakes(data: object) -> Iterator[Mistake]:
    """Everything in a grid that OpsWorks would not have taken."""
    before, data = unwrap(data)
    if not isinstance(data, Mapping):
        mend = 'write for example {Friday: {"9": "on"}}'
        yield Mistake(before, "this is not a grid of hours", _show(data), "days with their hours", mend)
        return
    for day, hours in data.items():
        keys = (*before, str(day))
        if day not in DAYS:
            near = next((name for name in DAYS if name[:3].lower() == str(day)[:3].lower()), "")
            mend = f'did you mean "{near}"?' if near else "write the English name of the day in full"
            yield Mistake(keys, "there is no such day", _show(day), f"one of: {', '.join(DAYS)}", mend)
        if not isinstance(hours, Mapping):
            yield Mistake(keys, "here must be hours", _show(hours), 'hours with "on" or "off"', 'write for example {"9": "on"}')
            continue
        for hour, mark in hours.items():
            if hour not in HOURS:
                yield Mistake((*keys, str(hour)), "there is no such hour", _show(hour), 'an hour from "0" to "23", UTC', _mend_hour(hour))
            if mark not in MARKS:
                yield Mistake((*keys, str(hour)), "this hour is neither on nor off", _show(mark), '"on" or "off"', _mend_mark(mark))


def parse(data: object, path: str = "") -> Grid:
    """Read a grid: as OpsWorks' JSON has it, with or without AutoScalingSchedule or TimeBasedAutoScaling around it.

    Raises GridError, which names the key path (below `path`), what was found, what was expected and the mend.
    """
    for mistake in mistakes(data):
        raise GridError(path, mistake)
    days = unwrap(data)[1]
    assert isinstance(days, Mapping)
    return Grid(tuple((day, tuple((int(hour), mark == "on") for hour, mark in hours.items())) for day, hours in days.items()))


def export(grid: Grid) -> dict[str, dict[str, str]]:
    """The grid as OpsWorks has it: export(parse(data)) == data."""
    return {day: {str(hour): "on" if on else "off" for hour, on in marks} for day, marks in grid.days}


def merge(old: Grid, update: Grid) -> Grid:
    """What SetTimeBasedAutoScaling made of an update: each hour it says replaces the old one, all others stay."""
    days = {day: dict(marks) for day, marks in old.days}
    for day, marks in update.days:
        days[day] = days.get(day, {}) | dict(marks)
    return Grid(tuple((day, tuple(marks.items())) for day, marks in days.items()))


def _show(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return "a mapping" if isinstance(value, Mapping) else "a list" if isinstance(value, list | tuple) else f"{value} without quotes"


def _mend_hour(hour: object) -> str:
    text = str(hour).strip()
    if text == "24":
        return 'the hour after "23" is "0" of the next day'
    whole = text.isascii() and text.isdigit() and int(text[:9]) < 24
    return f'write "{int(text)}"' if whole else "remove it: a day has 24 hours"


def _mend_mark(mark: object) -> str:
    if isinstance(mark, bool):
        return f'write "{"on" if mark else "off"}", with its quotes'
    low = str(mark).lower()
    return f'write "{low}"' if low in MARKS else 'write "on", or remove the hour: it is off then'
