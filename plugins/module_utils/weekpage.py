# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A week, forecast or simulated, as one page: no script, nothing from elsewhere, readable on a phone. Pure.

Two kinds of grids, both with a row for each day and a column for each hour of the zone's clock, as OpsWorks had them: one for
each layer, with how many are on, and one for each instance that comes and goes, filled to the minute.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from itertools import groupby, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, StrictUndefined

from . import weektext
from .forecast import DATE, FAILED, START, STOP, Forecast, Slot, cells
from .prices import Cost, Prices, cost
from .stackfile import Instance
from .weekpage_template import PAGE

BOX = 10  # of an instance's grid, in the SVG's units
WIDE, HIGH = 14, 14  # a cell of a layer's grid
LEFT, TOP = 36, 12
FOOT = 3  # the strip of a cell
TYPES = {"always": "always", "time": "by the clock", "load": "by load"}


def render(
    stack: str, week: Forecast, prices: Prices | None, by_load: Collection[str] = (),
    kind: str = "By the clock", figures: Sequence[tuple[str, str]] = (),
) -> str:  # fmt: skip
    """The page. `by_load`: the layers whose load-based instances may come. `figures`: (number, word) pairs to show beside those of every week."""
    found = cost(week, prices) if prices else None
    template = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True).from_string(PAGE)
    return template.render(
        stack=stack, title=weektext.span(week).rsplit(",", 1)[0], kind=kind, week=week, box=BOX, notes=week.notes,
        figures=[*_figures(week, found), *figures], layers=[_layer(week, name, name in by_load) for name in week.layers], days=_days(week),
        sums=_sums(week, found), priced=found is not None, unpriced=_unpriced(found),
    )  # fmt: skip


def _figures(week: Forecast, found: Cost | None) -> list[tuple[str, str]]:
    starts, stops = (sum(one.verb == verb for one in week.moves) for verb in (START, STOP))
    numbers = [(str(starts), "starts"), (str(stops), "stops"), (f"{sum(week.hours.values()):,.0f}", "instance-hours")]
    return [*numbers, (f"{found.total:,.2f}", found.currency or "price")] if found else numbers


def _layer(week: Forecast, layer: str, by_load: bool) -> dict[str, Any]:
    members = [one for one in week.members if one.layer == layer]
    steady = sum(one.type == "always" for one in members)
    numbers: dict[str, int] = {kind: sum(one.type == kind for one in members) for kind in TYPES}
    top = max((most for _at, _least, most in week.by_hour(layer)), default=steady)
    rows = []
    for n, day in enumerate(week.days()):
        y = TOP + n * (HIGH + 1)
        boxes = [_cell(week, layer, day, hour, cell, steady, top) for hour, cell in enumerate(cells(day, week.zone)) if cell[0] < cell[1]]
        rows.append({"label": f"{day:%a %d}", "y": y, "base": y + HIGH - 4, "foot": y + HIGH - FOOT, "cells": boxes})
    return {
        "name": layer, "says": ", ".join(f"{number} {TYPES[kind]}" for kind, number in numbers.items() if number),
        "width": LEFT + 24 * (WIDE + 1), "height": TOP + len(rows) * (HIGH + 1), "wide": WIDE, "high": HIGH, "foot": FOOT, "rows": rows,
        "hours": [{"x": LEFT + hour * (WIDE + 1), "text": f"{hour:02}"} for hour in range(0, 24, 3)],
        "members": _cards(week, members, by_load),
    }  # fmt: skip


def _cell(week: Forecast, layer: str, day: date, hour: int, cell: tuple[datetime, datetime], steady: int, top: int) -> dict[str, Any]:
    """An hour: filled for the fewest in it, with a strip at its foot that shows from which minute on there are more."""
    start, end = cell
    steps = week.steps(layer, start, end)
    least, most = min(number for _at, number in steps), max(number for _at, number in steps)
    left = LEFT + hour * (WIDE + 1)
    strips = []
    for (begin, number), (until, _next) in pairwise([*steps, (end, 0)]) if least < most else ():
        x, width = left + WIDE * ((begin - start) / (end - start)), WIDE * ((until - begin) / (end - start))
        strips.append({"x": _unit(x), "width": _unit(width), "fill": _fill(number, steady, top)})
    said = f"{least} to {most}" if least < most else str(most)
    tone = " strong" if _shade(least, steady, top) > 0.8 else " same" if most <= steady else ""
    return {
        "title": f"{day:%a %d %b} {hour:02}:00 to {hour + 1:02}:00: {said} on", "x": left, "fill": _fill(least, steady, top), "strips": strips,
        "number": most, "middle": _unit(left + WIDE / 2), "tone": tone,
    }  # fmt: skip


def _shade(number: int, steady: int, top: int) -> float:
    """How strong the colour is, 0 to 1."""
    return 0.0 if number <= steady else 0.35 + 0.65 * (number - steady) / max(top - steady, 1)


def _fill(number: int, steady: int, top: int) -> str:
    if number <= steady:
        return "var(--always)" if number else "var(--box)"
    return f"rgb(var(--time) / {_shade(number, steady, top):.2f})"


def _cards(week: Forecast, members: list[Instance], by_load: bool) -> list[dict[str, Any]]:
    """A grid for each instance that comes and goes, and one for all that wait for load."""
    waiting = [one for one in members if one.type == "load" and not week.hours[one.name]]
    cards = []
    for one in members:
        if one.type == "always" or one in waiting:
            continue
        says = f"{TYPES[one.type]}, " + (f"{week.hours[one.name]:,.1f} h" if week.hours[one.name] else "does not run")
        cards.append(_card(week, one.name, says, [bar for slot in week.slots if slot.instance == one.name for bar in _bars(week, slot, one)]))
    if waiting:
        says = "by load, at any time" if by_load else "by load, which is not on"
        cards.append(_card(week, ", ".join(one.name for one in waiting), says, [], "load-boxes" if by_load else "boxes"))
    return cards


def _card(week: Forecast, name: str, says: str, bars: list[dict[str, Any]], pattern: str = "boxes") -> dict[str, Any]:
    days, left, top = week.days(), 24, 10
    labels = [f"{day:%a}" if len(days) <= 7 else f"{day:%d.%m}" for day in days]
    return {
        "name": name, "says": says, "left": left, "top": top, "pattern": pattern, "bars": bars,
        "rows": [{"label": label, "base": top + n * BOX + BOX - 2} for n, label in enumerate(labels)],
        "width": left + 24 * BOX, "height": top + len(days) * BOX,
        "hours": [{"x": left + hour * BOX, "text": f"{hour:02}"} for hour in range(0, 24, 6)],
    }  # fmt: skip


def _bars(week: Forecast, slot: Slot, one: Instance) -> list[dict[str, Any]]:
    """A slot, day by day, as wide as its part of each hour; one box for an hour that the clocks read twice."""
    zone = ZoneInfo(week.zone)
    failed = any(move.at == slot.start and move.verb == FAILED and move.instance == one.name for move in week.moves)
    begin, end = slot.start.astimezone(zone), slot.end.astimezone(zone)
    title = f"{begin:%a %d %b %H:%M} to {end:%a %d %b %H:%M}: {slot.why}"
    style = "bar-failed" if failed else f"bar-{one.type}"
    found = []
    for n, day in enumerate(week.days()):
        edges: list[float] = []
        for hour, (start, until) in enumerate(cells(day, week.zone)):
            first, last = max(start, slot.start), min(until, slot.end)
            if first < last:
                edges += [hour + (first - start) / (until - start), hour + (last - start) / (until - start)]
        if edges:
            x, width = BOX * min(edges), BOX * (max(edges) - min(edges))
            found.append({"style": style, "x": _unit(x), "y": n * BOX, "width": _unit(max(width, 0.5)), "title": title})
    return found


def _days(week: Forecast) -> list[tuple[str, list[dict[str, str]]]]:
    zone = ZoneInfo(week.zone)
    found = []
    for day, moves in groupby(weektext.together(week), key=lambda pair: pair[0].at.astimezone(zone).date()):
        rows = []
        for one, names in moves:
            local = weektext.local(one, week)
            rows.append({
                "local": local, "utc": "" if "UTC" in local else f"{one.at:%H:%M} UTC", "names": ", ".join(names), "why": weektext.reason(one),
                "sign": {"-": "−"}.get(sign := weektext.SIGNS.get(one.verb, "!"), sign),  # noqa: RUF001 - a minus as wide as the plus
                "style": {START: "start", FAILED: "failed"}.get(one.verb, "stop"),
            })  # fmt: skip
        found.append((f"{day:{DATE}}", rows))
    return found


def _sums(week: Forecast, found: Cost | None) -> list[dict[str, str]]:
    rows = []
    for layer in dict.fromkeys(one.layer for one in week.members):
        hours = sum(week.hours[one.name] for one in week.members if one.layer == layer)
        price = f"{found.layers[layer]:,.2f} {found.currency}" if found and layer in found.layers else ""
        rows.append({"name": layer, "hours": f"{hours:,.1f} h", "price": price})
    total = f"{found.total:,.2f} {found.currency}" if found else ""
    return [*rows, {"name": "in all", "hours": f"{sum(week.hours.values()):,.1f} h", "price": total}]


def _unpriced(found: Cost | None) -> str:
    return f"Without {weektext.some(found.unknown)}: stack_prices gives no price." if found and found.unknown else ""


def _unit(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
