# Copyright (c) Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many instances of a layer the load asks for. Pure: no clock, no I/O; the caller keeps the memory between two steps.

OpsWorks' rules and defaults: act when a threshold has been breached without a break for `wait` minutes, by `count`
instances, and then take no notice of the metrics for `ignore` minutes. What differs, and why:

- A missing metric never holds an upscaling back and never leads to a downscaling (OpsWorks' alarms without data blocked both).
- Up wins over down: one event, and down waits anew.
- Waiting visitors (queue) and waiting tasks (backlog) are demand itself, not a sign of it: above their threshold the step
  decides at once. The mean over 15 s that the metrics carry is the damping.
- While the layer is not idle, the load wants at least what runs: the end of a schedule takes nothing away under load.
- A downscaling that by itself would breach an up-threshold again is made smaller, or not made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime

METRICS = ("cpu", "memory", "load", "queue", "sessions", "backlog")
URGENT = ("queue", "backlog")
SHARED = ("cpu", "load", "sessions")  # what one instance less leaves to the others
JUMP = 600  # seconds between two steps after which what was seen before says nothing about now


@dataclass(frozen=True)
class Thresholds:
    """One direction. None: not watched (the file's -1)."""

    count: int  # instances
    wait: int  # minutes, 1-100
    ignore: int  # minutes, 1-100
    cpu: float | None = None
    memory: float | None = None
    load: float | None = None
    queue: float | None = None
    sessions: float | None = None
    backlog: float | None = None


@dataclass(frozen=True)
class LoadSettings:
    enable: bool
    up: Thresholds
    down: Thresholds


DEFAULT_UP = Thresholds(1, 5, 5, 80.0)
DEFAULT_DOWN = Thresholds(1, 10, 10, 30.0)


@dataclass(frozen=True)
class Sample:
    """A layer now. None: missing."""

    cpu: float | None = None  # %, mean of the instances
    memory: float | None = None  # %, mean of the instances
    load: float | None = None  # 1-minute load average, mean of the instances
    queue: float | None = None  # requests that wait in HAProxy
    sessions: float | None = None  # per second and instance
    backlog: float | None = None  # Celery tasks that wait
    partial: frozenset[str] = frozenset()  # metrics that some online instance did not give: good for up, not for down


@dataclass(frozen=True)
class Memory:
    """What the next step must know; instants are seconds since 1970. `asdict` and `remember` are its way into a file and back."""

    wanted: int | None = None  # by load; None: nothing decided yet
    last: float | None = None  # the last step
    up_since: float | None = None
    up_by: tuple[str, ...] = ()  # the metrics above their thresholds
    down_since: float | None = None
    up_at: float | None = None  # the last action
    down_at: float | None = None


@dataclass(frozen=True)
class Decision:
    memory: Memory
    wanted: int
    causes: list[str]
    change: int = 0  # what this step added (or, below 0, took away) because of the load; 0: no event


@dataclass(frozen=True)
class _Seen:
    """What a step makes of its sample."""

    up: tuple[str, ...]  # above their up-threshold
    idle: bool  # every watched down-metric is there and below, and nothing is above
    unseen: tuple[str, ...]  # watched for up, and missing


def remember(data: object) -> Memory:
    """The memory that a file kept. What cannot be read is forgotten: the next step then holds what runs."""
    if not isinstance(data, Mapping):
        return Memory()
    known = {field.name: data[field.name] for field in fields(Memory) if field.name in data}
    by, wanted = known.pop("up_by", ()), known.pop("wanted", None)
    numbers = [value for value in (wanted, *known.values()) if value is not None]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) for value in numbers):
        return Memory()
    if not isinstance(by, list | tuple) or any(name not in METRICS for name in by):
        return Memory()
    return Memory(wanted=None if wanted is None else int(wanted), up_by=tuple(by), **known)


def step(settings: LoadSettings, memory: Memory, now: datetime, sample: Sample, running: int, least: int, most: int) -> Decision:
    """One look at a layer. `running`: its instances that run or start now, without those that drain or stop;
    `least`: what runs in any case; `most`: all that the load may use, those of `least` among them. `least` wins over `most`."""
    if now.tzinfo is None:
        raise ValueError("now has no time zone; expected an instant in UTC. Mend: datetime.now(UTC)")
    at = now.timestamp()
    if not settings.enable:
        return Decision(Memory(last=at), least, [])
    seen = _look(settings, sample)
    held = _held(memory, at, seen, running, most)
    gap = 0.0 if memory.last is None else at - memory.last
    if not 0 <= gap <= JUMP:
        fresh = Memory(
            held, at, at if seen.up else None, seen.up, at if seen.idle else None, _not_after(memory.up_at, at), _not_after(memory.down_at, at))
        return Decision(fresh, max(least, held), [f"the clock moved by {gap / 60:.0f} min since the last look: every wait starts anew"])
    memory = _wait(settings, replace(memory, wanted=held, last=at), at, gap, seen)
    size = max(least, held)
    if seen.up:
        return _up(settings.up, memory, at, sample, seen, size, most, blocked=_after_up(settings, memory, at))
    if memory.down_since is not None and at - memory.down_since >= settings.down.wait * 60:
        return _down(settings, memory, at, sample, size, running, least)
    return Decision(memory, size, [_kept(settings, memory, at, sample, seen)] if size > least else [])


def _held(memory: Memory, at: float, seen: _Seen, running: int, most: int) -> int:
    """What the load wants before this step decides anything."""
    if memory.wanted is None or memory.last is None or at - memory.last > JUMP:
        return min(running, most)  # what was wanted long ago neither starts nor stops anything
    return min(memory.wanted if seen.idle and at >= memory.last else max(memory.wanted, running), most)


def _wait(settings: LoadSettings, memory: Memory, at: float, gap: float, seen: _Seen) -> Memory:
    """Start, go on with, or end the waits."""
    if _quiet(settings, memory, at):
        return replace(memory, up_since=None, up_by=(), down_since=None)
    down = (at if memory.down_since is None else memory.down_since) if seen.idle else None
    if seen.up:
        return replace(memory, up_since=at if memory.up_since is None else memory.up_since, up_by=seen.up, down_since=down)
    if memory.up_since is not None and set(memory.up_by) & set(seen.unseen):
        # Nobody knows whether the breach went on: this time counts neither for it nor against it.
        return replace(memory, up_since=memory.up_since + gap, down_since=down)
    return replace(memory, up_since=None, up_by=(), down_since=down)


def _up(up: Thresholds, memory: Memory, at: float, sample: Sample, seen: _Seen, size: int, most: int, *, blocked: bool) -> Decision:
    urgent = [name for name in seen.up if name in URGENT]
    waited = 0.0 if memory.up_since is None else at - memory.up_since
    above = ", ".join(f"{name} {getattr(sample, name):g} is above {getattr(up, name):g}" for name in urgent or seen.up)
    if blocked:
        return Decision(memory, size, [f"{above}: ignored so soon after the last upscaling"])
    # Demand is answered even just after a downscaling, which then was a mistake; all else waits, and its wait begins after the ignored time.
    if not urgent and waited < up.wait * 60:
        return Decision(memory, size, [f"{above} for {waited / 60:.0f} of {up.wait} min"])
    more = min(up.count, most - size)
    if more <= 0:
        return Decision(memory, size, [f"{above}: all {most} instances that the load may use run already"])
    after = replace(memory, wanted=size + more, up_since=None, up_by=(), down_since=None, up_at=at)
    how_long = "" if urgent else f" for {up.wait} min"
    return Decision(after, size + more, [f"{above}{how_long}: {more} more, {size} -> {size + more}"], more)


def _down(settings: LoadSettings, memory: Memory, at: float, sample: Sample, size: int, running: int, least: int) -> Decision:
    down = settings.down
    below = ", ".join(f"{name} {getattr(sample, name):g} is below {getattr(down, name):g}" for name in _watched(down))
    for fewer in range(min(down.count, size - least), 0, -1):
        if not _overloads(settings.up, sample, running, size - fewer):
            after = replace(memory, wanted=size - fewer, up_since=None, up_by=(), down_since=None, down_at=at)
            return Decision(after, size - fewer, [f"{below} for {down.wait} min: {fewer} fewer, {size} -> {size - fewer}"], -fewer)
    return Decision(memory, size, [f"{below}: but the others would be above a threshold for up without it"] if size > least else [])


def _overloads(up: Thresholds, sample: Sample, running: int, left: int) -> bool:
    """Would those that are left be above a threshold, if they shared what all carry now? Without this a layer can swing for ever."""
    shared = ((getattr(sample, name), getattr(up, name)) for name in SHARED)
    return any(value is not None and limit is not None and value * running > limit * left for value, limit in shared)


def _look(settings: LoadSettings, sample: Sample) -> _Seen:
    values = {name: _value(sample, name) for name in METRICS}
    watched = _watched(settings.up)
    above = tuple(name for name in watched if (value := values[name]) is not None and value > getattr(settings.up, name))
    lows = _watched(settings.down)
    low = bool(lows) and all(
        (value := values[name]) is not None and name not in sample.partial and value < getattr(settings.down, name) for name in lows)
    return _Seen(above, low and not above, tuple(name for name in watched if values[name] is None))


def _value(sample: Sample, name: str) -> float | None:
    value: float | None = getattr(sample, name)
    return None if value is None or not math.isfinite(value) else value


def _watched(thresholds: Thresholds) -> tuple[str, ...]:
    return tuple(name for name in METRICS if getattr(thresholds, name) is not None)


def _after_up(settings: LoadSettings, memory: Memory, at: float) -> bool:
    return memory.up_at is not None and at < memory.up_at + settings.up.ignore * 60


def _quiet(settings: LoadSettings, memory: Memory, at: float) -> bool:
    """Within the time in which the metrics still show the last change itself."""
    return _after_up(settings, memory, at) or (memory.down_at is not None and at < memory.down_at + settings.down.ignore * 60)


def _not_after(instant: float | None, at: float) -> float | None:
    """A clock that was set back must not leave an action in the future: its ignored time would have no end."""
    return None if instant is None else min(instant, at)


def _kept(settings: LoadSettings, memory: Memory, at: float, sample: Sample, seen: _Seen) -> str:
    """Why more than the floor is wanted although nothing happens."""
    if _quiet(settings, memory, at):
        return "kept: the metrics are ignored so soon after the last change"
    if seen.idle and memory.down_since is not None:
        return f"kept: low for {(at - memory.down_since) / 60:.0f} of {settings.down.wait} min"
    lows = _watched(settings.down)
    missing = [name for name in lows if _value(sample, name) is None or name in sample.partial]
    if missing:
        return f"kept: no metric for {', '.join(missing)}, and what nobody sees is not taken away"
    high = [f"{name} {getattr(sample, name):g} is not below {getattr(settings.down, name):g}" for name in lows
            if getattr(sample, name) >= getattr(settings.down, name)]
    return f"kept: {', '.join(high)}" if high else "kept: no threshold for down is watched"
