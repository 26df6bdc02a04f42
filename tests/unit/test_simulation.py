"""The simulation drives the brain itself, so what is tested here is that what was forecast is what then happens."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.trust.stack.plugins.module_utils import loadtrace, schedule
from ansible_collections.trust.stack.plugins.module_utils.forecast import FAILED, START, STOP, Forecast, PlanError, forecast
from ansible_collections.trust.stack.plugins.module_utils.load import DEFAULT_DOWN, DEFAULT_UP, LoadSettings
from ansible_collections.trust.stack.plugins.module_utils.schedule import LayerSchedule, Member, Window
from ansible_collections.trust.stack.plugins.module_utils.schedule_grid import Grid, parse
from ansible_collections.trust.stack.plugins.module_utils.simulation import ANY, Settings, Simulation, simulate
from ansible_collections.trust.stack.plugins.module_utils.stackfile import Instance, Stack
from hypothesis import given, settings
from hypothesis import strategies as st

MONDAY = datetime(2027, 3, 8, tzinfo=UTC)
FRIDAY = MONDAY + timedelta(days=4)
MINUTE, HOUR, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=7)
ALWAYS = [Instance("app-a-1", "app", "a"), Instance("app-b-1", "app", "b")]
TIMED = [Instance(f"app-{zone}-{n}", "app", zone, "time") for n in (2, 3) for zone in "ab"]
BY_LOAD = [Instance("app-a-4", "app", "a", "load"), Instance("app-b-4", "app", "b", "load")]
STACK = Stack("s", "podman", ("a", "b"), "c", (*ALWAYS, *TIMED, *BY_LOAD), {})
RUSH = Window("rush", 4, days=frozenset({4}), begin=9 * 60 + 30, end=12 * 60)
LOADS = {"app": LoadSettings(True, DEFAULT_UP, DEFAULT_DOWN)}
QUICK = Settings({ANY: (20.0,)}, 20.0)  # done before the next tick


def layer(*windows: Window, grids: dict[str, Grid] | None = None) -> dict[str, LayerSchedule]:
    steady = tuple(Member(one.name, one.zone) for one in ALWAYS)
    timed = tuple(Member(one.name, one.zone, (grids or {}).get(one.name, Grid())) for one in TIMED)
    return {"app": LayerSchedule("app", steady, timed, windows)}


def told(week: Forecast) -> list[tuple[datetime, str, str]]:
    """The moves, each at the first tick that can see it."""
    return sorted((one.at + (week.start - one.at) % MINUTE, one.verb, one.instance) for one in week.moves)


def both(schedules: dict[str, LayerSchedule], start: datetime, lead: timedelta = timedelta(0), zone: str = "UTC") -> tuple[Forecast, Simulation]:
    leads = {"app": lead}
    predicted = forecast(STACK, schedules, leads, start, 7, zone)
    return predicted, simulate(STACK, schedules, {}, leads, start, predicted.end, settings=QUICK, zone=zone)


@st.composite
def schedules_of_a_week(draw: st.DrawFn) -> dict[str, LayerSchedule]:
    names = [one.name for one in TIMED]
    zones = st.sampled_from(["UTC", "Europe/Dublin", "America/New_York", "Australia/Lord_Howe"])
    chosen = st.integers(0, 7) | st.lists(st.sampled_from(names), min_size=1, unique=True).map(tuple)
    windows = []
    for number in range(draw(st.integers(0, 4))):
        found = Window(f"w{number}", draw(chosen), draw(zones), priority=draw(st.integers(0, 2)))
        if draw(st.booleans()):
            at = datetime(2027, 3, 6) + MINUTE * draw(st.integers(0, 10 * 24 * 60))
            windows.append(replace(found, at=at, length=MINUTE * draw(st.integers(1, 3000))))
        else:
            begin = draw(st.integers(0, 1439))
            days = frozenset(draw(st.sets(st.integers(0, 6), min_size=1)))
            windows.append(replace(found, days=days, begin=begin, end=begin + draw(st.integers(1, 1440))))
    grids = {name: Grid((("Friday", tuple((hour, True) for hour in draw(st.sets(st.integers(0, 23))))),)) for name in names[:2]}
    return layer(*windows, grids=grids)


@settings(max_examples=8, deadline=None)
@given(schedules_of_a_week(), st.integers(0, 900))
def test_what_was_forecast_is_what_happens_in_all_168_hours(found: dict[str, LayerSchedule], lead: int) -> None:
    predicted, done = both(found, MONDAY, timedelta(seconds=lead))
    assert told(predicted) == told(done.week)
    assert done.ticks == 168 * 60 and done.busy == 0


@pytest.mark.parametrize(("monday", "hours"), [("2027-03-22T00:00+00:00", 167), ("2027-10-24T23:00+00:00", 169)])
def test_also_in_the_weeks_in_which_dublin_changes_its_clocks(monday: str, hours: int) -> None:
    night = [Window("night", 6, "Europe/Dublin", begin=begin, end=begin + 60) for begin in (30, 60, 90, 120)]
    sunday = Window("early sunday", ("app-a-2", "app-b-3"), "Europe/Dublin", days=frozenset({6}), begin=75, end=105, priority=1)
    start = datetime.fromisoformat(monday).astimezone(UTC)
    for windows in ([night[1]], [*night, sunday]):
        predicted, done = both(layer(*windows), start, timedelta(seconds=135), "Europe/Dublin")
        assert (predicted.end - predicted.start) / HOUR == pytest.approx(hours)
        assert told(predicted) == told(done.week)
        assert sum(one.verb == START for one in predicted.moves) >= 7


def test_the_hours_that_are_paid_are_those_of_the_forecast_and_the_time_that_starts_and_stops_take() -> None:
    predicted, done = both(layer(RUSH), MONDAY)
    assert predicted.hours["app-a-2"] == pytest.approx(2.5)
    assert done.week.hours["app-a-2"] == pytest.approx(2.5 + 20 / 3600)
    assert sum(done.week.hours.values()) == pytest.approx(sum(slot.hours for slot in done.week.slots))


def test_a_controller_that_was_off_for_three_hours_is_right_after_one_tick_and_does_nothing_stale() -> None:
    short = Window("short", ("app-a-3",), days=frozenset({4}), begin=10 * 60, end=11 * 60)
    off = Settings({ANY: (20.0,)}, 20.0, off=((FRIDAY + timedelta(hours=9), FRIDAY + timedelta(hours=12)),))
    schedules = layer(replace(RUSH, end=14 * 60), short)
    done = simulate(STACK, schedules, {}, {}, FRIDAY, FRIDAY + timedelta(days=1), settings=off)
    noon, end = FRIDAY + timedelta(hours=12), FRIDAY + timedelta(hours=14)
    assert told(done.week) == sorted([(at, verb, name) for at, verb in ((noon, START), (end, STOP)) for name in ("app-a-2", "app-b-2")])
    before = replace(off, off=((FRIDAY + timedelta(hours=11), FRIDAY + timedelta(hours=15)),))
    late = simulate(STACK, layer(RUSH), {}, {}, FRIDAY, FRIDAY + timedelta(days=1), settings=before)
    assert {one.at for one in late.week.moves if one.verb == STOP} == {FRIDAY + timedelta(hours=15)}


def test_two_controllers_do_what_one_does() -> None:
    window = [RUSH, replace(RUSH, name="daily", days=frozenset(range(7)), begin=18 * 60, end=20 * 60, instances=5)]
    one, two = (simulate(STACK, layer(*window), {}, {}, MONDAY, MONDAY + WEEK, settings=replace(QUICK, controllers=n)) for n in (1, 2))
    assert one.week.moves == two.week.moves and one.week.slots == two.week.slots
    assert two.ticks == 2 * one.ticks and two.busy == len({move.at for move in one.week.moves})


def test_the_lease_is_held_until_the_starts_and_the_stops_are_done() -> None:
    slow = Settings({ANY: (150.0,)}, 60.0)
    done = simulate(STACK, layer(RUSH), {}, {}, FRIDAY, FRIDAY + timedelta(days=1), settings=slow)
    assert done.busy == 2 + 0  # 150 s hold two ticks; a stop of 60 s ends with the tick
    assert [(one.wanted, one.healthy) for one in done.openings] == [(4, 2)]
    assert done.late == done.openings


@pytest.mark.parametrize("seed", range(2))
def test_with_measured_starts_what_a_window_wants_is_healthy_when_it_opens(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - a made-up week, the same each time
    took = [min(max(draw.lognormvariate(5.0, 0.5), 60), 600) for _one in range(50)]
    schedules = layer(replace(RUSH, days=frozenset(range(7)), instances=6))
    lead = schedule.lead(schedules["app"], [timedelta(seconds=one) for one in took])
    simulated = Settings({"app": tuple(took)}, 30.0)
    done = simulate(STACK, schedules, {}, {"app": lead}, MONDAY, MONDAY + WEEK, settings=simulated)
    assert len(done.openings) == 7 and done.late == ()
    assert len(simulate(STACK, schedules, {}, {}, MONDAY, MONDAY + WEEK, settings=simulated).late) == 7  # it is the lead that does it


def test_a_start_that_fails_is_tried_again_and_is_not_counted_as_on() -> None:
    failing = replace(QUICK, failures={"app-a-2": 2})
    done = simulate(STACK, layer(RUSH), {}, {}, FRIDAY, FRIDAY + timedelta(days=1), settings=failing)
    mine = [(one.verb, (one.at - FRIDAY - timedelta(hours=9)) / MINUTE) for one in done.week.moves if one.instance == "app-a-2"]
    assert mine == [(FAILED, 30), (FAILED, 32), (START, 35), (STOP, 180)]
    assert any("its start failed 1 times" in note.text for note in done.notes)
    assert done.week.capacity("app", FRIDAY + timedelta(hours=9, minutes=33), FRIDAY + timedelta(hours=9, minutes=34)) == (3, 3)


def trace(*lines: str) -> loadtrace.Trace:
    return loadtrace.read("\n".join(lines), ["app"], "t.jsonl")


MADE = (
    '{"at": "2027-03-08T00:00:00+00:00", "layer": "app", "cpu": 50, "instances": 2}',
    '{"at": "2027-03-08T10:00:00+01:00", "layer": "app", "cpu": 95, "instances": 2}',
    "",
    '{"at": "2027-03-08T12:00:00+00:00", "layer": "app", "cpu": 10, "instances": 2}',
)


def test_a_made_load_starts_what_it_needs_and_stops_it_when_it_is_gone() -> None:
    done = simulate(STACK, layer(), LOADS, {}, MONDAY, MONDAY + timedelta(days=1), trace(*MADE), QUICK)
    moves = [(one.verb, one.instance, (one.at - MONDAY) / MINUTE) for one in done.week.moves]
    # 95 % of two is 63 % of three: one more is enough. It goes ten minutes after the load has.
    assert moves == [(START, "app-a-4", 9 * 60 + 5), (STOP, "app-a-4", 12 * 60 + 10)]
    assert "cpu 95 is above 80 for 5 min: 1 more, 2 -> 3" in done.week.moves[0].why
    again = simulate(STACK, layer(), LOADS, {}, MONDAY, MONDAY + timedelta(days=1), trace(*MADE), QUICK)
    assert done == again
    assert len(done.notes) < 12  # numbers that differ are no other note


def test_a_load_that_is_not_measured_starts_nothing_and_stops_nothing() -> None:
    lost = '{"at": "2027-03-08T11:00:00+00:00", "layer": "app"}'
    done = simulate(STACK, layer(), LOADS, {}, MONDAY, MONDAY + timedelta(days=1), trace(*MADE[:2], lost), QUICK)
    assert [one.verb for one in done.week.moves] == [START]


@pytest.mark.parametrize(("line", "said"), [
    ("{", "t.jsonl:2: found '{', expected a JSON mapping on one line"),
    ("[1]", "t.jsonl:2: found '[1]', expected a JSON mapping"),
    ('{"layer": "app"}', "t.jsonl:2: at: found None, expected an instant"),
    ('{"at": "2027-03-08T10:00", "layer": "app"}', "expected an instant with its offset from UTC; mend: write for example \"at\": \"2027-03-08T10:00+00:00\""),
    ('{"at": "2027-03-08T10:00Z", "layer": "db"}', "t.jsonl:2: layer: found 'db', expected one of the layers that live by load: app"),
    ('{"at": "2027-03-08T10:00Z", "layer": "app", "cpu": "85"}', "t.jsonl:2: cpu: found '85', expected a number, 0 or more"),
    ('{"at": "2027-03-08T10:00Z", "layer": "app", "cpu": NaN}', "cpu: found nan"),
    ('{"at": "2027-03-08T10:00Z", "layer": "app", "instances": 0}', "instances: found 0, expected a whole number"),
    ('{"at": "2027-03-08T10:00Z", "layer": "app", "CPU": 3}', "t.jsonl:2: CPU: found 3, expected one of the keys at, layer"),
])  # fmt: skip
def test_a_line_of_a_trace_that_cannot_be_read_is_named_with_its_mend(line: str, said: str) -> None:
    with pytest.raises(loadtrace.TraceError) as error:
        trace(MADE[0], line)
    assert said in str(error.value) and "mend: " in str(error.value)


def test_settings_that_cannot_be() -> None:
    for wrong in (Settings(tick=0.5), Settings(stop_seconds=-1), Settings({ANY: (float("nan"),)})):
        with pytest.raises(PlanError, match=r"expected seconds, from .*mend: -e "):
            simulate(STACK, layer(), {}, {}, MONDAY, MONDAY + HOUR, settings=wrong)


def test_a_grid_of_opsworks_runs_its_hours() -> None:
    grid = parse({"Friday": {"9": "on", "10": "on", "23": "on"}, "Saturday": {"0": "on"}})
    predicted, done = both(layer(grids={"app-b-2": grid}), MONDAY)
    assert told(predicted) == told(done.week)
    assert predicted.hours["app-b-2"] == 4
    assert [one.why for one in predicted.moves if one.verb == STOP] == ["grid Friday 10-11 UTC ends", "grid Saturday 00-01 UTC ends"]
