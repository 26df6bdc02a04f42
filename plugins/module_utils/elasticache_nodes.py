# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which Memcached nodes come and go so that there are as many as wanted, spread over the zones: pure functions, no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Steps:
    """First the zones of the nodes that are added, then the ids of those that are removed."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        return bool(self.add or self.remove)


def spread(nodes: int, zones: Sequence[str]) -> Counter[str]:
    """How many nodes each zone gets, the first zones one more."""
    return Counter(zones[i % len(zones)] for i in range(nodes))


def steps(have: Mapping[str, str], nodes: int, zones: Sequence[str]) -> Steps:
    """From the nodes there are (id: zone) to `nodes` of them over `zones`. What is in its place already stays: its entries are kept."""
    now = Counter(have.values())
    # Zones that hold more already keep the odd one.
    order = sorted(zones, key=lambda zone: (-now[zone], zones.index(zone)))
    want = spread(nodes, order)
    add = tuple(zone for zone in zones for _more in range(want[zone] - now[zone]))
    remove = []
    for zone in now:
        # ElastiCache gives rising ids: the youngest go.
        here = sorted((node for node, place in have.items() if place == zone), reverse=True)
        remove += here[: max(now[zone] - want[zone], 0)]
    return Steps(add, tuple(sorted(remove)))
