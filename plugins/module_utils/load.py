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

from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime

METRICS = ("cpu", "memory", "load", "queue", "sessions", "backlog")


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


DEFAULT_UP = Thresholds(1, 5, 5, 80.0, None, None, None, None, None, None)
DEFAULT_DOWN = Thresholds(1, 10, 10, 30.0, None, None, None, None, None, None)


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


def step(settings: LoadSettings, memory: Memory, now: datetime, sample: Sample, running: int, least: int, most: int) -> Decision:
    raise NotImplementedError
