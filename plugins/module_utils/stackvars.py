# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables and groups that a stack gives to Ansible: the contract between the inventory and the roles. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .addresses import Network, allocate
from .asg_waiting import COMING
from .stackfile import LAYERS, TYPES, Instance, Stack
from .stackfile_rules import MOVING, OFFLINE, TYPE_GROUPS, UNSANDBOXED

GROWN = "asg"  # the type of those that an Auto Scaling group makes; no file can say it


@dataclass(frozen=True)
class State:
    """What earlier runs have written into the state directory."""

    folder: Path
    network: Network | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    online: frozenset[str] = frozenset()  # the time- and load-based instances that were started, see start.yml
    release: Mapping[str, Any] = field(default_factory=dict)  # what runs and what ran before it, see deploy.yml
    made: Mapping[str, Any] = field(default_factory=dict)  # on AWS, what provision.yml made there
    grown: Mapping[str, Any] = field(default_factory=dict)  # on AWS, the machines of Auto Scaling groups, see asg.yml

    def is_online(self, one: Instance) -> bool:
        if one.type == GROWN:
            return bool(self.grown[one.name]["state"] != COMING)
        return one.type == "always" or one.name in self.online


def zone_group(zone: str) -> str:
    return f"zone_{zone.replace('-', '_')}"


def groups(stack: Stack) -> list[str]:
    """Every group of the contract below `instances` (layers) and beside it, also those without any host."""
    return [*LAYERS, *(zone_group(zone) for zone in stack.all_zones), *(TYPE_GROUPS[kind] for kind in TYPES), UNSANDBOXED, OFFLINE, *MOVING]


def groups_of(one: Instance, state: State) -> list[str]:
    kind = [TYPE_GROUPS[one.type]] if one.type in TYPE_GROUPS else []
    found = [one.layer, zone_group(one.zone), *kind, *([] if state.is_online(one) else [OFFLINE])]
    return found if state.machine.get("mount_namespaces", True) else [*found, UNSANDBOXED]


def instances(stack: Stack, state: State) -> list[Instance]:
    """Those of the file, and those that the groups of its layers have made."""
    grown = [Instance(name, one["layer"], one["zone"], GROWN) for name, one in state.grown.items()]
    return [*stack.instances, *(one for one in grown if one.layer in stack.groups and one.zone in stack.zones)]


def addresses(stack: Stack, state: State) -> dict[str, str]:
    """name: address; empty while the network does not exist."""
    if stack.provider == "static":
        return {one.name: one.host for one in stack.instances}
    if stack.provider == "ec2":
        made = {**(state.made.get("instances") or {}), **state.grown}
        return {one.name: made[one.name]["address"] for one in instances(stack, state) if one.name in made}
    if state.network is None:
        return {}
    return allocate(state.network, [one.name for one in stack.instances], state.addresses)


def stack_vars(stack: Stack, file: Path, state: State, where: Mapping[str, str]) -> dict[str, Any]:
    """The variables of group `all`."""
    network = state.network
    made = {**(state.made.get("instances") or {}), **state.grown}
    return {
        "stack_name": stack.name,
        "stack_provider": stack.provider,
        "stack_zones": list(stack.zones),
        "stack_quorum_zone": stack.quorum_zone,
        "stack_file": str(file),
        "stack_state_dir": str(state.folder),
        "stack_secrets_file": str(state.folder / "secrets.yml"),
        "stack_vault_password_file": str(state.folder / "vault-password"),
        "stack_virtual_ip": network.virtual_ip if network else stack.virtual_ip,
        "stack_network": {
            "name": network.name if network else "",
            "cidr": network.cidr if network else "",
            "gateway": network.gateway if network else "",
        },
        "stack_addresses": dict(where),
        "stack_instances": [
            {
                "name": one.name,
                "layer": one.layer,
                "zone": one.zone,
                "type": one.type,
                "address": where.get(one.name, ""),
                "online": state.is_online(one),
            }
            | ({"id": made[one.name]["id"]} if one.name in made else {})
            for one in instances(stack, state)
        ],
        # Visitors and tasks that wait are answered at the next tick: these stacks look more often.
        "stack_scales_by_demand": any(one.enable and {one.up.queue, one.up.backlog} != {None} for one in stack.loads.values()),
        "stack_release_digest": str(state.release.get("digest") or ""),
        # On AWS: where, what is ticked, and what stands there.
        "stack_region": stack.region,
        "stack_boxes": {layer: dict(box) for layer, box in stack.boxes.items()},
        "stack_made": dict(state.made),
        "stack_scaling_groups": sorted(stack.groups),
        "stack_mount_namespaces": bool(state.machine.get("mount_namespaces", True)),
        "stack_containers_conf": str(state.machine.get("containers_conf") or ""),
    }


def connection_vars(stack: Stack, state: State, jump: bool = True) -> dict[str, Any]:
    """The variables of group `instances`: how to reach them. On EC2 over a balancer, unless the control node is in the same network."""
    login: dict[str, Any] = {"ansible_user": "root", "ansible_python_interpreter": "/usr/bin/python3"}
    if stack.provider == "static":
        return login
    if stack.provider == "ec2":
        login |= {"ansible_user": "admin", "ansible_become": True}  # as Debian's image has it
    key = state.folder / "id_ed25519"
    options = [
        _option("UserKnownHostsFile", state.folder / "known_hosts"),
        "-o StrictHostKeyChecking=accept-new",
        _option("IdentityFile", key),
        "-o IdentitiesOnly=yes",
    ]
    if stack.provider == "ec2" and jump:
        options += _jump(stack, state, options)
    return login | {"ansible_ssh_private_key_file": str(key), "ansible_ssh_common_args": " ".join(options)}


def _jump(stack: Stack, state: State, options: list[str]) -> list[str]:
    """Over the first balancer that can be reached: ssh's own ProxyJump knows no second one. Nothing while there is none."""
    made = state.made.get("instances") or {}
    ways = [str(made[one.name].get("public") or "") for one in stack.layer("lb") if one.name in made]
    # ssh expands % in the command, and the inner ssh in its options once more.
    inner = " ".join(options).replace("%", "%%")
    command = " || ".join(f"ssh {inner} -o ConnectTimeout=5 -o BatchMode=yes -W %h:%p admin@{way}" for way in ways if way)
    return ["-o " + shlex.quote(f"ProxyCommand=sh -c {shlex.quote(command)}")] if command else []


def host_vars(one: Instance, where: Mapping[str, str]) -> dict[str, str]:
    found = {"zone": one.zone, "layer": one.layer, "instance_type": one.type}
    return found | ({"ansible_host": where[one.name]} if where.get(one.name) else {})


def _option(name: str, path: Path) -> str:
    """An ssh option with a path: ssh splits it at spaces unless it is in double quotes, and expands %."""
    text = str(path).replace("%", "%%")
    text = f'"{text}"' if any(letter.isspace() for letter in text) else text
    return f"-o {shlex.quote(f'{name}={text}')}"
