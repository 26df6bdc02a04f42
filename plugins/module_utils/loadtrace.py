# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A recorded or made load for a simulation: JSON lines, each with what one layer's metrics say from an instant on. Pure.

{"at": "2027-03-12T09:30:00+00:00", "layer": "app", "cpu": 85, "queue": 3, "instances": 2}

A line holds until the layer's next one; one without a metric says that nobody measures then. With `instances` the line says
by how many the load was shared when it was measured: more of them have less of it each, fewer more.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from .load import METRICS, SHARED, Sample

KEYS = ("at", "layer", "instances", *METRICS)
EXAMPLE = '{"at": "2027-03-12T09:30:00+00:00", "layer": "app", "cpu": 85}'


class TraceError(ValueError):
    """A line of a trace cannot be used."""

    def __init__(self, file: str, line: int, key: str, found: object, expected: str, mend: str) -> None:
        where = f"{file}:{line}: {key + ': ' if key else ''}"
        super().__init__(f"{where}found {found!r}, expected {expected}; mend: {mend}")


@dataclass(frozen=True)
class Point:
    """From `at` on, the metrics of a layer."""

    at: datetime
    layer: str
    sample: Sample
    instances: int | None = None  # that shared it


@dataclass(frozen=True)
class Trace:
    points: Mapping[str, Sequence[Point]]  # layer: by time

    @cached_property
    def _at(self) -> dict[str, list[datetime]]:
        return {layer: [one.at for one in points] for layer, points in self.points.items()}

    def sample(self, layer: str, now: datetime, running: int) -> Sample:
        """What the metrics of the layer say now, where so many of its instances share the load."""
        before = bisect_right(self._at.get(layer, []), now)
        if not before:
            return Sample()
        point = self.points[layer][before - 1]
        if point.instances is None or running < 1:
            return point.sample
        share = point.instances / running
        shared: dict[str, Any] = {name: value * share for name in SHARED if (value := getattr(point.sample, name)) is not None}
        return replace(point.sample, **shared | ({"cpu": min(shared["cpu"], 100.0)} if "cpu" in shared else {}))


def trace(points: Sequence[Point]) -> Trace:
    by_time = sorted(points, key=lambda one: one.at)  # stable: of two at one instant, the later line counts
    return Trace({layer: [one for one in by_time if one.layer == layer] for layer in {one.layer for one in by_time}})


def read(text: str, layers: Sequence[str], file: str = "trace") -> Trace:
    """A trace from its text. TraceError names the line, what was found there, what was expected and the mend."""
    lines = enumerate(text.splitlines(), 1)
    return trace([_point(line, layers, file, number) for number, line in lines if line.strip()])


def _point(line: str, layers: Sequence[str], file: str, number: int) -> Point:
    def wrong(key: str, found: object, expected: str, mend: str) -> TraceError:
        return TraceError(file, number, key, found, expected, mend)

    try:
        data: Any = json.loads(line)
    except ValueError:
        raise wrong("", line[:60], "a JSON mapping on one line", f"write for example {EXAMPLE}") from None
    if not isinstance(data, dict):
        raise wrong("", line[:60], "a JSON mapping", f"write for example {EXAMPLE}")
    for key in data:
        if key not in KEYS:
            raise wrong(key, data[key], f"one of the keys {', '.join(KEYS)}", "correct the key, or remove it")
    try:
        at = datetime.fromisoformat(data.get("at", ""))
    except (TypeError, ValueError):
        raise wrong("at", data.get("at"), "an instant", 'write for example "at": "2027-03-12T09:30:00+00:00"') from None
    if at.tzinfo is None:
        raise wrong("at", data["at"], "an instant with its offset from UTC", f'write for example "at": "{data["at"]}+00:00"')
    if data.get("layer") not in layers:
        expected = f"one of the layers that live by load: {', '.join(layers) or 'this stack has none'}"
        raise wrong("layer", data.get("layer"), expected, "correct the layer, or give it `load` in the stack file")
    for key in METRICS:
        value = data.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0):
            raise wrong(key, value, "a number, 0 or more, or null where it is missing", f'write for example "{key}": 85')
    instances = data.get("instances")
    if instances is not None and (isinstance(instances, bool) or not isinstance(instances, int) or instances < 1):
        raise wrong("instances", instances, "a whole number, 1 or more", "say how many instances shared the load, or remove the key")
    values: dict[str, Any] = {key: float(data[key]) for key in METRICS if data.get(key) is not None}
    return Point(at.astimezone(UTC), data["layer"], Sample(**values), instances)
