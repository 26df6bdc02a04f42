# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a forecast costs, from the prices that the stack file gives as `stack_prices`. Pure. No price is ever assumed.

variables:
  stack_prices: {currency: EUR, app: 0.052, always: 0.04, time: 0.05}  # per hour; a layer's price wins over a type's
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from .forecast import Forecast, PlanError
from .stackfile import LAYERS, TYPES, Instance

CURRENCY = "currency"


@dataclass(frozen=True)
class Prices:
    per_hour: Mapping[str, Decimal]  # of a layer or of a type
    currency: str = ""

    def of(self, one: Instance) -> Decimal | None:
        return self.per_hour.get(one.layer, self.per_hour.get(one.type))


@dataclass(frozen=True)
class Cost:
    total: Decimal
    layers: Mapping[str, Decimal]
    unknown: tuple[str, ...]  # instances that run, and for which no price is given; not in the total
    currency: str


def read(data: Mapping[str, object]) -> Prices | None:
    """The prices that were given; None where there are none. PlanError names the key that cannot be used."""
    found = {}
    for key, value in data.items():
        if key == CURRENCY:
            continue
        if key not in LAYERS and key not in TYPES:
            expected = f"a layer ({', '.join(LAYERS)}), a type ({', '.join(TYPES)}) or {CURRENCY}"
            raise PlanError("stack_prices", key, expected, "correct the word, or remove the line")
        found[str(key)] = _price(str(key), value)
    return Prices(found, str(data.get(CURRENCY) or "")) if found else None


def _price(key: str, value: object) -> Decimal:
    try:
        price = None if isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        price = None
    if price is None or not price.is_finite() or price < 0:
        raise PlanError(f"stack_prices.{key}", value, "a price per hour, 0 or more", f"write for example {key}: 0.05")
    return price


def cost(week: Forecast, prices: Prices) -> Cost:
    layers: dict[str, Decimal] = {}
    unknown = []
    for one in week.members:
        price = prices.of(one)
        if price is None:
            unknown += [one.name] if week.hours[one.name] else []
        else:
            layers[one.layer] = layers.get(one.layer, Decimal(0)) + price * Decimal(str(week.hours[one.name]))
    return Cost(sum(layers.values(), Decimal(0)), layers, tuple(unknown), prices.currency)
