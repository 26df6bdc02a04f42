# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is told of an estimate: its lines, what a tick changes, and what it is worth. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from . import aws_prices as table
from .aws_cost import HOURS, Change, Estimate, Price, Range

CENT = Decimal("0.01")
BY_USE = ("out_gb", "nat_gb", "nlb_unit_hour", "ses_1000", "s3_gb", "rds_backup_gb")


def money(cost: Range, sign: bool = False) -> str:
    mark = "+" if sign else ""
    least, most = (one.quantize(CENT, ROUND_HALF_UP) for one in (cost.least, cost.most))
    return f"{least:{mark},.2f}" if least == most else f"{least:{mark},.2f} to {most:{mark},.2f}"


def sheet(found: Estimate) -> list[str]:
    """A line for each thing, and the sum of all."""
    rows = [(line.box, line.what, money(line.cost) if line.usd is not None else f"no price known for {line.name}") for line in found.lines]
    rows.append(("together", "without what has no price" if found.unknown() else "", money(found.total)))
    return [f"{box:<9}  {what:<56}  {cost:>10}" for box, what, cost in rows]


def said(change: Change) -> str:
    cost = f"{money(change.cost, sign=True)} {table.CURRENCY}" if change.cost != Range() else ""
    lacks = f"no price known for {', '.join(change.unknown)}" if change.unknown else ""
    return f"{change.box} {change.what}: {' and '.join(filter(None, (cost, lacks)))}"


def difference(before: Estimate, after: Estimate, found: list[Change]) -> list[str]:
    """What was ticked otherwise, box by box, and all of it together."""
    if not found:
        return []
    lacks = " without what has no price" if any(one.unknown for one in found) else ""
    return [*map(said, found), f"together{lacks}: {money(after.total - before.total, sign=True)} {table.CURRENCY} a month"]


def look_up(name: str) -> str:
    """The page of AWS that has a price."""
    return next(page for begin, page in table.LOOK_UP.items() if name.startswith(begin))


def notes(found: Estimate, known: Mapping[str, Price]) -> list[str]:
    """What it is worth: where prices are missing or weak, what is billed by use, and what was left out."""
    region = found.ticked.region
    lines = []
    if region not in table.PRICES:
        lines.append(f"The table has no prices of {region}; it has {' and '.join(sorted(table.PRICES))}. Nothing was taken from another region.")
    for name in found.unknown():
        lines.append(f"No price known for {name} in {region}: it is in no sum. Look at {look_up(name)} and hand it over, as in prices: {{{name}: 0.05}}.")
    weak = sorted({line.name for line in found.lines if line.name in known and _weak(known[line.name])})
    if weak:
        lines.append(f"Not confirmed by a page: {', '.join(weak)} (plugins/module_utils/aws_prices.py says why).")
    nlb = any(line.name == "nlb_hour" for line in found.lines)
    names = [name for name in BY_USE if name in known and (nlb or not name.startswith("nlb_"))]
    used = [f"{table.UNITS[name][1]} {known[name].usd:f} per {table.UNITS[name][0]}" for name in names]
    if used:
        lines.append(f"Billed by use, in no sum: {'; '.join(used)}.")
    lines.append(
        f"An estimate: AWS' list prices on demand in {table.CURRENCY} as of {table.DATE}, {HOURS} h a month; without traffic, taxes, free allowances, "
        "discounts for reserved capacity, and what burstable sizes (t4g) cost beyond their credits. The truth is AWS' bill."
    )
    return lines


def _weak(price: Price) -> bool:
    return bool(price.source) and table.SOURCES[price.source].how != table.FOUND
