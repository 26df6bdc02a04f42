# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one tick reads of what earlier ones and earlier starts wrote down."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from . import load, statefiles
from .plan import Failure, Memory
from .schedule import LayerSchedule, lead


def leads_of(schedules: Mapping[str, LayerSchedule], folder: Path) -> dict[str, timedelta]:
    """How early each layer's instances are started, from how long its starts took."""
    measured = statefiles.read(folder / statefiles.STARTS)
    return {layer: lead(one, [timedelta(seconds=float(took)) for took in measured.get(layer, [])]) for layer, one in schedules.items()}


def remembered(folder: Path) -> Memory:
    """The last tick's memory. What cannot be read is forgotten: all that is lost by it are waits that begin anew."""
    kept = statefiles.read(folder / statefiles.TICK)
    failures = statefiles.read(folder / statefiles.FAILURES)
    return Memory(
        loads={str(layer): load.remember(data) for layer, data in (kept.get("loads") or {}).items()},
        failures={name: Failure(int(one["count"]), float(one["last"])) for name, one in failures.items()},
        wall=_number(kept.get("wall")),
        uptime=_number(kept.get("uptime")),
        boot=str(kept.get("boot") or ""),
        no_stop_until=_number(kept.get("no_stop_until")) or 0.0,
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
