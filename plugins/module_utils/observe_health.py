# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What healing sees: machines, what each balancer says of its servers, and the workers' signs of work."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import haproxy
from .healing import Sight
from .observe import fetch, is_on, machines_of
from .stackfile import Stack

PATIENCE = 2.0  # seconds for each answer: nobody waits for this look, and who is slow is not dead
BACKENDS = ("app", "database")  # each bears the name of its layer
Pools = dict[str, haproxy.Server]


def look(stack: Stack, given: Mapping[str, Any]) -> tuple[dict[str, Sight], list[str]]:
    """Each instance as it is seen, and what could not be asked."""
    with ThreadPoolExecutor(8) as pool:
        machines = pool.submit(_machines, stack, given["containers_conf"])
        asked = {one["name"]: pool.submit(_servers, one["address"], given["stats_port"]) for one in given["balancers"]}
        beats = pool.submit(_heartbeats, given["status_url"]) if stack.layer("worker") else None
        pages = {name: page.result() for name, page in asked.items()}
        heartbeats, problem = beats.result() if beats else (None, "")
    notes = [f"balancer {name} does not answer: {why}" for name, (_servers_, why) in pages.items() if why]
    notes += [f"the app's status cannot be read at {given['status_url']}: {problem}; no worker is healed"] if problem else []
    sights = {}
    for one in stack.instances:
        said = {name: servers[one.name] for name, (servers, _why) in pages.items() if one.name in servers}
        pools = {name: server.status for name, server in said.items()}
        if len(set(pools.values())) > 1 and any(state.startswith("DOWN") for state in pools.values()):
            notes.append(f"{one.name}: " + ", ".join(f"{state} in {name}" for name, state in sorted(pools.items())))
        heartbeat = None
        if one.layer == "worker" and heartbeats is not None:
            heartbeat = heartbeats.get(one.name, math.inf)
        down = min((server.changed for server in said.values()), default=0)
        sights[one.name] = Sight(machines.result()[one.name], pools, float(down), heartbeat)
    return sights, notes


def _machines(stack: Stack, conf: str) -> dict[str, str]:
    if stack.provider == "static":
        return {one.name: "on" for one in stack.instances}  # nobody can tell; a machine that is off shows by its services
    found = machines_of(stack, conf)
    return {one.name: "absent" if one.name not in found else "on" if is_on(stack, found[one.name]) else "off" for one in stack.instances}


def _servers(address: str, port: int) -> tuple[Pools, str]:
    """The servers of all layers by name, and why they could not be asked for."""
    try:
        page = fetch(f"http://{address}:{port}/;csv", PATIENCE)
        return {name: server for backend in BACKENDS for name, server in haproxy.servers(page, backend).items()}, ""
    except (OSError, ValueError, KeyError) as exc:
        return {}, str(exc)


def _heartbeats(url: str) -> tuple[dict[str, float] | None, str]:
    """host: seconds since its worker's last sign; None when the app, or its database, does not answer."""
    try:
        said = json.loads(fetch(url, PATIENCE))
        return {str(host): float(age) for host, age in said["heartbeats"].items() if age is not None}, ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        return None, str(exc)
