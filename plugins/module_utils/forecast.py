# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the clock will start and stop in a week, and what runs meanwhile. Pure: asks the same `schedule` as every tick does.

A Forecast is also what a simulation leaves behind, so that both are shown, counted and compared in the same way.
Instants are aware datetimes in UTC; intervals are half open, [start, end).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

from .schedule import NEXT, LayerSchedule, Occurrence, edges, pieces, wanted
from .schedule_grid import say
from .stackfile import Instance, Stack

START, STOP, FAILED = "start", "stop", "start failed"
MOST_DAYS = 366
HOUR = timedelta(hours=1)
NO_LEAD = timedelta(0)
DATE = "%a %d %b %Y"


class PlanError(ValueError):
    """Something that was asked for cannot be planned."""

    def __init__(self, key: str, found: object, expected: str, mend: str) -> None:
        super().__init__(f"{key}: found {found!r}, expected {expected}; mend: {mend}")


@dataclass(frozen=True)
class Move:
    """A start or a stop."""

    at: datetime
    verb: str
    instance: str
    layer: str
    why: str
    zone: str = ""  # the window's; empty where no window is the cause


@dataclass(frozen=True)
class Slot:
    """A time in which one instance is on."""

    instance: str
    start: datetime
    end: datetime
    why: str

    @property
    def hours(self) -> float:
        return (self.end - self.start) / HOUR


@dataclass(frozen=True)
class Forecast:
    start: datetime
    end: datetime
    zone: str  # in whose days it is told
    members: tuple[Instance, ...]
    moves: tuple[Move, ...]
    slots: tuple[Slot, ...]  # by instance, in the order of the stack file, and then by time
    notes: tuple[str, ...] = ()

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers in which something may come or go."""
        return tuple(dict.fromkeys(one.layer for one in self.members if one.type != "always"))

    @cached_property
    def hours(self) -> dict[str, float]:
        """name: hours for which it is on."""
        found = {one.name: 0.0 for one in self.members}
        for slot in self.slots:
            found[slot.instance] += slot.hours
        return found

    @cached_property
    def _edges(self) -> dict[str, tuple[list[datetime], list[int]]]:
        """layer: when the number of its instances changes, and to what."""
        layer_of = {one.name: one.layer for one in self.members}
        changes: dict[str, Counter[datetime]] = {layer: Counter() for layer in layer_of.values()}
        for slot in self.slots:
            changes[layer_of[slot.instance]].update({slot.start: 1})
            changes[layer_of[slot.instance]].subtract({slot.end: 1})
        found = {}
        for layer, steps in changes.items():
            at = sorted(steps)
            found[layer] = (at, list(accumulate(steps[one] for one in at)))
        return found

    def steps(self, layer: str, start: datetime, end: datetime) -> list[tuple[datetime, int]]:
        """How many instances of the layer are on at the start, and from when on within [start, end) how many others."""
        at, numbers = self._edges[layer]
        first, last = bisect_right(at, start), bisect_left(at, end)
        return [(start, numbers[first - 1] if first else 0), *zip(at[first:last], numbers[first:last], strict=True)]

    def capacity(self, layer: str, start: datetime, end: datetime) -> tuple[int, int]:
        """The least and the most instances of the layer that are on at once within [start, end)."""
        seen = [number for _at, number in self.steps(layer, start, end)]
        return min(seen), max(seen)

    def by_hour(self, layer: str) -> list[tuple[datetime, int, int]]:
        """Each hour from the start on: when it begins, the least and the most instances in it."""
        begins = [self.start + n * HOUR for n in range(-(-(self.end - self.start) // HOUR))]
        return [(at, *self.capacity(layer, at, min(at + HOUR, self.end))) for at in begins]

    def days(self) -> list[date]:
        zone = ZoneInfo(self.zone)
        first, last = self.start.astimezone(zone).date(), (self.end - NEXT).astimezone(zone).date()
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def forecast(
    stack: Stack, schedules: Mapping[str, LayerSchedule], leads: Mapping[str, timedelta], start: datetime, days: int = 7, zone: str = "UTC",
) -> Forecast:  # fmt: skip
    """What the schedules will do in so many days of that zone's calendar, if no load asks for more.

    PlanError where days is out of 1 to 366; ValueError where `start` is not in UTC.
    """
    end = after(start, days, zone)
    moves: list[Move] = []
    slots = [Slot(one.name, start, end, "always") for one in stack.instances if one.type == "always"]
    for layer, schedule in schedules.items():
        came, more = _layer(layer, schedule, leads.get(layer, NO_LEAD), start, end)
        moves += came
        slots += more
    return ordered(stack, start, end, zone, moves, slots)


def ordered(stack: Stack, start: datetime, end: datetime, zone: str, moves: list[Move], slots: list[Slot]) -> Forecast:
    """The Forecast of these, in the one order in which two of them can be compared."""
    place = {one.name: number for number, one in enumerate(stack.instances)}
    moves = sorted(moves, key=lambda one: (one.at, one.verb, place[one.instance]))
    slots = sorted(slots, key=lambda one: (place[one.instance], one.start))
    return Forecast(start, end, zone, stack.instances, tuple(moves), tuple(slots))


def after(start: datetime, days: int, zone: str) -> datetime:
    """The same local time so many days later; an hour more or less where the clocks are changed meanwhile."""
    if isinstance(days, bool) or not 1 <= days <= MOST_DAYS:
        raise PlanError("days", days, f"a number from 1 to {MOST_DAYS}", "-e days=7")
    local = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return (local + timedelta(days=days)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def midnight(text: str, zone: str, now: datetime) -> datetime:
    """When the date that somebody wrote begins in the zone; today's where nothing is written. PlanError where it is no date."""
    try:
        day = date.fromisoformat(text) if text else now.astimezone(ZoneInfo(zone)).date()
    except ValueError:
        day = date.min
    if not 1971 <= day.year <= 9000:  # the clocks' and the calendar's own ends
        raise PlanError("from", text, "a date such as 2027-03-08", "write year-month-day, of a day that the calendar has")
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def usual_zone(schedules: Mapping[str, LayerSchedule]) -> str:
    """The zone in which most windows are written; UTC where there is none, as OpsWorks' grid has it."""
    zones = Counter(window.zone for one in schedules.values() for window in one.windows)
    return zones.most_common(1)[0][0] if zones else "UTC"


def cells(day: date, zone: str) -> Iterator[tuple[datetime, datetime]]:
    """The 24 hours that the clock reads on a local date. One that is left out is empty, one that comes twice lasts for both."""
    midnight_then = datetime.combine(day, time())
    begins = [(midnight_then + timedelta(hours=n)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for n in range(25)]
    return pairwise(begins)


def _layer(layer: str, schedule: LayerSchedule, lead: timedelta, start: datetime, end: datetime) -> tuple[list[Move], list[Slot]]:
    moves, slots = [], []
    # What is wanted just before the start runs already: what changes at the start itself is a move.
    on = {name: (start, why) for name, why in wanted(schedule, start - NEXT, lead).items()}
    for at in edges(schedule, start, end, lead):
        now = wanted(schedule, at, lead)
        for name in on.keys() - now.keys():
            since, why = on.pop(name)
            cause = _cause(schedule, name, at - NEXT, at)
            moves.append(Move(at, STOP, name, layer, _ends(cause, at), cause.window.zone if cause else ""))
            if at > since:
                slots.append(Slot(name, since, at, why))
        for name in now.keys() - on.keys():
            cause = _cause(schedule, name, at, at + lead + NEXT)
            moves.append(Move(at, START, name, layer, now[name], cause.window.zone if cause else ""))
            on[name] = (at, now[name])
    return moves, slots + [Slot(name, since, end, why) for name, (since, why) in on.items()]


def _cause(schedule: LayerSchedule, name: str, start: datetime, end: datetime) -> Occurrence | None:
    return next((piece.wanted[name] for piece in pieces(schedule, start, end) if name in piece.wanted), None)


def _ends(cause: Occurrence | None, at: datetime) -> str:
    if cause is None:
        return f"{say(at - NEXT)} ends"
    return f"window '{cause.window.name}' {'ends' if cause.end == at else 'no longer needs it'}"
