# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a stack on AWS costs a month by AWS' list prices, and what ticking a box changes of it. Pure; no price is ever assumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from . import aws_prices as table
from .forecast import PlanError, forecast
from .stackfile import LAYERS, TYPES, Stack

HOURS = Decimal(730)  # of a month, as AWS counts: 365 x 24 / 12
WEEK = Decimal(7 * 24)
WEEKS = 4  # of the schedules that are looked at: a dated window counts where it falls into them
BOXES = (*LAYERS, "network", "alarms")
NOTHING = Decimal(0)


@dataclass(frozen=True)
class Machine:
    name: str
    layer: str
    type: str = "always"


@dataclass(frozen=True)
class Ticked:
    """What is ticked, in a stack file now or when it was last provisioned."""

    region: str
    zones: int
    boxes: Mapping[str, Mapping[str, Any]]
    machines: tuple[Machine, ...]
    groups: Mapping[str, int] = field(default_factory=dict)  # layer: how many an Auto Scaling group may add, which have no names


@dataclass(frozen=True)
class Assumed:
    """What the stack file does not say."""

    disk: int = 20  # GiB of each instance, as role instance makes it
    nat: str = "zone"  # a way out in each zone, or `one`
    alarms: bool = True  # as role aws_alarms makes them
    https: bool = False  # whether Route 53 asks the balancers by HTTPS


@dataclass(frozen=True)
class Price:
    usd: Decimal
    source: str  # in aws_prices; empty: handed over


@dataclass(frozen=True)
class Line:
    box: str
    what: str
    name: str  # of the price
    least: Decimal  # so many of its unit in a month
    most: Decimal
    usd: Decimal | None  # for one; None: no price is known

    @property
    def cost(self) -> Range:
        return Range(self.least * self.usd, self.most * self.usd) if self.usd is not None else Range()


@dataclass(frozen=True)
class Range:
    """What it costs at least and at most: load decides, or an hour that is not known."""

    least: Decimal = NOTHING
    most: Decimal = NOTHING

    def __add__(self, other: Range) -> Range:
        return Range(self.least + other.least, self.most + other.most)

    def __sub__(self, other: Range) -> Range:
        """From what the other one was to what this one is: the least with the least, as the same load is meant."""
        return Range(self.least - other.least, self.most - other.most)


@dataclass(frozen=True)
class Estimate:
    ticked: Ticked
    lines: tuple[Line, ...]

    def of(self, box: str) -> Range:
        return sum((line.cost for line in self.lines if line.box == box), Range())

    def unknown(self, box: str = "") -> tuple[str, ...]:
        """Names of what is needed and has no price; in no sum."""
        return tuple(dict.fromkeys(line.name for line in self.lines if line.usd is None and box in ("", line.box)))

    @property
    def total(self) -> Range:
        return sum((line.cost for line in self.lines), Range())

    @property
    def boxes(self) -> list[str]:
        return [box for box in BOXES if any(line.box == box for line in self.lines)]


@dataclass(frozen=True)
class Change:
    box: str
    what: str
    cost: Range
    unknown: tuple[str, ...]


def prices(region: str, more: Mapping[str, object] | None = None) -> dict[str, Price]:
    """name: price, of the table and of what was handed over, which wins. PlanError names a price that cannot be used."""
    found = {name: Price(Decimal(usd), source) for source, names in table.PRICES.get(region, {}).items() for name, usd in names.items()}
    return found | {str(name): Price(_usd(str(name), value), "") for name, value in (more or {}).items()}


def _usd(name: str, value: object) -> Decimal:
    try:
        usd = None if isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        usd = None
    if usd is None or not usd.is_finite() or usd < 0:
        raise PlanError(f"prices.{name}", value, "USD for one unit, 0 or more", f"write for example {name}: 0.05")
    return usd


def of_stack(stack: Stack) -> Ticked:
    machines = tuple(Machine(one.name, one.layer, one.type) for one in stack.instances)
    groups = {layer: int(group.largest) for layer, group in getattr(stack, "groups", {}).items()}  # of layers with `scaling: asg`
    return Ticked(stack.region, len(stack.all_zones), stack.boxes, machines, groups)


def of_before(before: Mapping[str, Any], stack: Stack) -> Ticked:
    """What provision.yml kept: `boxes` and `instances` as the inventory has them (stack_boxes, stack_instances), and perhaps `groups`. PlanError else."""
    try:
        machines = tuple(Machine(one["name"], one["layer"], one.get("type", TYPES[0])) for one in before.get("instances", ()))
        boxes = {str(layer): dict(box) for layer, box in before.get("boxes", {}).items()}
        groups = {str(layer): int(number) for layer, number in before.get("groups", {}).items()}
        for number in (boxes.get("database", {}).get("storage", 0), boxes.get("memcached", {}).get("nodes", 0)):
            int(number)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        mend = "hand over what provision.yml kept as `ticked` in aws.json, or nothing"
        raise PlanError("before", before, "boxes: {layer: {...}} and instances: [{name, layer, type}]", mend) from exc
    return Ticked(stack.region, len(stack.all_zones), boxes, machines, groups)


def hours_a_week(stack: Stack, start: datetime) -> dict[str, Decimal]:
    """name: hours in an average week of the coming four, of the instances that live by the clock. On-sales of the app are not in it."""
    weeks = forecast(stack, stack.schedules, {}, start, WEEKS * 7)
    return {one.name: Decimal(str(weeks.hours[one.name])) / WEEKS for one in stack.instances if one.type == "time"}


def estimate(ticked: Ticked, known: Mapping[str, Price], hours: Mapping[str, Decimal], assumed: Assumed | None = None) -> Estimate:
    """One line for each thing that AWS bills by time. What it bills by use is in none."""
    some = assumed or Assumed()
    lines = [Line(*found, known[found[2]].usd if found[2] in known else None) for found in _needed(ticked, hours, some)]
    return Estimate(ticked, tuple(lines))


Needed = tuple[str, str, str, Decimal, Decimal]  # a Line without its price


def _needed(ticked: Ticked, hours: Mapping[str, Decimal], some: Assumed) -> Iterator[Needed]:
    for layer in LAYERS:
        machines = [one for one in ticked.machines if one.layer == layer]
        if machines:
            yield from _instances(layer, ticked, machines, hours, some)
    for layer in ("database", "redis", "memcached"):
        box = ticked.boxes.get(layer, {})
        if box.get("managed"):
            yield from _service(layer, box)
    nats = 1 if some.nat == "one" else ticked.zones
    if ticked.machines:
        yield _by_hour("network", f"{nats} NAT gateway{_s(nats)}", "nat_hour", nats)
        yield _by_hour("network", f"their {nats} public address{'es' if nats > 1 else ''}", "ipv4_hour", nats)
    if some.alarms and (number := _alarms(ticked)):
        yield _fixed("alarms", f"{number} alarms", "alarm_month", number)


def _instances(layer: str, ticked: Ticked, machines: list[Machine], hours: Mapping[str, Decimal], some: Assumed) -> Iterator[Needed]:
    box = ticked.boxes.get(layer, {})
    size = str(box.get("class") or f"the class of {layer}")
    always, timed, loaded = ([one for one in machines if one.type == kind] for kind in TYPES)
    if always:
        yield _by_hour(layer, f"{len(always)} x {size}, always on", size, len(always))
    known = [one for one in timed if one.name in hours]
    if known:
        week = sum((hours[one.name] for one in known), NOTHING)
        month = week * HOURS / WEEK
        yield layer, f"{len(known)} x {size} by the clock, together {week.normalize():f} h a week", size, month, month
    if unknown := len(timed) - len(known):
        yield layer, f"{unknown} x {size} by the clock, hours not known", size, NOTHING, unknown * HOURS
    if loaded:
        yield layer, f"{len(loaded)} x {size} by load, from never to always on", size, NOTHING, len(loaded) * HOURS
    if more := ticked.groups.get(layer, 0):
        yield layer, f"up to {more} x {size} in an Auto Scaling group", size, NOTHING, more * HOURS
        yield layer, f"up to {more} disk{_s(more)} of {some.disk} GiB, as long as these are there", "ebs_gb", NOTHING, Decimal(more * some.disk)
    yield _fixed(layer, f"{len(machines)} disk{_s(len(machines))} of {some.disk} GiB, billed also while stopped", "ebs_gb", len(machines) * some.disk)
    if layer == "lb":
        yield from _entrance(str(box.get("failover") or ""), len(machines), ticked.zones, some.https)


def _entrance(failover: str, balancers: int, zones: int, https: bool) -> Iterator[Needed]:
    yield _by_hour("lb", f"{balancers} public addresses", "ipv4_hour", balancers)
    if failover == "route53":
        checks = min(balancers, 2)  # of a failover pair
        yield _fixed("lb", f"{checks} health checks", "check_month", checks)
        yield _fixed("lb", f"their options: every 10 s{', HTTPS' if https else ''}", "check_option_month", checks * (2 if https else 1))
    if failover == "nlb":
        yield _by_hour("lb", "a network load balancer", "nlb_hour", 1)
        yield _by_hour("lb", f"its {zones} public addresses", "ipv4_hour", zones)
    if failover:
        yield _fixed("lb", "the domain's hosted zone", "zone_month", 1)


def _service(layer: str, box: Mapping[str, Any]) -> Iterator[Needed]:
    size = str(box.get("class") or f"the class of {layer}")
    nodes = _nodes(layer, box)
    zones = "spread over zones" if box.get("cross_az") else "in two zones" if box.get("multi_az") else "in one zone"
    yield _by_hour(layer, f"{nodes} x {size}, {zones}", size, nodes)
    if layer == "database":
        storage = int(box.get("storage") or 0)
        yield _fixed(layer, f"{nodes} disk{_s(nodes)} of {storage} GiB", "rds_gb", nodes * storage)


def _nodes(layer: str, box: Mapping[str, Any]) -> int:
    """Redis has its replica in one zone too: role aws_cache asks for one in any case."""
    if layer == "memcached":
        return int(box.get("nodes") or 2)
    return 2 if layer == "redis" or box.get("multi_az") else 1


def _alarms(ticked: Ticked) -> int:
    """As role aws_alarms makes them: of the database three, of each Redis node and of mails two, of Memcached and of each balancer and monitor one."""
    database, redis, memcached, mail = (bool(ticked.boxes.get(layer, {}).get("managed")) for layer in ("database", "redis", "memcached", "mail"))
    watched = sum(one.layer in ("lb", "monitor") for one in ticked.machines)
    return 3 * database + 2 * _nodes("redis", {}) * redis + memcached + 2 * mail + watched


def _by_hour(box: str, what: str, name: str, number: int) -> Needed:
    return box, what, name, number * HOURS, number * HOURS


def _fixed(box: str, what: str, name: str, number: int) -> Needed:
    return box, what, name, Decimal(number), Decimal(number)


def _s(number: int) -> str:
    return "" if number == 1 else "s"


def changes(before: Estimate, after: Estimate) -> list[Change]:
    """Of each box whose cost is another one, or cannot be told."""
    found = []
    for box in BOXES:
        what = ", ".join(_words(box, before, after))
        unknown = tuple(dict.fromkeys((*before.unknown(box), *after.unknown(box)))) if what else ()
        cost = after.of(box) - before.of(box)
        if cost != Range() or unknown:
            found.append(Change(box, what, cost, unknown))
    return found


def _words(box: str, before: Estimate, after: Estimate) -> Iterator[str]:
    """What was ticked otherwise, in the stack file's own words."""
    was, now = before.ticked.boxes.get(box, {}), after.ticked.boxes.get(box, {})
    if box not in before.boxes or box not in after.boxes:
        yield "new" if box in after.boxes else "gone"
        return
    for key in dict.fromkeys((*was, *now)):
        if was.get(key) != now.get(key):
            yield f"{key} {_said(was.get(key))} -> {_said(now.get(key))}"
    if box in LAYERS:
        had, has = ([_numbers(one.ticked, box)] for one in (before, after))
        yield from (f"instances {one} -> {other}" for one, other in zip(had, has, strict=True) if one != other)
    else:
        had, has = ([line.what for line in one.lines if line.box == box] for one in (before, after))
        yield from (f"{one} -> {other}" for one, other in zip(had, has, strict=True) if one != other)


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "nothing" if value in (None, "") else str(value)


def _numbers(ticked: Ticked, layer: str) -> str:
    kinds = [one.type for one in ticked.machines if one.layer == layer]
    counted = [f"{kinds.count(kind)} {kind}" for kind in TYPES if kind in kinds]
    grouped = [f"up to {ticked.groups[layer]} by asg"] if ticked.groups.get(layer) else []
    return " + ".join(counted + grouped) or "0"
