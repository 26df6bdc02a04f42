# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The stack file: from the text of a stack.yml to a Stack, or to a StackFileError that says what to mend.

Pure: text in, objects out. The words a file may use stand in the tables below; what must hold between them
(two zones, an odd vote) stands in stackfile_rules.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from .load import LoadSettings
from .schedule import LayerSchedule
from .schedule_grid import Grid
from .stackfile_nodes import Reader, StackFileError, compose, line_of

if TYPE_CHECKING:
    from .stackfile_asg import Group

PLUGIN = "trust.stack.stack"
PROVIDERS = ("podman", "static", "ec2")
TYPES = ("always", "time", "load")
LAYERS = ("lb", "app", "worker", "database", "redis", "memcached", "arbiter", "monitor", "mail")
SINGLE = ("arbiter", "monitor", "mail")  # these stand alone, in the quorum zone; of every other layer there are at least two
MOVABLE = ("app", "worker")  # their instances may come and go: all others keep data, a vote or an address
MOST = 100  # instances of one layer; a slip of the finger must not ask for ten thousand

# key: whether it must be there
STACK_KEYS = {
    "plugin": True,
    "stack": True,
    "provider": True,
    "region": False,
    "zones": True,
    "quorum_zone": False,
    "layers": True,
    "virtual_ip": False,
    "state_dir": False,
    "variables": False,
}
LAYER_KEYS = {"instances": True, "schedule": False, "load": False, "scaling": False, "most": False, "variables": False}
INSTANCE_KEYS = {"name": True, "zone": True, "type": False, "host": False}

# words people bring from elsewhere
OTHER_WORDS = {
    "balancer": "lb",
    "balancers": "lb",
    "haproxy": "lb",
    "loadbalancer": "lb",
    "load_balancer": "lb",
    "web": "app",
    "celery": "worker",
    "db": "database",
    "mysql": "database",
    "mariadb": "database",
    "galera": "database",
    "cache": "memcached",
    "sentinel": "arbiter",
    "garbd": "arbiter",
    "smtp": "mail",
    "name": "stack",
    "count": "instances",
    "max": "most",
    "vars": "variables",
    "vip": "virtual_ip",
    "address": "host",
    "ansible_host": "host",
    "ip": "host",
    "24/7": "always",
    "always": "instances",
    "autoscaling": "load",
    "loadbasedautoscaling": "load",
    "windows": "schedule",
    "timer": "time",
    "docker": "podman",
    "local": "podman",
    "aws": "ec2",
    "size": "class",
    "instance_type": "class",
}

WORD = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
WORD_EXPECTED = "small letters, digits and single hyphens, a letter first"
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Instance:
    name: str
    layer: str
    zone: str
    type: str = "always"
    host: str = ""
    line: int = 0
    grid: Grid | None = None  # the ticked hours of one of type time


@dataclass(frozen=True)
class Stack:
    """What a stack file says. Variables stay out of it: only Ansible can read their vault and template tags."""

    name: str
    provider: str
    zones: tuple[str, ...]
    quorum_zone: str
    instances: tuple[Instance, ...]
    lines: dict[str, int]  # where each layer, top key and window stands, for the rules' messages
    virtual_ip: str = ""
    state_dir: str = ".state"
    has_variables: bool = False
    schedules: Mapping[str, LayerSchedule] = field(default_factory=dict)  # of each layer with a schedule or instances of type time
    loads: Mapping[str, LoadSettings] = field(default_factory=dict)  # of each layer that says something about load
    region: str = ""
    boxes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # with provider ec2, of each layer: see stackfile_boxes.py
    groups: Mapping[str, Group] = field(default_factory=dict)  # of each layer with scaling: asg, which is in neither schedules nor loads

    @property
    def all_zones(self) -> tuple[str, ...]:
        return self.zones + ((self.quorum_zone,) if self.quorum_zone else ())

    @property
    def movable(self) -> tuple[Instance, ...]:
        """The instances that come and go."""
        return tuple(one for one in self.instances if one.type != "always")

    def managed(self, layer: str) -> str:
        """The service that stands in for the layer's instances; empty when there is none."""
        return str(self.boxes.get(layer, {}).get("managed", ""))

    def layer(self, name: str) -> list[Instance]:
        return [one for one in self.instances if one.layer == name]


def parse(text: str, file: str = "stack.yml") -> Stack:
    """Read a stack file. Shape first, then sense: a slip in a key must not be followed by ten sequels."""
    from .stackfile_rules import check  # the rules need the words above

    reader = Reader()
    root = compose(text, file)
    reader.repeated(root)
    stack = _stack(reader, root)
    if not reader.problems and stack:
        reader.problems.extend(check(stack))
    if reader.problems or stack is None:
        raise StackFileError(file, reader.problems)
    return stack


def _stack(reader: Reader, root: yaml.MappingNode) -> Stack | None:
    from . import stackfile_asg as asg
    from . import stackfile_boxes as boxes
    from . import stackfile_layers as layers  # needs the words above too

    keys = reader.mapping(root, "", STACK_KEYS, OTHER_WORDS)

    def word(key: str, most: int) -> str:
        node = keys.get(key)
        pattern = re.compile(f"(?=.{{1,{most}}}$){WORD.pattern}")
        return (reader.text(node, key, pattern, f"{WORD_EXPECTED}, at most {most}") if node else None) or ""

    if "plugin" in keys:
        reader.choice(keys["plugin"], "plugin", (PLUGIN,))
    name = word("stack", 30)
    provider = reader.choice(keys["provider"], "provider", PROVIDERS, OTHER_WORDS) or "" if "provider" in keys else ""
    region = reader.text(keys["region"], "region", boxes.REGION, "a region such as eu-west-1") or "" if "region" in keys else ""
    zones = _zones(reader, keys)
    quorum_zone = word("quorum_zone", 20)
    virtual_ip = reader.address(keys["virtual_ip"], "virtual_ip") if "virtual_ip" in keys else ""
    state_dir = ".state"
    if "state_dir" in keys:
        state_dir = reader.text(keys["state_dir"], "state_dir", re.compile(r"[^\x00-\x1f]+"), "a folder's path") or ""
    if "variables" in keys:
        layers.variables(reader, keys["variables"], "variables")

    instances: list[Instance] = []
    ticked: dict[str, dict[str, Any]] = {}
    schedules: dict[str, LayerSchedule] = {}
    loads: dict[str, LoadSettings] = {}
    groups: dict[str, Group] = {}
    lines: dict[str, int] = {}
    nodes_of = reader.mapping(keys["layers"], "layers", dict.fromkeys(LAYERS, False), OTHER_WORDS, "layer") if "layers" in keys else {}
    if "layers" in keys and not nodes_of and not reader.problems:
        reader.note(
            keys["layers"],
            "layers",
            "there is no layer",
            f"one of: {', '.join(LAYERS)}",
            'add for example "app: 2"',
        )
    for layer in (layer for layer in LAYERS if layer in nodes_of):
        around = (quorum_zone or zones[-1],) if layer in SINGLE and zones else zones
        members, box = layers.layer(reader, nodes_of[layer], layer, provider, around, (*zones, quorum_zone))
        ticked |= {layer: box} if box else {}
        instances += members
        schedule, load = layers.moves(reader, nodes_of[layer], layer, members, lines)
        most = asg.said(reader, nodes_of[layer], layer, provider, lines)
        if most is not None and zones:
            groups[layer] = asg.group(most, members, schedule, load, layer, zones)
            continue
        schedules |= {layer: schedule} if schedule else {}
        loads |= {layer: load} if load else {}
    if reader.problems:
        return None
    lines |= {key: line_of(node) for key, node in (keys | nodes_of).items()}
    has_variables = "variables" in keys or any(isinstance(node, yaml.MappingNode) for node in nodes_of.values())
    return Stack(name, provider, zones, quorum_zone, tuple(instances), lines, virtual_ip, state_dir, has_variables, schedules, loads, region, ticked, groups)


def _zones(reader: Reader, keys: dict[str, yaml.Node]) -> tuple[str, ...]:
    node = keys.get("zones")
    if node is None:
        return ()
    expected = "a list of at least two zones, such as [a, b]"
    nodes = reader.items(node, "zones", expected, "write zones: [a, b]")
    zone = re.compile(f"(?=.{{1,20}}$){WORD.pattern}")
    read = [reader.text(one, f"zones[{i}]", zone, WORD_EXPECTED) for i, one in enumerate(nodes or [])]
    zones = tuple(one for one in read if one)
    if nodes is None or len(zones) < len(read):
        return ()
    for index, (one, here) in enumerate(zip(zones, nodes, strict=True)):
        if one in zones[:index]:
            reader.note(here, f"zones[{index}]", "this zone stands twice", "each zone once", "remove one of them")
    if len(set(zones)) < 2:
        what = "one zone is not enough: nothing could take over when it fails"
        reader.note(node, "zones", what, expected, "add a zone", f"{len(set(zones))} zone{'' if len(set(zones)) == 1 else 's'}")
    return zones
