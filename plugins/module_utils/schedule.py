# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which instances of type time are wanted at an instant, and why. Pure: a function of the stack file and of now alone.

Nothing is remembered from one look to the next, so a look that was missed costs nothing and a second one changes nothing.
Every instant, given or returned, is an aware datetime in UTC; every interval is half open, [start, end).

Local times. A weekly window is the smallest single interval that holds every instant at which its zone's clock reads within
it. So it opens at the first instant that reads its beginning and closes where the clock reads its end for the last time:
once each, also on the days on which the clock is changed. In particular
- an edge in the hour that is left out stands at the first instant after it; a window that lies wholly in that hour opens
  there too and keeps its length, so that no window is ever lost;
- a window with an edge in the hour that comes twice, or wholly in it, holds both passes as far as they read within it, and
  what lies between. On such a day a window may overlap the next one; then the larger number counts, as below.
A dated window opens at the first instant that reads its beginning and lasts for its length in real time.

What counts. Of the windows open at an instant, only those of the highest priority: their chosen instances, and the largest
of their numbers. To these, each instance adds that its own grid wants. A number counts all running instances of the layer:
always, chosen and grid; what is missing is taken from the others, from the zone that runs fewest, in the order of the file.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from .schedule_grid import Grid, say, week_hour

DAY = 24 * 60  # minutes
NEXT = timedelta(microseconds=1)  # the step from one instant to the next
NO_GRID = Grid()
START = timedelta(seconds=60)  # start-to-healthy of a layer that was never measured; an instance of the local stack needs less
TICK = timedelta(minutes=1)  # between two looks at the schedule
# An instance is later than the p95 once in twenty times, and a window waits for the last of several. With this margin, 500
# windows with log-normal starts of 60 to 600 s found all of one to four instances healthy in 99 of 100, and these had waited
# for 1.3 times the p95 in the mean; the p95 alone gives 92 of 100 for one instance and 73 for four.
MARGIN = 1.75


@dataclass(frozen=True)
class Window:
    """A time in which a layer wants more (or, with a higher priority, fewer) instances: every week, or once.

    Weekly: `days` (0 is Monday) on which it opens, `begin` and `end` in minutes after that day's local midnight, `end` up to
    a day after `begin`; it does not open on the local dates in `skip`. Once: `at`, a local time without a zone, and `length`.
    """

    name: str
    instances: int | tuple[str, ...]  # so many of the layer in all, or these
    zone: str = "UTC"
    days: frozenset[int] = frozenset(range(7))
    begin: int = 0
    end: int = DAY
    skip: frozenset[date] = frozenset()
    at: datetime | None = None
    length: timedelta = timedelta(0)
    priority: int = 0


@dataclass(frozen=True)
class Occurrence:
    start: datetime
    end: datetime
    window: Window


@dataclass(frozen=True)
class Member:
    """An instance of a layer, as far as the schedule sees it."""

    name: str
    zone: str
    grid: Grid = NO_GRID


@dataclass(frozen=True)
class LayerSchedule:
    """What the stack file says about one layer and the clock. `ready_by` is None where the lead is measured."""

    layer: str
    steady: tuple[Member, ...] = ()  # the instances that are always on
    timed: tuple[Member, ...] = ()  # those of type time, in the order of the file
    windows: tuple[Window, ...] = ()
    extra: tuple[Window, ...] = ()  # what the app publishes
    ready_by: timedelta | None = None
    on_sales: bool = False

    @cached_property
    def grid_edges(self) -> frozenset[int]:
        return frozenset().union(*(one.grid.edges for one in self.timed))


@dataclass(frozen=True)
class Piece:
    """From `start` to the next piece, `wanted` are wanted: each for an occurrence, or (None) for its grid."""

    start: datetime
    wanted: dict[str, Occurrence | None]


def with_events(schedule: LayerSchedule, windows: Iterable[Window]) -> LayerSchedule:
    """The schedule that also covers these published windows; unchanged where the file does not say on_sales."""
    return replace(schedule, extra=(*schedule.extra, *windows)) if schedule.on_sales else schedule


def event(name: str, start: datetime, end: datetime, instances: int, priority: int = 10) -> Window:
    """A dated window between two UTC instants, for what the app publishes."""
    return Window(name, instances, at=_utc(start).replace(tzinfo=None), length=_utc(end) - start, priority=priority)


def occurrences(window: Window, start: datetime, end: datetime) -> list[Occurrence]:
    """The times at which a window is open at some instant of [start, end), whole, in order."""
    zone = ZoneInfo(window.zone)
    if window.at is not None:
        opens = _opens(window.at, zone)
        found = [Occurrence(opens, opens + window.length, window)]
    else:
        # One that opened two days ago may be open yet: it may last a day, and be moved by an hour that is left out.
        first = _utc(start).astimezone(zone).date() - timedelta(days=2)
        dates = (first + timedelta(days=n) for n in range((_utc(end) - start).days + 5))
        found = [_weekly(window, day, zone) for day in dates if day.weekday() in window.days and day not in window.skip]
    return [one for one in found if one.start < end and one.end > start]


def wanted(schedule: LayerSchedule, now: datetime, lead: timedelta = timedelta(0)) -> dict[str, str]:
    """name: why, of the instances of type time that are wanted at some instant of [now, now + lead].

    Raises ValueError where now is not in UTC or the lead is negative.
    """
    if lead < timedelta(0):
        raise ValueError(f"a lead cannot be negative: {lead}")
    reasons: dict[str, str] = {}
    for piece in pieces(schedule, now, now + lead + NEXT):
        said: dict[Occurrence | None, str] = {}
        for name, cause in piece.wanted.items():
            if name in reasons:
                continue
            if cause not in said:
                said[cause] = _why(cause, piece.start, now)
            reasons[name] = said[cause]
    return {one.name: reasons[one.name] for one in schedule.timed if one.name in reasons}


def count(schedule: LayerSchedule, now: datetime, lead: timedelta = timedelta(0)) -> int:
    """How many instances of the layer run by the clock, those that are always on among them."""
    return len(schedule.steady) + len(wanted(schedule, now, lead))


def edges(schedule: LayerSchedule, start: datetime, end: datetime, lead: timedelta = timedelta(0)) -> list[datetime]:
    """Every instant of [start, end) at which `wanted` with this lead names others than just before."""
    # With a lead, an instance comes by so much before its piece and goes with it: both ends of each piece may be edges.
    parts = list(pieces(schedule, start - NEXT, end + lead + NEXT))
    starts = [part.start for part in parts]
    names = [frozenset(part.wanted) for part in parts]

    def around(at: datetime) -> frozenset[str]:
        return frozenset().union(*names[bisect_right(starts, at) - 1 : bisect_right(starts, at + lead)])

    found, before = [], around(start - NEXT)
    for at in sorted({one for part in starts for one in (part, part - lead) if start <= one < end}):
        here = around(at)
        if here != before:
            found.append(at)
        before = here
    return found


def pieces(schedule: LayerSchedule, start: datetime, end: datetime) -> Iterator[Piece]:
    """[start, end) cut wherever a window opens or closes or a grid changes; the first piece begins at start."""
    start, end = _utc(start), _utc(end)
    known = [one for window in (*schedule.windows, *schedule.extra) for one in occurrences(window, start, end)]
    known.sort(key=lambda one: one.start)
    begins = [one.start for one in known]
    cuts = {start, *begins, *(one.end for one in known), *_grid_cuts(schedule, start, end)}
    current: list[Occurrence] = []
    taken = 0
    for at in sorted(cut for cut in cuts if start <= cut < end):
        upto = bisect_right(begins, at)
        current = [one for one in (*current, *known[taken:upto]) if one.end > at]
        taken = upto
        yield Piece(at, _state(schedule, current, week_hour(at)))


def _state(schedule: LayerSchedule, current: Sequence[Occurrence], hour: int) -> dict[str, Occurrence | None]:
    found: dict[str, Occurrence | None] = {one.name: None for one in schedule.timed if hour in one.grid.hours}
    if not current:
        return found
    highest = max(one.window.priority for one in current)
    # The one that closes last is the reason that holds for longest.
    counting = sorted((one for one in current if one.window.priority == highest), key=lambda one: one.end, reverse=True)
    free = {one.name: one for one in schedule.timed if one.name not in found}
    largest: tuple[int, Occurrence | None] = (0, None)
    for one in counting:
        if isinstance(one.window.instances, int):
            largest = max(largest, (one.window.instances, one), key=lambda pair: pair[0])
            continue
        for name in one.window.instances:
            if free.pop(name, None):
                found[name] = one
    number, cause = largest
    running = Counter(one.zone for one in schedule.steady) + Counter(one.zone for one in schedule.timed if one.name in found)
    while free and running.total() < number:
        following = min(free.values(), key=lambda one: running[one.zone])  # the first in the file among equals
        found[following.name] = cause
        running[following.zone] += 1
        del free[following.name]
    return found


def _grid_cuts(schedule: LayerSchedule, start: datetime, end: datetime) -> list[datetime]:
    hour = start.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    found = []
    while hour < end:
        if week_hour(hour) in schedule.grid_edges:
            found.append(hour)
        hour += timedelta(hours=1)
    return found


def _weekly(window: Window, day: date, zone: ZoneInfo) -> Occurrence:
    midnight = datetime.combine(day, time())
    opens = _opens(midnight + timedelta(minutes=window.begin), zone)
    closes = _closes(midnight + timedelta(minutes=window.end), zone)
    if closes <= opens:  # wholly in the hour that is left out
        closes = opens + timedelta(minutes=window.end - window.begin)
    return Occurrence(opens, closes, window)


def exists(local: datetime, zone: ZoneInfo) -> bool:
    """Whether the zone's clock ever reads this local time."""
    return _read(_instant(local, zone, 0), zone) == local


def _opens(local: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the clock reads `local`, or the first one after the gap that swallows it."""
    return _instant(local, zone, 0) if exists(local, zone) else _after_gap(local, zone)


def _closes(local: datetime, zone: ZoneInfo) -> datetime:
    """The last instant at which the clock goes from before `local` to `local`, or the first one after the gap."""
    if not exists(local, zone):
        return _after_gap(local, zone)
    last = _instant(local, zone, 1)
    # Where the clock was just put back to `local` itself, it read a later time before: then the first pass was the end.
    return last if _read(last - NEXT, zone) < local else _instant(local, zone, 0)


def _after_gap(local: datetime, zone: ZoneInfo) -> datetime:
    low, high = _instant(local, zone, 1), _instant(local, zone, 0)  # just before the change, and after it
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high


def _instant(local: datetime, zone: ZoneInfo, fold: int) -> datetime:
    return local.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _read(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _utc(instant: datetime) -> datetime:
    if instant.utcoffset() != timedelta(0):
        raise ValueError(f"this must be an aware datetime in UTC: {instant!r}")
    return instant


def _why(cause: Occurrence | None, start: datetime, now: datetime) -> str:
    early = start > now
    if cause is None:
        return f"starts early for {say(start)}" if early else say(now)
    zone, name = cause.window.zone, cause.window.name
    said = _read(start if early else cause.end, ZoneInfo(zone))
    form = "%H:%M" if said.date() == _read(now, ZoneInfo(zone)).date() else "%Y-%m-%d %H:%M"
    at = f"{said:{form}} {zone}"
    return f"starts early for window '{name}' at {at}" if early else f"window '{name}' until {at}"


def p95(durations: Iterable[timedelta]) -> timedelta:
    """The nearest-rank 95th percentile: at least 95 of 100 of the durations are not longer.

    Raises ValueError where there is none.
    """
    known = sorted(durations)
    if not known:
        raise ValueError("there is no measurement")
    return known[math.ceil(len(known) * 95 / 100) - 1]


def lead(schedule: LayerSchedule, durations: Iterable[timedelta], assumed: timedelta = START, tick: timedelta = TICK) -> timedelta:
    """How long before a window its instances are started: what `ready_by` says or, where it is to be measured,
    MARGIN times the p95 of the layer's last times from start to healthy, plus one tick, which is how late a start may begin.

    `assumed` stands for the p95 as long as there is no measurement.
    """
    if schedule.ready_by is not None:
        return schedule.ready_by
    known = list(durations)
    return MARGIN * (p95(known) if known else assumed) + tick
