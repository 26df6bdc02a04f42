# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A week, forecast or simulated, as lines for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from zoneinfo import ZoneInfo

from .forecast import DATE, FAILED, START, STOP, Forecast, Move, cells
from .prices import Cost, Prices, cost
from .schedule import NEXT
from .simulation import Simulation

SIGNS = {START: "+", STOP: "-"}
WORDS = {START: "start", STOP: "stop", FAILED: "failed start"}
SHOWN = 30  # notes of a simulation


def plan(stack: str, week: Forecast, prices: Prices | None) -> list[str]:
    """The plan: heading, starts and stops by day, capacity by hour, hours and price, notes."""
    return [f"{stack}, {span(week)}, by the clock", "", *_moves(week), "", *_grids(week), *_sums(week, prices), *_notes(week.notes)]


def simulated(stack: str, found: Simulation, prices: Prices | None) -> list[str]:
    """The same of a simulation, and how it went."""
    week, zone = found.week, ZoneInfo(found.week.zone)
    told = [f"{one.at.astimezone(zone):%a %d %b %H:%M}  {one.text}{f'  (so or alike {one.times} times)' if one.times > 1 else ''}" for one in found.notes]
    more = [f"and {len(told) - SHOWN} more"] if len(told) > SHOWN else []
    return [
        f"{stack}, {span(week)}, simulated", "", *_moves(week), "", *_grids(week), *_sums(week, prices), *ready(found),
        *_notes([*week.notes, *told[:SHOWN], *more]),
    ]  # fmt: skip


def span(week: Forecast) -> str:
    zone = ZoneInfo(week.zone)
    return f"{week.start.astimezone(zone):{DATE}} to {(week.end - NEXT).astimezone(zone):{DATE}}, {week.zone}"


def ready(found: Simulation) -> list[str]:
    """Whether what the clock wants was healthy in time; and how the ticks went."""
    zone = ZoneInfo(found.week.zone)
    said = [f"{found.ticks} ticks, {found.busy} of them while another one was still starting or stopping"]
    if found.openings:
        said.append(f"healthy when wanted: {len(found.openings) - len(found.late)} of {len(found.openings)} openings")
    said += [f"  late: {one.at.astimezone(zone):%a %d %b %H:%M}  {one.layer} had {one.healthy} of {one.wanted}" for one in found.late]
    return said


def money(found: Cost) -> str:
    text = f"{found.total:,.2f} {found.currency}".rstrip()
    return text + (f", without {some(found.unknown)}: stack_prices gives no price" if found.unknown else "")


def some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def counted(week: Forecast) -> str:
    numbers = {words: sum(one.verb == verb for one in week.moves) for verb, words in WORDS.items()}
    return ", ".join(f"{number} {one if number == 1 else one + 's'}" for one, number in numbers.items() if number) or "nothing starts or stops"


def together(week: Forecast) -> list[tuple[Move, list[str]]]:
    """The moves, those of one instant and one cause as one: the first of them, and all their names."""
    same = groupby(week.moves, key=lambda one: (one.at, one.verb, one.layer, one.why))
    return [(found[0], [one.instance for one in found]) for found in (list(moves) for _key, moves in same)]


def local(one: Move, week: Forecast) -> str:
    """The time in the window's own zone; with its day where that is another one."""
    there = one.at.astimezone(ZoneInfo(one.zone or week.zone))
    other = there.date() != one.at.astimezone(ZoneInfo(week.zone)).date()
    return f"{there:{'%a ' if other else ''}%H:%M %Z}"


def reason(one: Move) -> str:
    return one.why if one.verb in SIGNS else f"{one.verb}: {one.why}"


def _moves(week: Forecast) -> Iterator[str]:
    zone = ZoneInfo(week.zone)
    moves = together(week)
    wide = min(max((len(", ".join(names)) for _one, names in moves), default=0), 40)
    if not moves:
        yield "Nothing starts and nothing stops."
    for day, found in groupby(moves, key=lambda pair: pair[0].at.astimezone(zone).date()):
        yield f"{day:{DATE}}"
        for one, names in found:
            time = f"{local(one, week):<9}" + ("" if "UTC" in local(one, week) else f"  {one.at:%H:%M} UTC")
            yield f"  {time}  {SIGNS.get(one.verb, '!')} {', '.join(names):<{wide}}  {reason(one)}"


def _grids(week: Forecast) -> Iterator[str]:
    """For each layer that moves, a row for each day and a column for each hour, as in OpsWorks."""
    changing = False
    for layer in week.layers:
        rows = [(day, [week.capacity(layer, a, b) if a < b else None for a, b in cells(day, week.zone)]) for day in week.days()]
        wide = max(len(str(most)) for _day, row in rows for _least, most in filter(None, row)) + 2
        changing = changing or any(cell and cell[0] < cell[1] for _day, row in rows for cell in row)
        hours = "".join(f"{f'{hour:02}' if hour % 3 == 0 else '':<{wide}}" for hour in range(24))
        yield f"{layer:<14}{hours}".rstrip()
        for day, row in rows:
            yield f"  {day:%a %d %b}  {''.join(f'{_cell(cell):<{wide}}' for cell in row)}".rstrip()
        yield ""
    if changing:
        yield from ("* changes within the hour; the most is shown", "")


def _cell(cell: tuple[int, int] | None) -> str:
    if cell is None:
        return ""  # the clocks leave this hour out
    return f"{cell[1] or '.'}{'*' if cell[0] < cell[1] else ''}"


def _sums(week: Forecast, prices: Prices | None) -> Iterator[str]:
    found = cost(week, prices) if prices else None
    for layer in dict.fromkeys(one.layer for one in week.members):
        names = [one.name for one in week.members if one.layer == layer]
        price = f"{found.layers[layer]:>12,.2f} {found.currency}".rstrip() if found and layer in found.layers else ""
        yield f"{layer:<12}{sum(week.hours[name] for name in names):>10,.1f} h{price}"
    yield f"{'in all':<12}{sum(week.hours.values()):>10,.1f} h{'  ' + money(found) if found else ''}"
    for one in week.members:
        if one.type != "always" and week.hours[one.name]:
            yield f"  {one.name:<16}{week.hours[one.name]:>8,.1f} h"


def _notes(texts: Sequence[str]) -> list[str]:
    return ["", "Notes", *(f"  {text}" for text in texts)] if texts else []
