"""A group's scheduled actions: carried out by a clock of our own, minute by minute, they give what schedule.py wants."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from ansible_collections.trust.stack.plugins.module_utils import asg
from ansible_collections.trust.stack.plugins.module_utils.load import DEFAULT_DOWN, DEFAULT_UP, LoadSettings
from ansible_collections.trust.stack.plugins.module_utils.schedule import DAY, LayerSchedule, Member, Window, count, occurrences
from ansible_collections.trust.stack.plugins.module_utils.stackfile_asg import Group

MINUTE = timedelta(minutes=1)
ZONES = ("Europe/Dublin", "America/New_York", "UTC", "Australia/Lord_Howe", "Asia/Kolkata")
# The clocks of Europe, America and Lord Howe are changed on different days around these.
STARTS = (datetime(2027, 3, 5, 8, 17, 23, tzinfo=UTC), datetime(2027, 10, 12, tzinfo=UTC), datetime(2026, 12, 10, 23, 59, tzinfo=UTC))
NO_LEAD = timedelta(0)


def group(*windows: Window, most: int = 9, load: LoadSettings | None = None) -> Group:
    steady = (Member("app-a-1", "a"), Member("app-b-1", "b"))
    places = tuple(Member(f"app-asg-{i}", "ab"[i % 2]) for i in range(most - 2))
    return Group(most, 2, LayerSchedule("app", steady, places, windows), load)


@dataclass(frozen=True)
class Clock:
    """What a zone's clock reads at a minute, and by how much it was put forward just before."""

    minute: int
    day: int  # 0 is Sunday, as cron has it
    skipped: int

    @staticmethod
    @cache
    def at(at: datetime, zone: str) -> Clock:
        here, before = (one.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for one in (at, at - MINUTE))
        return Clock(here.hour * 60 + here.minute, (here.weekday() + 1) % 7, max((here - before) // MINUTE - 1, 0))


@cache
def cron(text: str) -> tuple[int, frozenset[int]]:
    minute, hour, day, month, days = text.split()
    assert (day, month) == ("*", "*")
    return int(hour) * 60 + int(minute), frozenset(range(7)) if days == "*" else frozenset(map(int, days.split(",")))


def fires(action: asg.Action, at: datetime, after_gap: bool) -> bool:
    """A cron of our own. What AWS does at a time that the clock skips we do not know: `after_gap` is one of the two ways."""
    if not action.recurrence or at == action.start:
        return at == action.start
    if (action.start and at < action.start) or (action.end and at > action.end):
        return False
    (minute, days), clock = cron(action.recurrence), Clock.at(at, action.time_zone)
    if after_gap and clock.skipped and 0 < clock.minute - minute <= clock.skipped:
        return clock.day in days
    return clock.minute == minute and clock.day in days


def sizes(plan: asg.Plan, now: datetime, after_gap: bool = False) -> Iterator[tuple[datetime, int, bool]]:
    """The size at every minute, and whether it was set just then."""
    at, size = asg.soon(now), plan.size
    while at < plan.until:
        due = [one for one in plan.actions if fires(one, at, after_gap)]
        assert len(due) < 2, f"two actions at {at}: {due}"
        size = due[0].size if due else size
        yield at, size, bool(due)
        at += MINUTE


def mismatches(told: Group, now: datetime, lead: timedelta = NO_LEAD, after_gap: bool = False) -> list[tuple[datetime, int, int]]:
    """Where the size is not what schedule.py wants: looked at whenever a window's edge or an action is near, and every half hour."""
    plan, whole = asg.plan(told, lead, now), asg.whole(lead)
    near = {at + n * MINUTE for window in told.schedule.windows for one in occurrences(window, now, plan.until + whole)
            for at in (one.start - whole, one.start, one.end) for n in range(-1, 2)}  # fmt: skip
    found = []
    for at, size, just_set in sizes(plan, now, after_gap):
        if not (just_set or at in near or at.minute % 30 == 17):
            continue
        wanted = max(count(told.schedule, at, whole) - 2, told.least)
        if size != wanted:
            found.append((at, size, wanted))
    return found


def weekly(rng: random.Random, name: str, zone: str, start: datetime) -> Window:
    begin = rng.choice((0, 60, 90, 120, 150, 570, 23 * 60 + 59, rng.randrange(DAY)))
    end = begin + rng.choice((1, 30, 60, 150, 720, DAY))
    skip = frozenset(start.date() + timedelta(days=rng.randrange(30)) for _ in range(rng.randrange(4)))
    days = frozenset(rng.sample(range(7), rng.randrange(1, 8)))
    return Window(name, rng.randrange(1, 10), zone, days, begin, end, skip, priority=rng.randrange(3))


def dated(rng: random.Random, name: str, zone: str, start: datetime) -> Window:
    at = (start + rng.randrange(30 * DAY) * MINUTE).replace(tzinfo=None, second=0)
    return Window(name, rng.randrange(1, 10), zone, at=at, length=rng.choice((30, 90, 3 * DAY)) * MINUTE, priority=rng.choice((0, 10)))


@pytest.mark.parametrize("seed", range(12))
def test_the_actions_give_what_the_schedule_wants_at_every_minute(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    start = STARTS[seed % 3]
    zones = ZONES if seed % 2 else ZONES[:1]
    windows = [weekly(rng, f"w{i}", rng.choice(zones), start) for i in range(rng.randrange(1, 5))]
    windows += [dated(rng, f"d{i}", rng.choice(zones), start) for i in range(rng.randrange(3))]
    lead = rng.choice((NO_LEAD, timedelta(seconds=600), timedelta(minutes=95)))
    load = LoadSettings(True, DEFAULT_UP, DEFAULT_DOWN) if seed % 4 == 3 else None
    assert mismatches(group(*windows, load=load), start, lead, after_gap=bool(seed % 2)) == []


@pytest.mark.parametrize("after_gap", [False, True])
@pytest.mark.parametrize("start", STARTS[:2])
@pytest.mark.parametrize("edges", [(30, 90), (90, 150), (75, 105)])
def test_nothing_depends_on_a_time_that_the_clock_skips_or_reads_twice(edges: tuple[int, int], start: datetime, after_gap: bool) -> None:
    night = group(Window("night", 4, "Europe/Dublin", begin=edges[0], end=edges[1]))
    assert mismatches(night, start, after_gap=after_gap) == []
    # The days of the change in Dublin are told by themselves; all others by cron.
    once = {f"{one.start:%m-%d}" for one in asg.plan(night, NO_LEAD, start).actions if not one.recurrence}
    assert once <= {"03-28", "10-31"}
    assert once


def test_two_zones_never_tell_one_instant_twice() -> None:
    # Both open at one instant: all year in Delhi, in winter in Dublin.
    delhi = Window("delhi", 4, "Asia/Kolkata", begin=15 * 60 + 30, end=18 * 60)
    for start in STARTS:
        assert mismatches(group(Window("utc", 4, "UTC", begin=600, end=750), replace(delhi, priority=1)), start) == []
        assert mismatches(group(Window("dublin", 4, "Europe/Dublin", begin=600, end=720), delhi), start) == []


RUSH = Window("rush", 5, "Europe/Dublin", frozenset({0, 1, 2, 3, 4}), 9 * 60 + 30, 12 * 60)
NOW = datetime(2026, 12, 7, tzinfo=UTC)


def told(plan: asg.Plan) -> list[tuple[str, int, str, str]]:
    return [(one.name, one.size, one.recurrence, one.time_zone) for one in plan.actions]


def test_a_weekly_window_is_two_cron_actions_without_an_end() -> None:
    plan = asg.plan(group(RUSH), NO_LEAD, NOW)
    assert sorted(told(plan)) == [
        ("mon-tue-wed-thu-fri-0930-europe-dublin", 3, "30 9 * * 1,2,3,4,5", "Europe/Dublin"),
        ("mon-tue-wed-thu-fri-1200-europe-dublin", 0, "0 12 * * 1,2,3,4,5", "Europe/Dublin"),
    ]
    assert {(one.start, one.end) for one in plan.actions} == {(None, None)}
    assert (plan.size, plan.until - NOW) == (0, timedelta(days=28, minutes=2))
    # Also where a clock is changed within these weeks: that is why they are by the clock of the zone.
    assert told(asg.plan(group(RUSH), NO_LEAD, STARTS[0])) == told(plan)


def test_a_date_without_the_window_ends_one_action_and_begins_another() -> None:
    plan = asg.plan(group(replace(RUSH, skip=frozenset({date(2026, 12, 25)}))), NO_LEAD, NOW)
    bounds = {one.name: (one.start, one.end) for one in plan.actions if "0930" in one.name}
    assert bounds == {
        "mon-tue-wed-thu-fri-0930-europe-dublin": (None, datetime(2026, 12, 24, 9, 31, tzinfo=UTC)),
        "mon-tue-wed-thu-fri-0930-europe-dublin-from-20261228": (datetime(2026, 12, 28, 9, 30, tzinfo=UTC), None),
    }
    # At noon nothing is taken away that was not there, and the size would be the same: that action needs no gap.
    assert [(one.start, one.end) for one in plan.actions if "1200" in one.name] == [(None, None)]


def test_a_weekly_action_goes_on_after_an_exception_on_its_last_day() -> None:
    late = replace(RUSH, days=frozenset({3}), skip=frozenset({date(2026, 12, 31)}))
    found = [one for one in asg.plan(group(late), NO_LEAD, NOW).actions if one.size == 3]
    assert [(one.start, one.end) for one in found] == [
        (None, datetime(2026, 12, 24, 9, 31, tzinfo=UTC)), (datetime(2027, 1, 7, 9, 30, tzinfo=UTC), None)]  # fmt: skip


def test_an_event_is_two_dated_actions() -> None:
    sale = Window("sale", 7, "America/New_York", at=datetime(2026, 12, 18, 10), length=timedelta(minutes=90), priority=10)
    plan = asg.plan(group(sale), timedelta(minutes=10), NOW)
    assert told(plan) == [("once-20261218T1450Z", 5, "", "UTC"), ("once-20261218T1630Z", 0, "", "UTC")]
    assert told(asg.plan(group(sale), NO_LEAD, NOW - timedelta(days=40))) == []  # too far ahead: a later run tells it


def test_the_lead_is_in_whole_minutes_and_never_shorter() -> None:
    plan = asg.plan(group(RUSH), timedelta(seconds=601), NOW)
    assert "19 9 * * 1,2,3,4,5" in [one.recurrence for one in plan.actions]


def test_the_size_is_what_is_wanted_now() -> None:
    assert asg.plan(group(RUSH), NO_LEAD, datetime(2026, 12, 7, 9, 28, 30, tzinfo=UTC)).size == 3
    assert asg.plan(group(RUSH), NO_LEAD, datetime(2026, 12, 7, 9, 27, 59, tzinfo=UTC)).size == 0


def test_more_actions_than_a_group_takes_are_refused() -> None:
    rng = random.Random(1)  # noqa: S311
    many = [replace(RUSH, name=f"w{i}", begin=17 * i, end=17 * i + 8, instances=3 + i % 6, days=frozenset({rng.randrange(7)})) for i in range(80)]
    with pytest.raises(asg.AsgError, match=r"layers\.app\.schedule: found 1\d\d times .* at most 125.*Mend: fewer windows"):
        asg.plan(group(*many), NO_LEAD, NOW)
    # Dated ones are looked at less far ahead.
    events = [Window(f"d{i}", 4, at=datetime(2026, 12, 8) + timedelta(hours=10 * i), length=timedelta(hours=1)) for i in range(65)]
    plan = asg.plan(group(*events), NO_LEAD, NOW)
    assert len(plan.actions) < 125 and (plan.until - NOW).days == 21


def test_by_load_an_action_sets_the_least_size_alone() -> None:
    load = LoadSettings(True, DEFAULT_UP, DEFAULT_DOWN)
    for_load = group(RUSH, load=load)
    action = next(one for one in asg.plan(for_load, NO_LEAD, NOW).actions if one.size == 3)
    said = asg.asked(action, for_load, "shop-app")
    assert said == {
        "ScheduledActionName": "shop-app-mon-tue-wed-thu-fri-0930-europe-dublin", "MinSize": 3, "MaxSize": 7,
        "Recurrence": "30 9 * * 1,2,3,4,5", "TimeZone": "Europe/Dublin"}  # fmt: skip
    assert asg.asked(action, group(RUSH), "shop-app") == said | {"MinSize": 0, "DesiredCapacity": 3}
    assert asg.plan(for_load, NO_LEAD, NOW).size == 1  # what nobody runs cannot be measured


def test_targets_lie_between_the_thresholds() -> None:
    up, down = replace(DEFAULT_UP, queue=4.0, backlog=10.0, ignore=3), replace(DEFAULT_DOWN, backlog=2.0)
    found = {one["metric"]: one for one in asg.policies(LoadSettings(True, up, down), "shop", "app")}
    assert {name: (one["config"]["target_value"], one["config"]["disable_scalein"]) for name, one in found.items()} == {
        "cpu": (55.0, False), "queue": (4.0, True), "backlog": (6.0, False)}  # fmt: skip
    assert {one["warmup"] for one in found.values()} == {180}
    assert found["queue"]["config"]["customized_metric_spec"] == {
        "metric_name": "queue", "namespace": "TrustStack", "statistic": "Average",
        "dimensions": [{"Name": "stack", "Value": "shop"}, {"Name": "layer", "Value": "app"}]}  # fmt: skip
    assert asg.policies(LoadSettings(False, up, down), "shop", "app") == []
