# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which machines of a stack's Auto Scaling groups come, serve and go: from what AWS describes to asg.json of the state folder. Pure.

A machine that comes waits in Pending:Wait until it was set up, one that goes in Terminating:Wait until it was drained. In asg.json, and so in the
inventory of every run, stand those that come (as offline: the balancers list them, and nothing else touches them), serve and go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

FILE = "asg.json"
COMING, SERVING, GOING = "coming", "serving", "going"
# A machine in any other state is not there yet, or is nobody's concern any more: AWS moves it on by itself.
STATES = {"Pending:Wait": COMING, "Pending:Proceed": SERVING, "InService": SERVING, "Terminating:Wait": GOING}
TRANSITIONS = {COMING: "autoscaling:EC2_INSTANCE_LAUNCHING", GOING: "autoscaling:EC2_INSTANCE_TERMINATING"}
OWNER = "trust.stack"


@dataclass(frozen=True)
class Machine:
    name: str  # of the host: the layer, and what AWS calls it
    id: str
    group: str
    layer: str
    zone: str  # the letter
    state: str
    address: str = ""


def machines(groups: Iterable[Mapping[str, Any]], stack: str, addresses: Mapping[str, str]) -> dict[str, Machine]:
    """name: each machine of the groups that carry the stack's tags; `addresses` is by id. One without an address is not there yet."""
    found = {}
    for group in groups:
        tags = {tag["Key"]: tag.get("Value", "") for tag in group.get("Tags") or []}
        if (tags.get("stack"), tags.get("managed-by")) != (stack, OWNER) or not tags.get("layer"):
            continue
        for one in group.get("Instances") or []:
            state, address = STATES.get(one["LifecycleState"], ""), addresses.get(one["InstanceId"], "")
            if state and (address or state == GOING):
                name = f"{tags['layer']}-{one['InstanceId']}"
                zone = one["AvailabilityZone"][-1]
                found[name] = Machine(name, one["InstanceId"], group["AutoScalingGroupName"], tags["layer"], zone, state, address)
    return dict(sorted(found.items()))


def answered(known: Mapping[str, Machine], names: Collection[str], result: str) -> dict[str, Machine]:
    """Who is there once AWS has the answer for these: one that came serves, or is ended; one that went is gone."""
    found = dict(known)
    for name in names:
        if known[name].state == COMING and result == "CONTINUE":
            found[name] = Machine(**asdict(known[name]) | {"state": SERVING})
        else:
            del found[name]
    return found


def kept(known: Mapping[str, Machine], before: Mapping[str, Any]) -> dict[str, Any]:
    """What asg.json is to say. AWS may forget the address of one that goes; it was written down when it came."""
    said = {}
    for name, one in known.items():
        address = one.address or str((before.get(name) or {}).get("address", ""))
        if address:
            said[name] = {"id": one.id, "address": address, "layer": one.layer, "zone": one.zone, "state": one.state}
    return said


def named(known: Mapping[str, Machine], state: str) -> list[str]:
    return [name for name, one in known.items() if one.state == state]
