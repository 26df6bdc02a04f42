# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keys of a stack file that say when instances come and go: `schedule` and `load` of a layer, the grid of an instance.

app:
  instances: {always: 2, time: 2, load: 2}  # or a list; there, one of type time may have
                                            #   schedule: {Friday: {"9": "on"}}, hours in UTC, as OpsWorks has them
  schedule:
    time_zone: Europe/Dublin  # of every window that has none of its own; UTC if not said
    ready_by: true            # start early by what was measured; or by "10 min"; or false, at the edge
    on_sales: false           # true: the sales that the app publishes count as well
    windows:                  # instances: so many of the layer in all, or a list of names of type time
      - {name: rush, days: [fri], from: "09:30", to: "12:00", instances: 4}  # to <= from: on the next day
      - {name: sale, at: "2027-03-14 10:00", for: 90 min, instances: 4}      # once; priority 10, weekly ones have 0
    except: ["2026-12-25"]    # no weekly window opens on these local dates; a window may have more of them
  load:                       # OpsWorks' names, units and defaults; -1: not watched
    Enable: true
    UpScaling: {InstanceCount: 1, ThresholdsWaitTime: 5, IgnoreMetricsTime: 5, CpuThreshold: 80, QueueThreshold: 1}
    DownScaling: {InstanceCount: 1, ThresholdsWaitTime: 10, IgnoreMetricsTime: 10, CpuThreshold: 30}
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TypeVar

import yaml

from .load import DEFAULT_DOWN, DEFAULT_UP, LoadSettings, Thresholds
from .schedule import DAY, Window
from .schedule_grid import WRAPPERS, Grid, mistakes, parse
from .stackfile_nodes import Reader
from .stackfile_times import clock, dates, flag, length, moment, pairs, scalar, time_zone

# key: whether it must be there
SCHEDULE_KEYS = {"time_zone": False, "ready_by": False, "on_sales": False, "windows": False, "except": False}
WEEKLY_KEYS = {"name": True, "days": False, "from": True, "to": True, "instances": True, "time_zone": False, "priority": False, "except": False}
DATED_KEYS = {"name": True, "at": True, "for": True, "instances": True, "time_zone": False, "priority": False}
LOAD_KEYS = {"Enable": False, "UpScaling": False, "DownScaling": False}
# The grid of an instance: ours, or OpsWorks' own words for it.
GRID_KEYS = ("schedule", *WRAPPERS)
MINUTES = ("ThresholdsWaitTime", "IgnoreMetricsTime")
# OpsWorks' name: field of Thresholds, and the most it can be
METRICS: dict[str, tuple[str, float]] = {
    "CpuThreshold": ("cpu", 100),
    "MemoryThreshold": ("memory", 100),
    "LoadThreshold": ("load", 1e9),
    "QueueThreshold": ("queue", 1e9),
    "SessionRateThreshold": ("sessions", 1e9),
    "BacklogThreshold": ("backlog", 1e9),
}
THRESHOLD_KEYS = dict.fromkeys(("InstanceCount", *MINUTES, *METRICS, "Alarms"), False)
# words people bring from elsewhere
OTHER_WORDS = {
    "timezone": "time_zone",
    "tz": "time_zone",
    "zone": "time_zone",
    "lead": "ready_by",
    "exclude": "except",
    "holidays": "except",
    "events": "windows",
    "day": "days",
    "start": "from",
    "end": "to",
    "until": "to",
    "duration": "for",
    "count": "instances",
    "enabled": "Enable",
    "up": "UpScaling",
    "down": "DownScaling",
    "haproxyqueuethreshold": "QueueThreshold",
}

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NAME = re.compile(r"[^\x00-\x1f\x7f'\"]{1,60}")
MOST_PRIORITY = 100

Value = TypeVar("Value")


@dataclass(frozen=True)
class ScheduleSettings:
    """The `schedule` of a layer, before it is known which instances the layer has."""

    windows: tuple[Window, ...] = ()
    ready_by: timedelta | None = None
    on_sales: bool = False


def grid(reader: Reader, node: yaml.Node, path: str) -> Grid:
    """The grid of one instance; an empty one where it cannot be read."""
    data = plain(node)
    found = list(mistakes(data))
    for one in found:
        there = node
        for key in one.keys:
            there = next((value for name, value in pairs(there) if name == key), there)
        reader.note(there, ".".join((path, *one.keys)), one.what, one.expected, one.mend, one.found)
    return Grid() if found else parse(data)


def schedule(reader: Reader, node: yaml.Node, path: str, most: int) -> ScheduleSettings:
    """The `schedule` of a layer; what cannot be read is noted and left out."""
    keys = reader.mapping(node, path, SCHEDULE_KEYS, OTHER_WORDS)
    zone = (time_zone(reader, keys["time_zone"], f"{path}.time_zone") if "time_zone" in keys else "UTC") or "UTC"
    ready_by = _ready_by(reader, keys["ready_by"], f"{path}.ready_by") if "ready_by" in keys else None
    on_sales = flag(reader, keys["on_sales"], f"{path}.on_sales") if "on_sales" in keys else False
    skip = dates(reader, keys["except"], f"{path}.except") if "except" in keys else frozenset()
    nodes = reader.items(keys["windows"], f"{path}.windows", "a list of windows", "begin each with a hyphen") if "windows" in keys else None
    read = [window(reader, one, f"{path}.windows[{i}]", zone, skip, most) for i, one in enumerate(nodes or [])]
    return ScheduleSettings(tuple(one for one in read if one), ready_by, on_sales)


def window(reader: Reader, node: yaml.Node, path: str, zone: str, skip: frozenset[date], most: int) -> Window | None:
    """One window: with `at` it is a dated event, without it comes back every week."""
    before = len(reader.problems)
    names = [name for name, _value in pairs(node)]
    dated = "at" in names
    wrong = [name for name in names if name in (WEEKLY_KEYS if dated else DATED_KEYS) and name not in (DATED_KEYS if dated else WEEKLY_KEYS)]
    for name in wrong:
        value = next(value for key, value in pairs(node) if key == name)
        what = "a dated event does not come back" if dated else "a weekly window has no length of its own"
        expected = 'only "at" and "for" say when' if dated else '"from" and "to", or "at" and "for"'
        mend = "remove it, or remove at and for" if dated else 'give it a date with "at", or write from and to'
        reader.note(value, f"{path}.{name}", what, expected, mend)
    known = DATED_KEYS if dated else WEEKLY_KEYS
    if wrong:  # said already, and a key that is missing is then its sequel
        known = dict.fromkeys((*known, *wrong), False)
    keys = reader.mapping(node, path, known, OTHER_WORDS)

    def read(key: str, of: Callable[[Reader, yaml.Node, str], Value | None], default: Value) -> Value:
        found = of(reader, keys[key], f"{path}.{key}") if key in keys else None
        return default if found is None else found

    nobody: int | tuple[str, ...] = 0
    named = Window(
        read("name", lambda r, n, p: r.text(n, p, NAME, "a name of at most 60 letters, without quotes in it"), ""),
        read("instances", lambda r, n, p: _instances(r, n, p, most), nobody),
        read("time_zone", time_zone, zone),
        priority=read("priority", lambda r, n, p: r.count(n, p, MOST_PRIORITY, 0), 10 if dated else 0),
    )
    if dated:
        found = replace(named, at=read("at", moment, datetime(2000, 1, 1)), length=read("for", length, timedelta(0)))
    else:
        begin, end = read("from", clock, 0), read("to", lambda r, n, p: clock(r, n, p, "24:00"), DAY)
        days = read("days", _days, frozenset(range(7)))
        own = dates(reader, keys["except"], f"{path}.except") if "except" in keys else frozenset()
        found = replace(named, days=days, begin=begin, end=end if end > begin else end + DAY, skip=skip | own)
    return found if len(reader.problems) == before else None


def load(reader: Reader, node: yaml.Node, path: str, most: int) -> LoadSettings:
    """The `load` of a layer: what it does not say has OpsWorks' default."""
    keys = reader.mapping(node, path, LOAD_KEYS, OTHER_WORDS)
    enable = flag(reader, keys["Enable"], f"{path}.Enable") if "Enable" in keys else False
    up = _thresholds(reader, keys["UpScaling"], f"{path}.UpScaling", DEFAULT_UP, most) if "UpScaling" in keys else DEFAULT_UP
    down = _thresholds(reader, keys["DownScaling"], f"{path}.DownScaling", DEFAULT_DOWN, most) if "DownScaling" in keys else DEFAULT_DOWN
    return LoadSettings(enable, up, down)


def export_load(settings: LoadSettings) -> dict[str, object]:
    """The settings in OpsWorks' words, each key said: load() of it is the identity."""

    def side(one: Thresholds) -> dict[str, float]:
        numbers: dict[str, float] = {"InstanceCount": one.count, "ThresholdsWaitTime": one.wait, "IgnoreMetricsTime": one.ignore}
        said = {name: getattr(one, field) for name, (field, _most) in METRICS.items()}
        return numbers | {name: -1 if value is None else value for name, value in said.items()}

    return {"Enable": settings.enable, "UpScaling": side(settings.up), "DownScaling": side(settings.down)}


def _thresholds(reader: Reader, node: yaml.Node, path: str, default: Thresholds, most: int) -> Thresholds:
    keys = reader.mapping(node, path, THRESHOLD_KEYS, OTHER_WORDS)
    alarms = keys.get("Alarms")
    if alarms is not None and not (isinstance(alarms, yaml.SequenceNode) and not alarms.value):
        what, expected = "there are no CloudWatch alarms here", f"thresholds: {', '.join(METRICS)}"
        reader.note(alarms, f"{path}.Alarms", what, expected, "remove it, and watch one of these instead")
    found = default
    for key, field, top in (("InstanceCount", "count", most), (MINUTES[0], "wait", 100), (MINUTES[1], "ignore", 100)):
        value = reader.count(keys[key], f"{path}.{key}", top) if key in keys else None
        found = replace(found, **{field: value}) if value else found
    metrics = {field: _threshold(reader, keys[key], f"{path}.{key}", top) for key, (field, top) in METRICS.items() if key in keys}
    return replace(found, **metrics)  # type: ignore[arg-type]  # mypy cannot tell which fields these are


def _threshold(reader: Reader, node: yaml.Node, path: str, most: float) -> float | None:
    expected = f"a number from 0 to {most:.0f}" if most <= 100 else "a number from 0 on"
    number = isinstance(node, yaml.ScalarNode) and node.tag.rpartition(":")[2] in ("int", "float") and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", node.value)
    if not number:
        reader.note(node, path, "this must be a number", f"{expected}, or -1: not watched", "write for example 80")
    elif float(node.value) != -1 and not 0 <= float(node.value) <= most:
        reader.note(node, path, "this number cannot be", f"{expected}, or -1: not watched", "write -1 if you do not want it")
    else:
        return None if float(node.value) == -1 else float(node.value)
    return None


def _instances(reader: Reader, node: yaml.Node, path: str, most: int) -> int | tuple[str, ...] | None:
    if not isinstance(node, yaml.SequenceNode):
        return reader.count(node, path, most)
    if not node.value:
        reader.note(node, path, "this window has no instances", "a number, or names of instances of type time", "write for example 4")
    names = [reader.text(one, f"{path}[{i}]", re.compile(r".+"), "the name of an instance") for i, one in enumerate(node.value)]
    return tuple(dict.fromkeys(one for one in names if one))


def _days(reader: Reader, node: yaml.Node, path: str) -> frozenset[int] | None:
    nodes = reader.items(node, path, "a list of days, such as [mon, fri]", "write it in brackets")
    full = {f"{day}{rest}": day for day, rest in zip(WEEKDAYS, ("day", "sday", "nesday", "rsday", "day", "urday", "day"), strict=True)}
    if nodes == []:
        reader.note(node, path, "this window would never open", f"some of: {', '.join(WEEKDAYS)}", "remove the line for every day")
    read = [reader.choice(one, f"{path}[{i}]", WEEKDAYS, full) for i, one in enumerate(nodes or [])]
    return frozenset(WEEKDAYS.index(one) for one in read if one)


def _ready_by(reader: Reader, node: yaml.Node, path: str) -> timedelta | None:
    """None: by what was measured."""
    if node.tag == "tag:yaml.org,2002:bool":
        return None if flag(reader, node, path) else timedelta(0)
    return length(reader, node, path, "true, false, or ", "10 min")


def plain(node: yaml.Node, depth: int = 4) -> object:
    """Mappings and scalars as Python has them, each scalar as its text; `depth` ends a file that goes in circles."""
    if isinstance(node, yaml.MappingNode) and depth:
        return {name: plain(value, depth - 1) for name, value in pairs(node)}
    return scalar(node) if isinstance(node, yaml.ScalarNode) else []
