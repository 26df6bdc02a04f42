# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What plan.yml and simulate.yml read, and what they then tell: the one place of the plan that looks at files and at the clock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from . import loadtrace, observe, plannotes, prices, simulation, stackfile, statefiles, weekpage, weektext
from .forecast import Forecast, PlanError, after, forecast, midnight, usual_zone
from .schedule import LayerSchedule, Window, with_events
from .ticking import leads_of


@dataclass(frozen=True)
class Told:
    week: Forecast
    said: list[str]
    page: str


@dataclass(frozen=True)
class _Asked:
    """What was asked for, with all that is known about it."""

    stack: stackfile.Stack
    schedules: Mapping[str, LayerSchedule]  # with the on-sales that the app published last
    leads: Mapping[str, timedelta]
    measured: Mapping[str, list[float]]
    on_sales: list[Window] | None
    prices: prices.Prices | None
    start: datetime
    days: int
    zone: str

    def noted(self, week: Forecast) -> Forecast:
        return replace(week, notes=tuple(plannotes.notes(self.stack, self.schedules, self.leads, week, self.on_sales, self.measured)))

    @property
    def by_load(self) -> list[str]:
        return [layer for layer, one in self.stack.loads.items() if one.enable]


def _published(url: str, folder: Path) -> dict[str, Any]:
    """What the app publishes now; of one that does not answer what it said at the last tick."""
    if url:
        try:
            found: dict[str, Any] = json.loads(observe.fetch(url))
            observe.windows(found, 1)
            return found
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass
    return statefiles.read(folder / statefiles.ON_SALES)


def planned(given: Mapping[str, Any]) -> Told:
    """The coming days by the clock. PlanError, StackFileError or StateError say what cannot be used, and the mend."""
    asked = _asked(given)
    week = asked.noted(forecast(asked.stack, asked.schedules, asked.leads, asked.start, asked.days, asked.zone))
    page = weekpage.render(asked.stack.name, week, asked.prices, asked.by_load)
    return Told(week, weektext.plan(asked.stack.name, week, asked.prices), page)


def simulated(given: Mapping[str, Any]) -> Told:
    """Any days, tick by tick; TraceError where the load cannot be read."""
    asked = _asked(given)
    load = simulation.NO_LOAD
    if given["trace"]:
        load = loadtrace.read(_text(Path(given["trace"]), "trace"), asked.by_load, str(given["trace"]))
    took: dict[str, list[float]] = {simulation.ANY: [given["start_seconds"]]} if given["start_seconds"] else {**asked.measured}
    settings = simulation.Settings(took, given["stop_seconds"])
    end = after(asked.start, asked.days, asked.zone)
    found = simulation.simulate(asked.stack, asked.schedules, asked.stack.loads, asked.leads, asked.start, end, load, settings, asked.zone)
    found = replace(found, week=asked.noted(found.week))
    figures = [(f"{len(found.openings) - len(found.late)} of {len(found.openings)}", "healthy when wanted")] if found.openings else []
    shown = replace(found.week, notes=(*weektext.ready(found), *found.week.notes))
    page = weekpage.render(asked.stack.name, shown, asked.prices, asked.by_load, "Simulated", figures)
    return Told(found.week, weektext.simulated(asked.stack.name, found, asked.prices), page)


def _asked(given: Mapping[str, Any]) -> _Asked:
    file, folder = Path(given["stack_file"]), Path(given["state_dir"])
    stack = stackfile.parse(_text(file, "stack_file"), str(file))
    known = _published(given.get("events_url") or "", folder)
    try:
        on_sales = observe.windows(known, 1) if known else None
        schedules = {layer: with_events(one, observe.windows(known, len(stack.layer(layer)))) for layer, one in stack.schedules.items()}
    except (KeyError, TypeError, ValueError) as exc:
        raise statefiles.StateError(f"{folder / statefiles.ON_SALES}: {exc!r}; expected what the app published; mend: remove it") from None
    zone = given["zone"] or usual_zone(stack.schedules)
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise PlanError("zone", zone, "the name of a time zone", "write for example Europe/Dublin") from None
    measured = {layer: [float(one) for one in took] for layer, took in statefiles.read(folder / statefiles.STARTS).items() if took}
    return _Asked(
        stack, schedules, leads_of(schedules, folder), measured, on_sales, prices.read(given["prices"]),
        midnight(given["from"], zone, datetime.now(UTC)), given["days"], zone,
    )  # fmt: skip


def _text(path: Path, key: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        found = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise PlanError(key, f"{path}: {found}", "a file of UTF-8 text that you may read", "correct the path, or save it as UTF-8") from None
