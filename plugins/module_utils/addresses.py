# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which address each instance of a network has. Pure, and stable: an address once given never moves."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

VIRTUAL = 10  # the virtual address is the 10th of the network; below it is room for gateways and name servers


class AddressError(Exception):
    """The network cannot hold the stack."""


@dataclass(frozen=True)
class Network:
    name: str
    cidr: str
    gateway: str

    @property
    def virtual_ip(self) -> str:
        return str(self._ip + (VIRTUAL if self.gateway != str(self._ip + VIRTUAL) else VIRTUAL - 1))

    @property
    def _ip(self) -> ipaddress.IPv4Address:
        return ipaddress.IPv4Network(self.cidr).network_address

    def hosts(self) -> Iterator[str]:
        """Every address that an instance may have, lowest first."""
        last = ipaddress.IPv4Network(self.cidr).broadcast_address
        for number in range(int(self._ip) + VIRTUAL + 1, int(last)):
            address = str(ipaddress.IPv4Address(number))
            if address != self.gateway:
                yield address

    def holds(self, address: str) -> bool:
        try:
            ip, whole = ipaddress.IPv4Address(address), ipaddress.IPv4Network(self.cidr)
        except ValueError:
            return False
        return self._ip + VIRTUAL < ip < whole.broadcast_address and str(ip) != self.gateway


def network(data: object) -> Network:
    """The network that the provision play wrote down."""
    if not isinstance(data, Mapping) or not {"name", "cidr", "gateway"} <= set(data):
        raise AddressError("it must hold name, cidr and gateway")
    try:
        whole = ipaddress.IPv4Network(str(data["cidr"]))
        gateway = str(ipaddress.IPv4Address(str(data["gateway"])))
    except ValueError as error:
        raise AddressError(str(error)) from None
    if whole.num_addresses < 32:
        raise AddressError(f"the network {whole} is too small: a stack needs at least a /27")
    return Network(str(data["name"]), str(whole), gateway)


def allocate(where: Network, names: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """An address for each name: the known one, else the next free one in the order of the names.

    The addresses of names that are gone stay reserved, so that an instance that comes back finds its own,
    until nothing else is free.
    """
    wanted = list(dict.fromkeys(names))
    kept: dict[str, str] = {}
    taken: set[str] = set()
    # names that are still there first: of two that claim one address, they win
    for name in [*wanted, *(name for name in known if name not in set(wanted))]:
        address = known.get(name, "")
        if address not in taken and where.holds(address):
            kept[name] = address
            taken.add(address)
    gone = [name for name in kept if name not in set(wanted)]
    free = iter([*(one for one in where.hosts() if one not in taken), *(kept[name] for name in gone)])
    for name in wanted:
        if name not in kept:
            kept[name] = next(free, "")
        if not kept[name]:
            raise AddressError(f"the network {where.cidr} has no address left for {name}")
    mine = {kept[name] for name in wanted}
    return {name: kept[name] for name in [*wanted, *gone] if name in set(wanted) or kept[name] not in mine}
