"""The load's decisions: recorded traces give exact actions, and no trace at all breaks the promises."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from ansible_collections.trust.stack.plugins.module_utils.load import (
    DEFAULT_DOWN,
    DEFAULT_UP,
    METRICS,
    Decision,
    LoadSettings,
    Memory,
    Sample,
    Thresholds,
    remember,
    step,
)
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

START = datetime(2027, 3, 14, 9, 0, tzinfo=UTC)
DEFAULTS = LoadSettings(True, DEFAULT_UP, DEFAULT_DOWN)
DEMAND = LoadSettings(True, replace(DEFAULT_UP, queue=10.0, backlog=100.0), replace(DEFAULT_DOWN, queue=1.0, backlog=10.0))
CALM = {"queue": 0.0, "backlog": 0.0}


@dataclass
class Layer:
    """A layer that always has what is wanted of it, by load or by schedule, at the next look."""

    settings: LoadSettings = DEFAULTS
    running: int = 2
    least: int = 1
    most: int = 6
    memory: Memory = field(default_factory=Memory)
    actions: list[tuple[float, int]] = field(default_factory=list)
    last: Decision | None = None

    def look(self, minute: float, sample: Sample, scheduled: int = 0) -> Decision:
        # Through a file each time, as the caller keeps it.
        memory = remember(json.loads(json.dumps(asdict(self.memory))))
        self.last = step(self.settings, memory, START + timedelta(minutes=minute), sample, self.running, self.least, self.most)
        self.memory = self.last.memory
        if self.last.change:
            self.actions.append((minute, self.last.change))
        self.running = max(self.last.wanted, scheduled)
        return self.last

    def play(self, cpu: list[float | None], start: float = 0, every: float = 1.0, **others: float | None) -> list[tuple[float, int]]:
        for index, value in enumerate(cpu):
            self.look(start + index * every, Sample(cpu=value, **others))  # type: ignore[arg-type]
        return self.actions


# Recorded traces: the layer's CPU minute by minute, and what must come of it.
TRACES: dict[str, tuple[list[float | None], list[tuple[float, int]]]] = {
    # 5 minutes of waiting, 5 of ignoring, 5 of waiting again.
    "ramp": ([40, 50, 60, 70, 79, 82, 85, 88, 90, 92, 95, *[97] * 20], [(10, 1), (20, 1), (30, 1)]),
    "spike": ([45] * 5 + [99] * 5 + [45] * 20, []),
    "spike of six minutes": ([45] * 5 + [99] * 6 + [45] * 20, [(10, 1)]),
    "flapping around the threshold for up": ([79, 81] * 40, []),
    "flapping around the threshold for down": ([29, 31] * 40, []),
    "exactly at the thresholds": ([80] * 20 + [30] * 30, []),
    # Each tooth is too short to wait for.
    "sawtooth": ([30, 45, 60, 75, 85, 95] * 10, []),
    # 8 minutes are long enough for up, 12 too short for down, of which the ignored time hides 2.
    "slow sawtooth": (([90] * 8 + [20] * 12) * 3, [(5, 1), (25, 1), (45, 1)]),
    # The second tooth falls into the ignored time of the downscaling.
    "slower sawtooth": (([90] * 8 + [20] * 14) * 3, [(5, 1), (20, -1), (40, -1)]),
    # Down waits 10 and ignores 10; the last instance stays.
    "night": ([10] * 60, [(10, -1)]),
    "missing from the start": ([None] * 60, []),
    "low, but with a hole in each wait": (([10] * 9 + [None]) * 6, []),
    # A hole stops the wait for up, it does not end it: nobody knows that the breach ended.
    "high with a hole": ([90, 90, 90, None, None, 90, 90, 90, 90], [(7, 1)]),
    "high, a hole, and low after it": ([90, 90, 90, None, None, 50, 90, 90, 90, 90, 90], []),
}


@pytest.mark.parametrize("name", TRACES)
def test_a_recorded_trace_gives_exactly_these_actions(name: str) -> None:
    cpu, expected = TRACES[name]
    assert Layer().play(cpu) == expected


def test_a_night_takes_one_instance_every_twenty_minutes_down_to_the_floor() -> None:
    layer = Layer(running=5, least=2)
    assert layer.play([10] * 120) == [(10, -1), (30, -1), (50, -1)]
    assert layer.running == 2


def test_the_count_is_the_size_of_an_action_and_ends_at_the_limits() -> None:
    layer = Layer(LoadSettings(True, replace(DEFAULT_UP, count=3), replace(DEFAULT_DOWN, count=3)), running=2, least=1, most=6)
    assert layer.play([90] * 26) == [(5, 3), (15, 1)]
    assert layer.last and layer.last.causes == ["cpu 90 is above 80: all 6 instances that the load may use run already"]
    assert layer.play([5] * 60, start=26) == [(5, 3), (15, 1), (36, -3), (56, -2)]


def test_the_defaults_are_those_of_opsworks() -> None:
    assert asdict(DEFAULT_UP) == {"count": 1, "wait": 5, "ignore": 5, "cpu": 80.0, **dict.fromkeys(METRICS[1:])}
    assert asdict(DEFAULT_DOWN) == {"count": 1, "wait": 10, "ignore": 10, "cpu": 30.0, **dict.fromkeys(METRICS[1:])}


def test_cpu_up_with_memory_down_is_one_event() -> None:
    layer = Layer(LoadSettings(True, DEFAULT_UP, replace(DEFAULT_DOWN, cpu=None, memory=40.0)))
    assert layer.play([90] * 10, memory=20.0) == [(5, 1)]


def test_an_up_breach_ends_the_wait_for_down() -> None:
    layer = Layer(LoadSettings(True, DEFAULT_UP, replace(DEFAULT_DOWN, cpu=None, memory=40.0)))
    assert layer.play([10] * 9 + [90] + [10] * 11, memory=20.0) == [(20, -1)]


@pytest.mark.parametrize("gone", [name for name in METRICS if name != "cpu"])
def test_a_missing_metric_blocks_no_upscaling(gone: str) -> None:
    everything = Thresholds(1, 5, 5, 80, 80, 4, 10, 50, 100)
    layer = Layer(LoadSettings(True, everything, replace(everything, cpu=30)))
    quiet = {name: 1.0 for name in METRICS if name not in ("cpu", gone)}
    assert layer.play([90] * 6, **quiet) == [(5, 1)]


@pytest.mark.parametrize("gone", METRICS)
def test_a_missing_metric_causes_no_downscaling(gone: str) -> None:
    lows = Thresholds(1, 10, 10, 30, 30, 1, 1, 5, 10)
    layer = Layer(LoadSettings(True, DEFAULT_UP, lows))
    there = {name: 0.5 for name in METRICS if name != gone}
    for minute in range(60):
        layer.look(minute, Sample(**there))
    assert layer.actions == []
    assert layer.last and layer.last.causes == [f"kept: no metric for {gone}, and what nobody sees is not taken away"]


def test_a_mean_that_lacks_an_instance_is_good_for_up_only() -> None:
    layer = Layer()
    for minute in range(30):
        layer.look(minute, Sample(cpu=10, partial=frozenset({"cpu"})))
    assert layer.actions == []
    for minute in range(30, 36):
        layer.look(minute, Sample(cpu=90, partial=frozenset({"cpu"})))
    assert layer.actions == [(35, 1)]


def test_a_metric_that_is_never_there_makes_no_breach_of_a_flapping_one() -> None:
    layer = Layer(LoadSettings(True, replace(DEFAULT_UP, memory=80.0), DEFAULT_DOWN))
    assert layer.play([90, 50] * 20) == []


def test_with_nothing_watched_for_down_nothing_is_taken_away() -> None:
    layer = Layer(LoadSettings(True, DEFAULT_UP, replace(DEFAULT_DOWN, cpu=None)))
    assert layer.play([1] * 60) == []
    assert layer.last and layer.last.causes == ["kept: no threshold for down is watched"]


@pytest.mark.parametrize("nonsense", [float("inf"), float("-inf"), float("nan")])
def test_a_value_that_is_no_number_is_missing(nonsense: float) -> None:
    assert Layer().play([nonsense] * 30) == []


@pytest.mark.parametrize("signal", ["queue", "backlog"])
def test_waiting_people_and_tasks_are_answered_within_30_seconds(signal: str) -> None:
    layer = Layer(DEMAND)
    for index in range(5):
        layer.look(index * 0.25, Sample(cpu=40, **CALM))
    for index in range(5, 7):  # two looks 15 s apart
        layer.look(index * 0.25, Sample(cpu=40, **{**CALM, signal: 500.0}))
    assert layer.actions == [(1.25, 1)]
    assert layer.last
    decided = Layer(DEMAND).look(0, Sample(cpu=40, **{**CALM, signal: 500.0}))
    assert decided.causes == [f"{signal} 500 is above {getattr(DEMAND.up, signal):g}: 1 more, 2 -> 3"]


def test_a_queue_is_answered_even_just_after_a_downscaling_but_not_twice_within_the_ignored_time() -> None:
    layer = Layer(DEMAND)
    layer.play([10] * 11, **CALM)
    layer.play([50] * 9, start=11, queue=50.0, backlog=0.0)
    assert layer.actions == [(10, -1), (11, 1), (16, 1)]


def test_the_end_of_a_schedule_takes_nothing_away_under_load() -> None:
    layer = Layer(running=2, least=2, most=8)
    for minute in range(30):
        layer.look(minute, Sample(cpu=55), scheduled=6)
    for minute in range(30, 60):
        layer.look(minute, Sample(cpu=55), scheduled=0)
    assert (layer.actions, layer.running) == ([], 6)
    assert layer.last and layer.last.causes == ["kept: cpu 55 is not below 30"]
    for minute in range(60, 150):
        layer.look(minute, Sample(cpu=10))
    assert layer.actions == [(70, -1), (90, -1), (110, -1), (130, -1)]


def test_the_end_of_a_schedule_ends_it_when_the_layer_has_been_idle() -> None:
    layer = Layer(running=2, least=2, most=8)
    layer.look(0, Sample(cpu=10))
    for minute in range(1, 60):
        layer.look(minute, Sample(cpu=10), scheduled=6)
    assert layer.look(60, Sample(cpu=10)).wanted == 2


def test_upscaling_starts_from_what_the_schedule_runs() -> None:
    layer = Layer(running=2, least=2, most=8)
    for minute in range(6):
        layer.look(minute, Sample(cpu=90), scheduled=6)
    assert layer.last and layer.last.wanted == 7


def test_no_metrics_hold_what_runs() -> None:
    layer = Layer(running=4)
    for minute in range(200):
        assert layer.look(minute, Sample()).wanted == 4


def test_a_lost_memory_holds_what_runs() -> None:
    layer = Layer(running=4)
    layer.play([20] * 5)
    layer.memory = remember("not a memory")
    assert layer.look(5, Sample(cpu=20)).wanted == 4


@pytest.mark.parametrize("broken", [None, [], {"wanted": "4"}, {"last": True}, {"up_by": "cpu"}, {"up_by": ["hair"]}, {"last": float("nan")}])
def test_a_broken_memory_is_forgotten(broken: object) -> None:
    assert remember(broken) == Memory()


def test_a_memory_survives_its_file_and_unknown_keys_of_a_later_version() -> None:
    memory = Memory(3, 5.0, 4.0, ("cpu", "load"), None, 1.0, 2.5)
    assert remember({**json.loads(json.dumps(asdict(memory))), "later": 1}) == memory


def test_a_downscaling_that_would_call_for_an_upscaling_is_made_smaller_or_not_made() -> None:
    swinging = LoadSettings(True, DEFAULT_UP, replace(DEFAULT_DOWN, count=3, cpu=60.0))
    assert Layer(swinging, running=2).play([55] * 60) == []
    assert Layer(swinging, running=4).play([55] * 15) == [(10, -1)]


def test_a_layer_without_load_wants_its_floor_and_forgets() -> None:
    memory = Memory(5, START.timestamp(), up_at=START.timestamp())
    decision = step(replace(DEFAULTS, enable=False), memory, START, Sample(cpu=99), 5, 2, 6)
    assert (decision.wanted, decision.causes, decision.memory) == (2, [], Memory(last=START.timestamp()))


def test_now_must_have_a_zone() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        step(DEFAULTS, Memory(), datetime(2027, 3, 14), Sample(), 1, 1, 1)


# The clock.

@pytest.mark.parametrize("jump", [-60 * 24 * 365, -60, -1, 10.5, 180, 60 * 24 * 365])
@pytest.mark.parametrize("cpu", [95, 5])
def test_a_clock_that_jumps_acts_on_nothing_and_the_waits_start_anew(jump: float, cpu: float) -> None:
    layer = Layer(DEMAND, running=3)
    layer.play([cpu] * 5, queue=0.0, backlog=0.0)
    wait = 5 if cpu == 95 else 10
    landing = 4 + jump
    for minute in range(wait):
        layer.look(landing + minute, Sample(cpu=cpu, **CALM))
        assert (layer.actions, layer.running) == ([], 3)
    layer.look(landing + wait, Sample(cpu=cpu, **CALM))
    assert layer.actions == [(landing + wait, 1 if cpu == 95 else -1)]


def test_a_jump_acts_not_even_on_a_queue_that_is_seen_for_the_first_time() -> None:
    layer = Layer(DEMAND)
    layer.look(0, Sample(cpu=50, **CALM))
    assert layer.look(180, Sample(cpu=50, queue=500.0)).wanted == 2
    assert layer.look(180.25, Sample(cpu=50, queue=500.0)).wanted == 3


def test_the_floor_holds_over_a_jump() -> None:
    layer = Layer(running=2)
    layer.look(0, Sample(cpu=50))
    layer.least = 4
    assert layer.look(180, Sample(cpu=50)).wanted == 4


def test_a_controller_that_was_off_starts_nothing_that_was_wanted_hours_ago() -> None:
    layer = Layer()
    layer.play([90] * 20)
    assert layer.running == 4
    layer.running = 2  # an operator stopped them meanwhile
    assert layer.look(200, Sample(cpu=50)).wanted == 2


def test_a_clock_set_back_does_not_make_the_ignored_time_endless() -> None:
    layer = Layer()
    layer.play([90] * 6)
    layer.play([90] * 15, start=-600)
    assert layer.actions == [(5, 1), (-590, 1)]


# On any trace.

VALUES = st.sampled_from([None, 0.0, 5.0, 29.0, 30.0, 31.0, 50.0, 79.0, 80.0, 81.0, 99.0, float("nan")])
LIMITS = st.one_of(st.none(), st.sampled_from([20.0, 30.0, 60.0, 80.0]))


def thresholds() -> st.SearchStrategy[Thresholds]:
    return st.builds(
        Thresholds, st.integers(1, 3), st.integers(1, 12), st.integers(1, 12), cpu=LIMITS, memory=LIMITS, load=LIMITS, queue=LIMITS, backlog=LIMITS)


LOOKS = st.lists(
    st.tuples(
        st.sampled_from([15, 30, 60, 60, 60, 90, 120]),  # seconds since the look before
        st.builds(Sample, cpu=VALUES, memory=VALUES, load=VALUES, queue=VALUES, backlog=VALUES),
        st.integers(1, 9)),  # how often the same is seen
    min_size=1, max_size=30)


@budget(max_examples=400, deadline=None)
@given(up=thresholds(), down=thresholds(), looks=LOOKS, running=st.integers(0, 8), least=st.integers(0, 4), most=st.integers(0, 8),
       schedule=st.lists(st.integers(0, 8), min_size=1, max_size=5))
def test_what_no_trace_can_break(up: Thresholds, down: Thresholds, looks: list[tuple[int, Sample, int]], running: int, least: int, most: int,
                                 schedule: list[int]) -> None:
    layer = Layer(LoadSettings(True, up, down), running, least, most)
    seconds, incomplete, watched = 0, [], [name for name in METRICS if getattr(down, name) is not None]
    lows = {"cpu", "memory", "load", "queue", "backlog"} & set(watched)
    for index, (pause, sample, times) in enumerate(looks):
        for _ in range(times):
            seconds += pause
            before = len(layer.actions)
            decision = layer.look(seconds / 60, sample, schedule[index % len(schedule)])
            assert least <= decision.wanted <= max(least, most)
            assert decision.change >= 0 or lows, "a downscaling though nothing is watched for it"
            if any(not (getattr(sample, name) or 0.0) >= 0 or getattr(sample, name) is None for name in lows):
                incomplete.append(seconds / 60)
                assert len(layer.actions) == before or layer.actions[-1][1] > 0, "a downscaling while a metric is missing"
    check_the_pauses(layer, up, down, incomplete)


def check_the_pauses(layer: Layer, up: Thresholds, down: Thresholds, incomplete: list[float]) -> None:
    for (first, change), (second, next_change) in combinations(layer.actions, 2):
        if change > 0 and next_change > 0:
            assert second - first >= up.ignore - 1e-6
        if next_change < 0:
            ignored = up.ignore if change > 0 else down.ignore
            assert second - first >= ignored + down.wait - 1e-6
    for (first, one), (_, two), (third, three) in zip(layer.actions, layer.actions[1:], layer.actions[2:], strict=False):
        if (one > 0) != (two > 0) and (one > 0) == (three > 0):
            wait, ignore = (down.wait, up.ignore)
            assert third - first >= wait + ignore - 1e-6, "up, down, up within wait and ignored time"
    for minute, change in layer.actions:
        if change < 0:
            assert not [gap for gap in incomplete if minute - down.wait <= gap <= minute], "a downscaling after minutes that nobody saw"


def reference(settings: LoadSettings, looks: list[tuple[float, float, float]], size: int, least: int, most: int) -> list[tuple[float, int]]:
    """The rules told in another way: from the whole history at each look, for full samples (minute, cpu, queue)."""
    up, down = settings.up, settings.down
    actions: list[tuple[float, int]] = []
    assert up.cpu is not None and down.cpu is not None and up.queue is not None and down.queue is not None
    for index, (minute, cpu, queue) in enumerate(looks):
        deaf_until = max([at + (up.ignore if change > 0 else down.ignore) for at, change in actions], default=-1.0)
        up_deaf = any(minute < at + up.ignore for at, change in actions if change > 0)
        heard = [look for look in looks[:index + 1] if look[0] >= deaf_until - 1e-9]

        def lasted(test, heard=heard, minute=minute):  # type: ignore[no-untyped-def]
            length = -1.0
            for at, one, two in reversed(heard):
                if not test(one, two):
                    break
                length = minute - at
            return length + 1e-6

        change = 0
        if queue > up.queue or cpu > up.cpu:
            if not up_deaf and (queue > up.queue or lasted(lambda one, two: one > up.cpu or two > up.queue) >= up.wait):
                change = max(0, min(up.count, most - size))
        elif lasted(lambda one, two: one < down.cpu and two < down.queue and one <= up.cpu and two <= up.queue) >= down.wait:
            sizes = [size - fewer for fewer in range(1, down.count + 1) if size - fewer >= least and cpu * size <= up.cpu * (size - fewer)]
            change = min(sizes) - size if sizes else 0
        if change:
            actions.append((minute, change))
            size += change
    return actions


@budget(max_examples=400, deadline=None)
@given(looks=st.lists(st.tuples(st.sampled_from([5.0, 25.0, 45.0, 75.0, 79.0, 81.0, 99.0]), st.sampled_from([0.0, 0.0, 0.0, 5.0, 20.0]), st.integers(1, 15)),
                      min_size=1, max_size=25),
       waits=st.tuples(*[st.integers(1, 12)] * 4), counts=st.tuples(*[st.integers(1, 3)] * 2), lows=st.sampled_from([30.0, 60.0, 78.0]),
       size=st.integers(1, 6))
def test_the_steps_agree_with_the_rules_told_in_another_way(
        looks: list[tuple[float, float, int]], waits: tuple[int, ...], counts: tuple[int, ...], lows: float, size: int) -> None:
    settings = LoadSettings(
        True, Thresholds(counts[0], waits[0], waits[1], cpu=80.0, queue=10.0), Thresholds(counts[1], waits[2], waits[3], cpu=lows, queue=1.0))
    trace: list[tuple[float, float, float]] = []
    for cpu, queue, minutes in looks:
        trace += [(len(trace) + index, cpu, queue) for index in range(minutes)]
    layer = Layer(settings, running=size, least=1, most=6)
    for minute, cpu, queue in trace:
        layer.look(minute, Sample(cpu=cpu, queue=queue))
    assert layer.actions == reference(settings, trace, size, 1, 6)
