"""The brain: which instances should run now, and what is done about it. Pure, so every case is a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ansible_collections.trust.stack.plugins.module_utils.load import DEFAULT_DOWN, DEFAULT_UP, LoadSettings, Sample
from ansible_collections.trust.stack.plugins.module_utils.load import Memory as LoadMemory
from ansible_collections.trust.stack.plugins.module_utils.plan import Clock, Failure, Memory, Observed, Plan, desired, plan
from ansible_collections.trust.stack.plugins.module_utils.schedule import LayerSchedule, Member, Window
from ansible_collections.trust.stack.plugins.module_utils.stackfile import Instance, Stack

FRIDAY = datetime(2027, 3, 12, 10, 0, tzinfo=UTC)
RUSH = Window("rush", 4, days=frozenset({4}), begin=9 * 60, end=12 * 60)
NOBODY: frozenset[str] = frozenset()
QUIET = Memory(wall=FRIDAY.timestamp() - 60, uptime=940.0, boot="b")
ALWAYS = [Instance("app-a-1", "app", "a"), Instance("app-b-1", "app", "b")]
TIMED = [Instance("app-a-2", "app", "a", "time"), Instance("app-b-2", "app", "b", "time")]
BY_LOAD = [Instance("app-a-3", "app", "a", "load"), Instance("app-b-3", "app", "b", "load")]
STACK = Stack("s", "podman", ("a", "b"), "c", (*ALWAYS, *TIMED, *BY_LOAD), {})
MEMBERS = [Member(one.name, one.zone) for one in ALWAYS], [Member(one.name, one.zone) for one in TIMED]
SCHEDULES = {"app": LayerSchedule("app", tuple(MEMBERS[0]), tuple(MEMBERS[1]), (RUSH,))}
LOADS = {"app": LoadSettings(True, DEFAULT_UP, DEFAULT_DOWN)}


def at(now: datetime, powered: frozenset[str] = NOBODY, online: frozenset[str] | None = None, out: frozenset[str] = NOBODY,
       memory: Memory = QUIET, loads: dict[str, LoadSettings] | None = None, sample: Sample | None = None, uptime: float | None = None) -> Plan:  # fmt: skip
    passed = 1000.0 + (now - FRIDAY).total_seconds() if uptime is None else uptime
    observed = Observed(powered, powered if online is None else online, out)
    return plan(STACK, SCHEDULES, loads or {}, Clock(now, passed, "b"), {}, observed, {"app": sample or Sample()}, memory)


def test_a_window_starts_its_instances_once_and_its_end_stops_them() -> None:
    found = at(FRIDAY)
    assert list(found.start) == ["app-a-2", "app-b-2"]
    assert "window 'rush' until 12:00 UTC" in found.start["app-a-2"]
    both = frozenset({"app-a-2", "app-b-2"})
    assert (dict(at(FRIDAY, both).start), dict(at(FRIDAY, both).stop)) == ({}, {})
    assert list(at(FRIDAY + timedelta(hours=2), both).stop) == ["app-a-2", "app-b-2"]


def test_an_instance_whose_start_was_cut_off_is_started_again_or_taken_away() -> None:
    half = frozenset({"app-a-2"})
    assert "app-a-2" in at(FRIDAY, half, NOBODY).start
    assert "cut off" in at(FRIDAY + timedelta(hours=2), half, NOBODY).stop["app-a-2"]


def test_what_died_or_is_kept_out_of_a_balancer_comes_back() -> None:
    both = frozenset({"app-a-2", "app-b-2"})
    assert "it had died" in at(FRIDAY, both - {"app-b-2"}, both).start["app-b-2"]
    assert list(at(FRIDAY, both, both, frozenset({"app-a-2"})).start) == ["app-a-2"]


def test_what_always_runs_is_never_an_action() -> None:
    always = frozenset({"app-a-1", "app-b-1"})
    quiet = at(FRIDAY + timedelta(hours=5), always)
    assert (dict(quiet.start), dict(quiet.stop)) == ({}, {})


def test_a_controller_that_was_off_for_three_hours_does_what_is_right_now_and_nothing_of_before() -> None:
    before = replace(QUIET, wall=(FRIDAY - timedelta(hours=2)).timestamp(), uptime=1000.0 - 7200)
    assert list(at(FRIDAY + timedelta(hours=1), memory=before).start) == ["app-a-2", "app-b-2"]
    late = replace(QUIET, wall=(FRIDAY - timedelta(minutes=30)).timestamp(), uptime=1000.0 - 1800)
    after = at(FRIDAY + timedelta(hours=2, minutes=30), memory=late)  # the whole window was slept through
    assert (dict(after.start), dict(after.stop)) == ({}, {})


def test_a_clock_that_jumps_stops_nothing_until_it_has_been_steady_for_ten_minutes() -> None:
    both = frozenset({"app-a-2", "app-b-2"})
    jumped = at(FRIDAY + timedelta(hours=5), both, uptime=1000.0)  # a minute passed, the clock says five hours
    assert dict(jumped.stop) == {}
    assert any("clock was set forward by 18000 s" in note and "mend:" in note for note in jumped.notes)
    for minutes, stops in ((1, 0), (9, 0), (10, 2)):
        now = FRIDAY + timedelta(hours=5, minutes=minutes)
        memory = replace(jumped.memory, wall=now.timestamp() - 60, uptime=940.0 + 60 * minutes)
        assert len(at(now, both, memory=memory, uptime=1000.0 + 60 * minutes).stop) == stops, minutes
    back = at(FRIDAY - timedelta(hours=5), both, uptime=1000.0)
    assert dict(back.stop) == {}
    assert any("set back by" in note for note in back.notes)


def test_a_machine_that_was_off_has_another_count_and_that_is_no_jump() -> None:
    both = frozenset({"app-a-2", "app-b-2"})
    after = plan(STACK, SCHEDULES, {}, Clock(FRIDAY + timedelta(hours=9), 30.0, "another"), {}, Observed(both, both), {}, QUIET)
    assert list(after.stop) == ["app-a-2", "app-b-2"]


def test_a_start_that_failed_is_tried_again_later_and_later() -> None:
    for count, seconds in ((1, 60), (2, 120), (5, 900), (50, 900)):
        for passed, tries in ((seconds - 1, 1), (seconds, 2)):
            memory = replace(QUIET, failures={"app-a-2": Failure(count, FRIDAY.timestamp() - passed)})
            found = at(FRIDAY, memory=memory)
            assert len(found.start) == tries, (count, passed)
            assert ("its start failed" in " ".join(found.notes)) is (tries == 1)


def test_the_larger_of_schedule_and_load_counts() -> None:
    both = frozenset({"app-a-2", "app-b-2"})
    for total, named, by_load in ((2, 2, 0), (4, 2, 0), (5, 2, 1), (9, 2, 2)):
        found = desired(STACK, SCHEDULES, FRIDAY, {}, NOBODY, {"app": (total, "cpu")})
        assert sum(name in both for name in found) == named
        assert [why for name, why in found.items() if name not in both] == ["cpu"] * by_load, total


def test_the_end_of_a_window_takes_nothing_away_while_the_load_is_high() -> None:
    both = frozenset({"app-a-2", "app-b-2"})
    end = FRIDAY + timedelta(hours=2)
    memory = replace(QUIET, wall=end.timestamp() - 60, uptime=8140.0, loads={"app": LoadMemory(wanted=2, last=end.timestamp() - 60)})
    busy = at(end, both, memory=memory, loads=LOADS, sample=Sample(cpu=60.0))
    assert dict(busy.stop) == {}
    assert all("cpu 60" in why for why in busy.wanted.values())
    idle = at(end, both, memory=memory, loads=LOADS, sample=Sample(cpu=5.0))
    assert list(idle.stop) == ["app-a-2", "app-b-2"]


def test_load_starts_load_based_instances_only() -> None:
    evening = FRIDAY + timedelta(hours=8)
    memory = replace(QUIET, wall=evening.timestamp() - 60, uptime=1000 + 8 * 3600 - 60, loads={
        "app": LoadMemory(wanted=2, last=evening.timestamp() - 60, up_since=evening.timestamp() - 300, up_by=("cpu",))})  # fmt: skip
    found = at(evening, memory=memory, loads=LOADS, sample=Sample(cpu=95.0))
    assert list(found.start) == ["app-a-3"]
    assert "cpu 95 is above 80" in found.start["app-a-3"]
