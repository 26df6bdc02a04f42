# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person should know beside a plan: on-sales, overlaps, leads, load, and days that are longer or shorter. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from itertools import combinations
from zoneinfo import ZoneInfo

from .forecast import Forecast, cells
from .load import LoadSettings
from .schedule import START, LayerSchedule, Occurrence, Window, occurrences
from .stackfile import Stack

SHOWN = 12  # notes of one kind; more are only counted


def notes(
    stack: Stack, schedules: Mapping[str, LayerSchedule], leads: Mapping[str, timedelta], week: Forecast, on_sales: list[Window] | None,
    measured: Collection[str] = (),
) -> list[str]:  # fmt: skip
    """In the order in which they matter. `on_sales`: what the app published last, for layers that do not ask for it too;
    None: nothing is known. `measured`: layers whose starts were."""
    return [
        *_few(_uncovered(schedules, week, on_sales or []), "on-sales"),
        *_unknown(schedules, on_sales),
        *(text for one in schedules.values() for text in _few(_overlaps(one, week), "overlaps")),
        *_early(schedules, leads, measured),
        *_by_load(stack, stack.loads),
        *_odd_days(week),
    ]


def _uncovered(schedules: Mapping[str, LayerSchedule], week: Forecast, on_sales: list[Window]) -> Iterator[str]:
    """On-sales for which a layer that moves does not get more, because its schedule does not say on_sales."""
    for layer in week.layers:
        if layer in schedules and schedules[layer].on_sales:
            continue
        for one in (found for window in on_sales for found in occurrences(window, week.start, week.end)):
            least = week.capacity(layer, one.start, one.end)[0]
            mend = f"mend: layers.{layer}.schedule.on_sales: true" if layer in schedules else f"mend: give {layer} instances of type time"
            yield f"{one.window.name}, {_span(one, week)}: {layer} has {least} by the clock and does not look at on-sales; {mend}"


def _unknown(schedules: Mapping[str, LayerSchedule], on_sales: list[Window] | None) -> Iterator[str]:
    layers = [layer for layer, one in schedules.items() if one.on_sales]
    if layers and on_sales is None:
        yield f"{', '.join(layers)}: the app's on-sales are not known here, so none is in this plan; they are once scale.yml has run"


def _overlaps(schedule: LayerSchedule, week: Forecast) -> Iterator[str]:
    found = [one for window in (*schedule.windows, *schedule.extra) for one in occurrences(window, week.start, week.end)]
    for one, other in combinations(sorted(found, key=lambda one: (one.start, one.window.name)), 2):
        if other.start >= one.end:
            continue
        both = Occurrence(max(one.start, other.start), min(one.end, other.end), one.window)
        names = f"'{one.window.name}' and '{other.window.name}'"
        if one.window.priority != other.window.priority:
            wins = max(one, other, key=lambda each: each.window.priority).window
            rule = f"'{wins.name}' counts alone, its priority is higher"
        else:
            rule = "the larger number counts, and all chosen instances"
        yield f"{schedule.layer}: {names} overlap {_span(both, week)}: {rule}"


def _early(schedules: Mapping[str, LayerSchedule], leads: Mapping[str, timedelta], measured: Collection[str]) -> Iterator[str]:
    for layer, schedule in schedules.items():
        lead = leads.get(layer, timedelta(0))
        if lead and schedule.timed:
            said = "as its starts were measured" if layer in measured else f"its starts were never measured, {START.total_seconds():.0f} s are assumed"
            why = said if schedule.ready_by is None else "as ready_by says"
            yield f"{layer}: starts {lead.total_seconds() / 60:.1f} min before it is wanted: {why}"


def _by_load(stack: Stack, loads: Mapping[str, LoadSettings]) -> Iterator[str]:
    for layer in dict.fromkeys(one.layer for one in stack.movable):
        number = sum(one.type == "load" for one in stack.layer(layer))
        enabled = layer in loads and loads[layer].enable
        if number and enabled:
            yield f"{layer}: up to {number} more by load, at any time; only a simulation counts them"
        elif number:
            yield f"{layer}: {number} of type load never start, as load is not on; mend: layers.{layer}.load.Enable: true"


def _odd_days(week: Forecast) -> Iterator[str]:
    for day in week.days():
        hours = sum((end - start) / timedelta(hours=1) for start, end in cells(day, week.zone))
        if hours != 24:
            yield f"{day:%a %d %b}: the clocks of {week.zone} change, the day has {hours:g} hours"


def _few(texts: Iterator[str], what: str) -> Iterator[str]:
    found = list(texts)
    yield from found[:SHOWN]
    if len(found) > SHOWN:
        yield f"and {len(found) - SHOWN} more {what}"


def _span(one: Occurrence, week: Forecast) -> str:
    zone = ZoneInfo(week.zone)
    start, end = one.start.astimezone(zone), one.end.astimezone(zone)
    return f"{start:%a %d %b %H:%M} to {end:{'%H:%M' if start.date() == end.date() else '%a %d %b %H:%M'}}"
