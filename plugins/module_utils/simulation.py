# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A week as scale.yml would do it, without any machine: the very brain of every tick, before an observation that is made up.

Pure and deterministic. What is made up behaves as the plays do: a tick that has something to do first starts, then stops, and
holds the lease until both are done; the ticks meanwhile leave it alone. An instance is healthy when its start is done, and is
paid from the beginning of its start to the end of its stop.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from . import plan as brain
from .forecast import FAILED, START, STOP, Forecast, Move, PlanError, Slot, ordered
from .load import LoadSettings
from .loadtrace import Trace
from .schedule import NEXT, LayerSchedule, edges, wanted
from .stackfile import Stack

NO_LOAD = Trace({})
NUMBER = re.compile(r"\d[\d.:]*")
ANY = ""  # the key of what is so for every layer


@dataclass(frozen=True)
class Settings:
    """What the made-up machines and controllers do. All lengths are in seconds."""

    start_seconds: Mapping[str, Sequence[float]] = field(default_factory=lambda: {ANY: (60.0,)})  # of a layer's starts, in turn
    stop_seconds: float = 30.0
    tick: float = 60.0
    failures: Mapping[str, int] = field(default_factory=dict)  # instance: so many of its starts fail, the first ones
    off: tuple[tuple[datetime, datetime], ...] = ()  # when no controller runs
    controllers: int = 1  # at each tick, one after the other


@dataclass(frozen=True)
class Opening:
    """An instant from which more is wanted by the clock, and how many were healthy just then."""

    at: datetime
    layer: str
    wanted: int
    healthy: int


@dataclass(frozen=True)
class Note:
    """What the brain said besides, as it first said it; how often it said that, with whatever numbers."""

    at: datetime
    text: str
    times: int


@dataclass(frozen=True)
class Simulation:
    week: Forecast  # as it went
    openings: tuple[Opening, ...]
    notes: tuple[Note, ...]
    ticks: int
    busy: int  # ticks that found the lease taken

    @property
    def late(self) -> tuple[Opening, ...]:
        return tuple(one for one in self.openings if one.healthy < one.wanted)


@dataclass
class _Machines:
    """What there is, as far as a tick can see it."""

    on: dict[str, tuple[datetime, str]]  # healthy: paid since, why
    busy_until: datetime
    began: dict[str, int] = field(default_factory=dict)  # starts so far, of a layer
    tries: dict[str, int] = field(default_factory=dict)  # starts so far, of an instance
    moves: list[Move] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    healthy: list[tuple[str, datetime, datetime]] = field(default_factory=list)


def simulate(
    stack: Stack, schedules: Mapping[str, LayerSchedule], loads: Mapping[str, LoadSettings], leads: Mapping[str, timedelta],
    start: datetime, end: datetime, trace: Trace = NO_LOAD, settings: Settings | None = None, zone: str = "UTC",
) -> Simulation:  # fmt: skip
    """[start, end) tick by tick. What the clock wants just before the start runs already, nothing else does.

    PlanError where a setting cannot be used; ValueError where an instant is not in UTC.
    """
    settings = _checked(settings or Settings())
    layer_of = {one.name: one.layer for one in stack.instances}
    before = brain.desired(stack, schedules, start - NEXT, leads, frozenset(), {})
    there = _Machines({name: (start, why) for name, why in before.items()}, start)
    since = dict.fromkeys(before, start)  # healthy since
    memory = brain.Memory()
    said: dict[str, Note] = {}
    ticks = busy = 0
    step, now = timedelta(seconds=settings.tick), start
    while now < end:
        for _one in range(settings.controllers if not _is_off(settings, now) else 0):
            ticks += 1
            if now < there.busy_until:
                busy += 1
                continue
            seen = frozenset(there.on)
            clock = brain.Clock(now, (now - start).total_seconds(), "simulated")
            running = {layer: sum(one.type == "always" or one.name in seen for one in stack.layer(layer)) for layer in loads}
            samples = {layer: trace.sample(layer, now, running[layer]) for layer in loads}
            found = brain.plan(stack, schedules, loads, clock, leads, brain.Observed(seen, seen), samples, memory)
            memory = found.memory
            for note in found.notes:
                alike = NUMBER.sub("#", note)
                said[alike] = replace(said[alike], times=said[alike].times + 1) if alike in said else Note(now, note, 1)
            memory = _act(there, since, found, memory, layer_of, now, settings)
        now += step
    slots = [*there.slots, *(Slot(name, paid, end, why) for name, (paid, why) in there.on.items() if paid < end)]
    slots += [Slot(one.name, start, end, "always") for one in stack.instances if one.type == "always"]
    slots = [replace(one, end=min(one.end, end)) for one in slots if one.start < end]
    healthy = [*there.healthy, *((name, at, end) for name, at in since.items())]
    week = ordered(stack, start, end, zone, there.moves, slots)
    return Simulation(week, tuple(_openings(stack, schedules, healthy, start, end)), tuple(said.values()), ticks, busy)


def _act(
    there: _Machines, since: dict[str, datetime], found: brain.Plan, memory: brain.Memory,
    layer_of: Mapping[str, str], now: datetime, settings: Settings,
) -> brain.Memory:  # fmt: skip
    """Start and stop as start.yml and stop.yml do: all that start at once, then all that stop."""
    ready, failing = now, []
    for name, why in found.start.items():
        layer = layer_of[name]
        took = settings.start_seconds.get(layer) or settings.start_seconds.get(ANY) or (60.0,)
        turn = there.began.get(layer, 0)
        done = now + timedelta(seconds=took[turn % len(took)])
        there.began[layer], there.tries[name] = turn + 1, there.tries.get(name, 0) + 1
        fails = there.tries[name] <= settings.failures.get(name, 0)
        there.moves.append(Move(now, FAILED if fails else START, name, layer, why))
        if fails:
            failing.append(name)
            there.slots.append(Slot(name, now, done, why))
        else:
            there.on[name], since[name] = (now, why), done
        ready = max(ready, done)
    gone = ready + timedelta(seconds=settings.stop_seconds) if found.stop else ready
    for name, why in found.stop.items():
        paid, cause = there.on.pop(name)
        there.moves.append(Move(now, STOP, name, layer_of[name], why))
        there.slots.append(Slot(name, paid, gone, cause))
        there.healthy.append((name, since.pop(name), ready))
    there.busy_until = gone
    return brain.failed(memory, failing, ready) if failing else memory


def _openings(
    stack: Stack, schedules: Mapping[str, LayerSchedule], healthy: Sequence[tuple[str, datetime, datetime]], start: datetime, end: datetime,
) -> Iterable[Opening]:  # fmt: skip
    for layer, schedule in schedules.items():
        members = {one.name for one in stack.layer(layer)}
        steady = sum(one.type == "always" for one in stack.layer(layer))
        for at in edges(schedule, start, end):
            want = wanted(schedule, at)
            if want.keys() - wanted(schedule, at - NEXT).keys():
                here = sum(name in members and since <= at < until for name, since, until in healthy)
                yield Opening(at, layer, steady + len(want), steady + here)


def _is_off(settings: Settings, now: datetime) -> bool:
    return any(start <= now < end for start, end in settings.off)


def _checked(settings: Settings) -> Settings:
    lengths = [("tick", settings.tick, 1.0), ("stop_seconds", settings.stop_seconds, 0.0)]
    lengths += [("start_seconds", one, 0.0) for several in settings.start_seconds.values() for one in several]
    for key, value, least in lengths:
        if not least <= value <= 86400:
            raise PlanError(key, value, f"seconds, from {least:g} to 86400", f"-e {key}={60 if key == 'tick' else 30}")
    return settings
