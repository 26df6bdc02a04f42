"""Windows by the clock, against a reference that looks at the clock of the zone on each minute."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from ansible_collections.trust.stack.plugins.module_utils.schedule import (
    START,
    TICK,
    LayerSchedule,
    Member,
    Window,
    count,
    edges,
    event,
    exists,
    lead,
    occurrences,
    p95,
    wanted,
    with_events,
)
from ansible_collections.trust.stack.plugins.module_utils.schedule_grid import Grid, parse
from hypothesis import example, given, settings
from hypothesis import strategies as st

DUBLIN, NEW_YORK, LORD_HOWE = ZONES = ("Europe/Dublin", "America/New_York", "Australia/Lord_Howe")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# Local dates: the days on which the clock is changed in 2028, a leap day, the end of the year.
CHANGES = {
    DUBLIN: (date(2028, 3, 26), date(2028, 10, 29)),
    NEW_YORK: (date(2028, 3, 12), date(2028, 11, 5)),
    LORD_HOWE: (date(2028, 4, 2), date(2028, 10, 1)),
}
CALENDAR = (date(2028, 2, 28), date(2028, 2, 29), date(2028, 3, 1), date(2028, 12, 31), date(2029, 1, 1))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@cache
def clock(zone: str, day: date) -> list[tuple[datetime, str]]:
    """Each minute from the evening before a local date to well after it, and what the zone's clock reads then."""
    first = datetime(day.year, day.month, day.day, tzinfo=UTC) - 16 * HOUR
    instants = [first + n * MINUTE for n in range(84 * 60)]
    return [(at, f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}") for at in instants]


def reference(window: Window, day: date) -> tuple[datetime, datetime]:
    """From the first to the last minute that reads within the window; one that no minute reads within keeps its length."""
    midnight = datetime(day.year, day.month, day.day)
    begin = f"{midnight + window.begin * MINUTE:%Y-%m-%d %H:%M}"
    end = f"{midnight + window.end * MINUTE:%Y-%m-%d %H:%M}"
    within = [at for at, reads in clock(window.zone, day) if begin <= reads < end]
    if within:
        return within[0], within[-1] + MINUTE
    after = next(at for at, reads in clock(window.zone, day) if reads >= begin)
    return after, after + (window.end - window.begin) * MINUTE


def found(window: Window, day: date) -> list[tuple[datetime, datetime]]:
    """The occurrences of a window that opens on this weekday only, in the week around a date."""
    weekly = replace(window, days=frozenset([day.weekday()]))
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return [(one.start, one.end) for one in occurrences(weekly, noon - 3 * DAY, noon + 3 * DAY)]


@settings(deadline=None, max_examples=600)
@given(
    st.sampled_from([(zone, day) for zone in ZONES for day in (*CHANGES[zone], *CALENDAR)]),
    st.integers(0, 5 * 60) | st.integers(0, 24 * 60 - 1),
    st.integers(1, 120) | st.integers(1, 24 * 60),
)
@example((DUBLIN, date(2028, 3, 26)), 60, 60)  # the hour that is left out, in whole
@example((DUBLIN, date(2028, 3, 26)), 75, 30)  # within it
@example((DUBLIN, date(2028, 10, 29)), 60, 60)  # the hour that comes twice, in whole
@example((DUBLIN, date(2028, 10, 29)), 75, 30)  # within it
@example((DUBLIN, date(2028, 10, 29)), 0, 60)  # up to it
@example((LORD_HOWE, date(2028, 4, 2)), 60, 30)  # up to the half hour that comes twice
@example((NEW_YORK, date(2028, 11, 5)), 0, 1440)  # a day of 25 hours
def test_each_window_opens_and_closes_once_at_the_right_instant(where: tuple[str, date], begin: int, length: int) -> None:
    zone, day = where
    window = Window("w", 4, zone, begin=begin, end=begin + length)
    assert found(window, day) == [reference(window, day)]


VECTORS = [
    # by hand: zone, date, begin and end as hours.minutes, then the two instants
    (DUBLIN, (2028, 3, 26), "00:30", "02:30", utc(2028, 3, 26, 0, 30), utc(2028, 3, 26, 1, 30)),
    (DUBLIN, (2028, 3, 26), "01:30", "02:30", utc(2028, 3, 26, 1), utc(2028, 3, 26, 1, 30)),
    (DUBLIN, (2028, 3, 26), "00:30", "01:30", utc(2028, 3, 26, 0, 30), utc(2028, 3, 26, 1)),
    (DUBLIN, (2028, 3, 26), "01:15", "01:45", utc(2028, 3, 26, 1), utc(2028, 3, 26, 1, 30)),
    (DUBLIN, (2028, 10, 29), "00:30", "01:30", utc(2028, 10, 28, 23, 30), utc(2028, 10, 29, 1, 30)),
    (DUBLIN, (2028, 10, 29), "00:00", "01:00", utc(2028, 10, 28, 23), utc(2028, 10, 29, 0)),
    (DUBLIN, (2028, 10, 29), "02:00", "03:00", utc(2028, 10, 29, 2), utc(2028, 10, 29, 3)),
    (NEW_YORK, (2028, 3, 12), "02:30", "04:00", utc(2028, 3, 12, 7), utc(2028, 3, 12, 8)),
    (NEW_YORK, (2028, 11, 5), "01:30", "02:30", utc(2028, 11, 5, 5, 30), utc(2028, 11, 5, 7, 30)),
    (LORD_HOWE, (2028, 10, 1), "02:10", "02:50", utc(2028, 9, 30, 15, 30), utc(2028, 9, 30, 15, 50)),
    (LORD_HOWE, (2028, 4, 2), "01:40", "01:50", utc(2028, 4, 1, 14, 40), utc(2028, 4, 1, 15, 20)),
    (DUBLIN, (2028, 2, 29), "09:30", "12:00", utc(2028, 2, 29, 9, 30), utc(2028, 2, 29, 12)),
    (NEW_YORK, (2028, 12, 31), "22:00", "26:00", utc(2029, 1, 1, 3), utc(2029, 1, 1, 7)),
]


@pytest.mark.parametrize(("zone", "day", "begin", "end", "opens", "closes"), VECTORS)
def test_vectors(zone: str, day: tuple[int, int, int], begin: str, end: str, opens: datetime, closes: datetime) -> None:
    minutes = [int(text[:2]) * 60 + int(text[3:]) for text in (begin, end)]
    assert found(Window("w", 4, zone, begin=minutes[0], end=minutes[1]), date(*day)) == [(opens, closes)]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("begin", "end"), [(0, 1440), (90, 150), (105, 115), (125, 150), (22 * 60, 26 * 60), (1439, 1440)])
def test_a_year_has_each_of_its_days_once(zone: str, begin: int, end: int) -> None:
    first = datetime(2028, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    window = Window("w", 4, zone, begin=begin, end=end)
    year = [one for one in occurrences(window, first, first + 366 * DAY) if one.start >= first]
    local = [one.start.astimezone(ZoneInfo(zone)).date() for one in year]
    assert local == [date(2028, 1, 1) + n * DAY for n in range(366)]
    assert all(one.start < one.end for one in year)
    assert all(one.end <= following.start for one, following in pairwise(year))


def test_skipped_dates_are_those_of_the_zone_and_of_the_opening() -> None:
    window = Window("w", 4, NEW_YORK, begin=22 * 60, end=26 * 60, skip=frozenset([date(2028, 12, 25)]))
    opened = [one.start.astimezone(ZoneInfo(NEW_YORK)).day for one in occurrences(window, utc(2028, 12, 24), utc(2028, 12, 28))]
    assert opened == [23, 24, 26]


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_long_look_is_many_short_ones(data: st.DataObject) -> None:
    window = Window("w", 4, data.draw(st.sampled_from(ZONES)), data.draw(st.frozensets(st.integers(0, 6))), 1380, 1380 + 1440)
    start = utc(2028, 10, 20) + data.draw(st.integers(0, 30 * 24)) * HOUR
    long = occurrences(window, start, start + 4 * DAY)
    short = [one for n in range(4 * 24) for one in occurrences(window, start + n * HOUR, start + (n + 1) * HOUR)]
    assert sorted({(one.start, one.end) for one in short}) == [(one.start, one.end) for one in long]


def test_a_dated_window() -> None:
    sale = Window("sale", 4, DUBLIN, at=datetime(2028, 3, 26, 0, 30), length=90 * MINUTE, priority=10)
    assert [(one.start, one.end) for one in occurrences(sale, utc(2028, 3, 26, 1, 59), utc(2029, 1, 1))] == [(utc(2028, 3, 26, 0, 30), utc(2028, 3, 26, 2))]
    assert not occurrences(sale, utc(2028, 3, 26, 2), utc(2029, 1, 1))
    assert not occurrences(sale, utc(2028, 1, 1), utc(2028, 3, 26, 0, 30))
    assert not exists(datetime(2028, 3, 26, 1, 0), ZoneInfo(DUBLIN))
    assert exists(datetime(2028, 3, 26, 2, 0), ZoneInfo(DUBLIN))
    assert exists(datetime(2028, 10, 29, 1, 30), ZoneInfo(DUBLIN))


FRIDAY = frozenset([4])
GRID = parse({"Friday": {"9": "on"}})
APP = LayerSchedule(
    "app",
    (Member("app-a-1", "a"), Member("app-b-1", "b")),
    (Member("app-a-2", "a"), Member("app-a-3", "a"), Member("app-b-2", "b"), Member("app-b-3", "b", GRID)),
)
PLAIN = replace(APP, timed=tuple(replace(one, grid=Grid()) for one in APP.timed))
SIX = Window("six", 6, days=FRIDAY, begin=600, end=720)
NOW = utc(2027, 3, 12, 10, 30)  # a Friday


def at(*windows: Window, now: datetime = NOW) -> list[str]:
    return list(wanted(replace(APP, windows=windows), now))


def test_a_number_is_filled_from_the_zone_that_runs_fewest_in_the_order_of_the_file() -> None:
    assert at(replace(SIX, instances=3)) == ["app-a-2"]
    assert at(replace(SIX, instances=4)) == ["app-a-2", "app-b-2"]
    assert at(replace(SIX, instances=5)) == ["app-a-2", "app-a-3", "app-b-2"]
    assert at(SIX) == at(replace(SIX, instances=100)) == [one.name for one in APP.timed]
    assert at(replace(SIX, instances=1)) == []


def test_a_number_counts_those_that_are_chosen_or_ticked() -> None:
    four = replace(SIX, begin=540, instances=4)
    assert at(four, now=NOW - HOUR) == ["app-a-2", "app-b-3"]  # b-3 is ticked: a is the zone that runs fewer
    assert at(four, replace(four, instances=("app-a-3",))) == ["app-a-3", "app-b-2"]


def test_only_the_highest_priority_counts_and_may_ask_for_fewer() -> None:
    three, four = replace(SIX, instances=3, priority=5), replace(SIX, instances=4, priority=5)
    assert at(SIX, three) == ["app-a-2"]
    assert at(SIX, three, four) == at(SIX, four, three) == ["app-a-2", "app-b-2"]
    assert at(replace(SIX, instances=("app-a-3",)), replace(SIX, instances=("app-b-2",))) == ["app-a-3", "app-b-2"]
    assert at(SIX, replace(three, begin=540, end=600)) == at(SIX)  # closed: the lower one counts again


def test_a_priority_leaves_the_ticked_hours_alone() -> None:
    assert at(replace(SIX, begin=540, instances=2, priority=99), now=NOW - HOUR) == ["app-b-3"]


def test_windows_are_half_open() -> None:
    opens, closes = utc(2027, 3, 12, 10), utc(2027, 3, 12, 12)
    assert [bool(wanted(replace(PLAIN, windows=(SIX,)), now)) for now in (opens - MINUTE, opens, closes - MINUTE, closes)] == [False, True, True, False]


def test_each_reason_in_words() -> None:
    rush = Window("friday rush", 4, DUBLIN, FRIDAY, 570, 720)
    night = Window("night", ("app-a-2",), NEW_YORK, FRIDAY, 22 * 60, 26 * 60)
    layer = replace(APP, windows=(rush, night))
    assert wanted(layer, utc(2027, 3, 12, 9, 45)) == {
        "app-a-2": "window 'friday rush' until 12:00 Europe/Dublin",
        "app-b-3": "grid Friday 09-10 UTC",
    }
    assert wanted(layer, utc(2027, 3, 12, 8, 55), 35 * MINUTE) == {
        "app-a-2": "starts early for window 'friday rush' at 09:30 Europe/Dublin",
        "app-b-3": "starts early for grid Friday 09-10 UTC",
    }
    assert wanted(layer, utc(2027, 3, 13, 4)) == {"app-a-2": "window 'night' until 2027-03-13 02:00 America/New_York"}
    assert wanted(layer, utc(2027, 3, 13, 6, 30)) == {"app-a-2": "window 'night' until 02:00 America/New_York"}
    late = replace(APP, timed=(Member("x", "a", parse({"Friday": {"23": "on"}})),))
    assert wanted(late, utc(2027, 3, 12, 23, 5)) == {"x": "grid Friday 23-24 UTC"}


def test_of_two_windows_the_one_that_closes_last_is_the_reason() -> None:
    for instances in (3, ("app-a-2",)):
        short, long = (replace(SIX, name=name, instances=instances, end=end) for name, end in (("short", 660), ("long", 720)))
        for windows in ((short, long), (long, short)):
            assert wanted(replace(PLAIN, windows=windows), NOW) == {"app-a-2": "window 'long' until 12:00 UTC"}


def test_the_edges_of_a_ticked_hour() -> None:
    ticked = [utc(2027, 3, 12, 9), utc(2027, 3, 12, 10)]
    assert edges(APP, utc(2027, 3, 12), utc(2027, 3, 13)) == ticked
    assert edges(APP, utc(2027, 3, 12), utc(2027, 3, 13), MINUTE) == [ticked[0] - MINUTE, ticked[1]]
    assert (edges(APP, *ticked), edges(APP, ticked[0] + MINUTE, ticked[1])) == ([ticked[0]], [])


def test_the_count_has_those_that_are_always_on() -> None:
    layer = replace(APP, windows=(SIX,))
    assert [count(layer, now) for now in (NOW - 90 * MINUTE, NOW, NOW + 2 * HOUR)] == [3, 6, 2]
    assert count(layer, NOW - 90 * MINUTE, HOUR) == 6


def test_what_the_app_publishes_counts_only_where_the_file_says_so() -> None:
    sale = event("spring sale", utc(2027, 3, 14, 10), utc(2027, 3, 14, 11), 4)
    assert with_events(APP, [sale]) == APP
    layer = with_events(with_events(replace(APP, on_sales=True), [sale]), [SIX])
    assert layer.extra == (sale, SIX)
    assert wanted(layer, utc(2027, 3, 14, 10, 30))["app-b-2"] == "window 'spring sale' until 11:00 UTC"


WINDOWS = st.builds(
    lambda zone, days, begin, length, instances, priority: Window("w", instances, zone, days, begin, begin + length, priority=priority),
    st.sampled_from(ZONES),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.integers(1, 7) | st.lists(st.sampled_from([one.name for one in APP.timed]), unique=True, min_size=1).map(tuple),
    st.integers(0, 2),
)


def minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    for n in range((end - start) // MINUTE):
        yield start + n * MINUTE


@settings(deadline=None, max_examples=30)
@given(st.lists(WINDOWS, max_size=4), st.integers(0, 16), st.sampled_from([0, 1, 7, 60, 600]))
def test_the_edges_are_all_the_minutes_at_which_wanted_changes(windows: list[Window], half: int, early: int) -> None:
    layer = replace(APP, windows=tuple(windows))
    start = utc(2028, 10, 25) + half * DAY / 2
    ahead = early * MINUTE
    states = [(now, set(wanted(layer, now, ahead))) for now in minutes(start - MINUTE, start + DAY / 2)]
    expected = [now for (_, before), (now, here) in pairwise(states) if before != here]
    assert edges(layer, start, start + DAY / 2, ahead) == expected
    middle = start + 5 * HOUR
    # cut in two, no edge is lost or doubled
    assert edges(layer, start, middle, ahead) + edges(layer, middle, start + DAY / 2, ahead) == expected


@settings(deadline=None, max_examples=60)
@given(st.lists(WINDOWS, max_size=4), st.integers(0, 14 * 24 * 60), st.integers(0, 90))
def test_with_a_lead_whatever_is_wanted_within_it_is_wanted_now(windows: list[Window], minute: int, early: int) -> None:
    layer = replace(APP, windows=tuple(windows))
    now = utc(2028, 10, 22) + minute * MINUTE
    within = set().union(*(wanted(layer, now + n * MINUTE) for n in range(early + 1)))
    said = wanted(layer, now, early * MINUTE)
    assert set(said) == within
    assert {name for name, why in said.items() if not why.startswith("starts early")} == set(wanted(layer, now))


@settings(deadline=None)
@given(st.lists(WINDOWS, max_size=3), st.integers(0, 14 * 24 * 60), st.integers(1, 7))
def test_zones_stay_balanced(windows: list[Window], minute: int, number: int) -> None:
    """One window with a number and nothing else open: no zone runs two more than the other, while it has some left."""
    layer = replace(APP, windows=(replace(SIX, days=frozenset(range(7)), begin=0, end=1440, instances=number, priority=9), *windows))
    names = wanted(layer, utc(2028, 10, 22) + minute * MINUTE)
    zones = [name.split("-")[1] for name in names]
    assert abs(zones.count("a") - zones.count("b")) <= 1


@pytest.mark.parametrize("now", [datetime(2027, 3, 12, 10), datetime(2027, 3, 12, 10, tzinfo=ZoneInfo(LORD_HOWE))])
def test_now_must_be_in_utc(now: datetime) -> None:
    for layer in (APP, replace(APP, windows=(SIX,))):
        with pytest.raises(ValueError, match="UTC"):
            wanted(layer, now)
        with pytest.raises(ValueError, match="UTC"):
            edges(layer, now, now + DAY)


def test_a_lead_is_not_negative() -> None:
    with pytest.raises(ValueError, match="negative"):
        wanted(APP, NOW, -MINUTE)


def seconds(*numbers: float) -> list[timedelta]:
    return [timedelta(seconds=number) for number in numbers]


def test_p95() -> None:
    assert p95(seconds(7)) == timedelta(seconds=7)
    assert p95(seconds(*range(1, 101))) == p95(seconds(*range(100, 0, -1))) == timedelta(seconds=95)
    assert p95(seconds(*range(1, 11))) == timedelta(seconds=10)
    with pytest.raises(ValueError):
        p95([])


def test_the_lead_is_what_the_file_says_or_what_was_measured() -> None:
    assert lead(replace(APP, ready_by=10 * MINUTE), seconds(100)) == 10 * MINUTE
    assert lead(replace(APP, ready_by=timedelta(0)), seconds(100)) == timedelta(0)
    assert lead(APP, seconds(100)) == timedelta(seconds=175) + TICK
    assert lead(APP, []) == 1.75 * START + TICK
    assert lead(APP, [], assumed=2 * MINUTE, tick=timedelta(0)) == timedelta(seconds=210)


@pytest.mark.parametrize("instances", [1, 2, 4])
def test_500_windows_are_ready_in_time_and_not_much_too_early(instances: int) -> None:
    """Start times are log-normal, 60 and 600 s their 1 % and 99 %, not cut off there; looks are a minute apart."""
    pick = random.Random(20270312 + instances)  # noqa: S311
    ready, idle, known = 0, [], []

    def start() -> timedelta:
        return timedelta(seconds=math.sqrt(60 * 600) * math.exp(pick.gauss(0, math.log(10) / 2 / 2.326)))

    history = [start() for _ in range(20)]
    for week in range(500):
        opens = utc(2027, 1, 1, 10) + 7 * week * DAY
        window = Window("w", 2 + instances, at=opens.replace(tzinfo=None), length=HOUR)
        layer = replace(PLAIN, windows=(window,))
        early = lead(layer, history)
        look = opens - HOUR + pick.randrange(60) * timedelta(seconds=1)  # when in its minute the timer looks
        while not wanted(layer, look, early):
            look += TICK
        assert count(layer, look, early) == 2 + instances
        took = [start() for _ in range(instances)]
        healthy = [look + one for one in took]
        ready += max(healthy) <= opens
        idle += [opens - one for one in healthy]
        known.append(p95(history))
        history = [*history, *took][-100:]
    assert ready >= {1: 0.99, 2: 0.99, 4: 0.98}[instances] * 500
    assert sum(idle, timedelta()) / len(idle) <= 1.5 * sum(known, timedelta()) / len(known)
