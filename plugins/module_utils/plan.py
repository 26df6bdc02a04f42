# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which instances should run now, and what is to be done about it. Pure: the same for the plays, the plan and the simulation.

Level-triggered: from what should be and what is. A tick that was missed costs nothing, a second one changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from . import load
from .load import LoadSettings, Sample
from .schedule import LayerSchedule, wanted
from .stackfile import Stack

RETRY = (60, 120, 240, 480, 900)  # seconds before a start that failed is tried again: after the first, the second, ...
JUMP = timedelta(seconds=90)  # what the clock may differ from the machine's own count between two ticks
CALM = timedelta(minutes=10)  # after a jump of the clock nothing is stopped for so long


@dataclass(frozen=True)
class Failure:
    """Starts of one instance that failed, one after the other."""

    count: int
    last: float  # seconds since 1970


@dataclass(frozen=True)
class Memory:
    """What one tick must tell the next."""

    loads: Mapping[str, load.Memory] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    wall: float | None = None  # seconds since 1970 at the last tick
    uptime: float | None = None  # seconds since this machine started, at the last tick
    boot: str = ""
    no_stop_until: float = 0.0


@dataclass(frozen=True)
class Clock:
    """What time it is, and how long this machine has been up: the two agree unless somebody sets the clock."""

    now: datetime
    uptime: float
    boot: str


@dataclass(frozen=True)
class Observed:
    """What there is. An instance can be powered and not online (its start was cut off), or online and not powered (it died)."""

    powered: frozenset[str]
    online: frozenset[str]
    out: frozenset[str] = frozenset()  # online, but kept out of a balancer


@dataclass(frozen=True)
class Plan:
    start: Mapping[str, str]  # name: why
    stop: Mapping[str, str]
    wanted: Mapping[str, str]
    notes: tuple[str, ...]
    memory: Memory


def desired(
    stack: Stack, schedules: Mapping[str, LayerSchedule], now: datetime, leads: Mapping[str, timedelta],
    running: frozenset[str], totals: Mapping[str, tuple[int, str]], avoid: frozenset[str] = frozenset(),
) -> dict[str, str]:  # fmt: skip
    """name: why, of the time- and load-based instances that should run.

    `totals`: what the load wants of a layer in all, and why. The larger of schedule and load counts: the names that the
    schedule gives, then what runs already (load keeps time-based ones too, but starts none), then load-based ones.
    `avoid`: their start fails just now, others come first.
    """
    found: dict[str, str] = {}
    for layer in dict.fromkeys(one.layer for one in stack.instances):
        members = stack.layer(layer)
        steady = [one for one in members if one.type == "always"]
        named = wanted(schedules[layer], now, leads.get(layer, timedelta(0))) if layer in schedules else {}
        total, why = totals.get(layer, (0, ""))
        missing = total - len(steady) - len(named)
        spare = [one for one in members if one.name not in named and (one.type == "load" or (one.type == "time" and one.name in running))]
        spare.sort(key=lambda one: (one.name in avoid, one.name not in running, one.type))
        found |= named | {one.name: why for one in spare[: max(missing, 0)]}
    return found


def plan(
    stack: Stack, schedules: Mapping[str, LayerSchedule], loads: Mapping[str, LoadSettings], clock: Clock, leads: Mapping[str, timedelta],
    observed: Observed, samples: Mapping[str, Sample], memory: Memory,
) -> Plan:  # fmt: skip
    """What to start and what to stop at this tick. Nothing is stopped that may be needed: see `_no_stop_until`."""
    now = clock.now
    notes: list[str] = []
    until, said = _no_stop_until(clock, memory)
    notes += said
    running = observed.powered & observed.online
    totals, minds = {}, {}
    for layer, settings in loads.items():
        total, mind, said = _by_metrics(stack, schedules, layer, settings, now, leads, running, samples.get(layer, Sample()), memory)
        totals[layer], minds[layer] = total, mind
        notes += [f"{layer}: {text}" for text in said]
    waiting = {name for name, failure in memory.failures.items() if not _due(failure, now)}
    want = desired(stack, schedules, now, leads, running, totals, frozenset(waiting))

    movable = {one.name for one in stack.instances if one.type != "always"}
    start, stop = {}, {}
    for name, why in want.items():
        if name in running and name not in observed.out:
            continue
        if name in waiting:
            failure = memory.failures[name]
            notes.append(f"{name}: its start failed {failure.count} times; tried again {_again(failure):%H:%M:%S} UTC")
            continue
        start[name] = _cause(name, why, observed)
    for name in sorted(movable & (observed.powered | observed.online) - set(want)):
        if now.timestamp() < until:
            notes.append(f"{name}: no longer wanted, but nothing is stopped before {datetime.fromtimestamp(until, UTC):%H:%M:%S} UTC")
        else:
            stop[name] = "no longer wanted" if name in observed.online else "its start was cut off, and it is not wanted"
    failures = {name: failure for name, failure in memory.failures.items() if name in want and name not in running}
    after = Memory(minds, failures, now.timestamp(), clock.uptime, clock.boot, until)
    return Plan(start, stop, want, tuple(notes), after)


def _by_metrics(
    stack: Stack, schedules: Mapping[str, LayerSchedule], layer: str, settings: LoadSettings, now: datetime,
    leads: Mapping[str, timedelta], running: frozenset[str], sample: Sample, memory: Memory,
) -> tuple[tuple[int, str], load.Memory, list[str]]:  # fmt: skip
    members = stack.layer(layer)
    steady = sum(one.type == "always" for one in members)
    named = wanted(schedules[layer], now, leads.get(layer, timedelta(0))) if layer in schedules else {}
    on = sum(one.name in running for one in members if one.type != "always")
    most = steady + len(named) + sum(one.type == "load" for one in members)
    kept = sum(one.type == "time" and one.name in running and one.name not in named for one in members)
    decision = load.step(settings, memory.loads.get(layer, load.Memory()), now, sample, steady + on, steady + len(named), most + kept)
    return (decision.wanted, "; ".join(decision.causes) or "by load"), decision.memory, decision.causes


def _no_stop_until(clock: Clock, memory: Memory) -> tuple[float, list[str]]:
    """A clock that jumps says nothing about what is wanted: until it has been steady for a while, nothing is stopped."""
    at, before = clock.now.timestamp(), memory.wall
    if before is None:
        return 0.0, []
    same_boot = bool(clock.boot) and clock.boot == memory.boot and memory.uptime is not None
    passed = clock.uptime - (memory.uptime or 0.0) if same_boot else max(at - before, 0.0)
    jump = timedelta(seconds=at - before - passed)
    # A jump back must not leave a moment of calm far in the future.
    until = min(memory.no_stop_until, at + CALM.total_seconds())
    if abs(jump) <= JUMP:
        return until, []
    until = at + CALM.total_seconds()
    way = "forward" if jump > timedelta(0) else "back"
    said = f"the clock was set {way} by {abs(jump).total_seconds():.0f} s since the last tick: nothing is stopped for "
    said += f"{CALM.total_seconds() / 60:.0f} min; mend: let chrony or systemd-timesyncd keep this machine's time"
    return until, [said]


def _cause(name: str, why: str, observed: Observed) -> str:
    if name in observed.online and name not in observed.powered:
        return f"{why}; it had died"
    if name in observed.online:
        return f"{why}; a balancer keeps it out"
    return why


def failed(memory: Memory, names: Iterable[str], now: datetime) -> Memory:
    """The memory after the starts of these have failed."""
    before = memory.failures
    more = {name: Failure(before[name].count + 1 if name in before else 1, now.timestamp()) for name in names}
    return replace(memory, failures={**before, **more})


def _again(failure: Failure) -> datetime:
    wait = RETRY[min(failure.count, len(RETRY)) - 1]
    return datetime.fromtimestamp(failure.last + wait, UTC)


def _due(failure: Failure, now: datetime) -> bool:
    wait = RETRY[min(failure.count, len(RETRY)) - 1]
    return not 0 <= now.timestamp() - failure.last < wait
