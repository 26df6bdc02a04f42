# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""One layer of a stack file: its instances, as a number, as numbers by type or as a list, and what it says beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from . import stackfile_boxes as boxes
from . import stackfile_scaling as scaling
from .load import LoadSettings
from .schedule import NO_GRID, LayerSchedule, Member
from .schedule_grid import Grid
from .stackfile import INSTANCE_KEYS, LAYER_KEYS, MOST, MOVABLE, OTHER_WORDS, TYPES, VARIABLE, WORD, WORD_EXPECTED, Instance
from .stackfile_nodes import Reader, line_of


def moves(reader: Reader, node: yaml.Node, layer: str, members: list[Instance], lines: dict[str, int]) -> tuple[LayerSchedule | None, LoadSettings | None]:
    """When the instances of a layer come and go. Notes the lines on which schedule, load and each window stand."""
    here = node.value if isinstance(node, yaml.MappingNode) else []
    keys = {key.value: (key, value) for key, value in here if key.value in ("schedule", "load")}
    paths = {key: f"layers.{layer}.{key}" for key in keys}
    if layer not in MOVABLE:
        for name, (key, _value) in keys.items():
            what, expected = f"{layer} instances do not come and go", f"a {name} in: {', '.join(MOVABLE)}"
            reader.note(key, paths[name], what, expected, "remove it")
        return None, None
    lines |= {paths[name]: line_of(key) for name, (key, _value) in keys.items()}
    settings, load = scaling.ScheduleSettings(), None
    if "schedule" in keys:
        said = keys["schedule"][1]
        settings = scaling.schedule(reader, said, paths["schedule"], MOST)
        windows = dict(scaling.pairs(said)).get("windows")
        listed = windows.value if isinstance(windows, yaml.SequenceNode) else []
        lines |= {f"{paths['schedule']}.windows[{i}]": line_of(one) for i, one in enumerate(listed)}
    if "load" in keys:
        said = keys["load"][1]
        load = scaling.load(reader, said, paths["load"], MOST)
        lines |= {f"{paths['load']}.{name}": line_of(one) for name, one in scaling.pairs(said)}
    of = {kind: tuple(Member(one.name, one.zone, one.grid or NO_GRID) for one in members if one.type == kind) for kind in TYPES}
    schedule = LayerSchedule(layer, of["always"], of["time"], settings.windows, (), settings.ready_by, settings.on_sales)
    return schedule if "schedule" in keys or schedule.timed else None, load


def layer(
    reader: Reader, node: yaml.Node, layer: str, provider: str, around: tuple[str, ...], zones: tuple[str, ...]
) -> tuple[list[Instance], dict[str, Any]]:
    """The instances of a layer, and on EC2 what else it says."""
    if boxes.is_managed(node):
        said = boxes.managed(reader, node, layer, provider, OTHER_WORDS)
        for key, value in node.value:
            if key.value == "variables":
                variables(reader, value, f"layers.{layer}.variables")
        return [], said
    path, line, keys = f"layers.{layer}", line_of(node), {}
    if isinstance(node, yaml.MappingNode):
        here = boxes.INSTANCES.get(layer, {}) if provider == "ec2" else {}
        keys = reader.mapping(node, path, LAYER_KEYS | dict.fromkeys(here, False), OTHER_WORDS)
        if "variables" in keys:
            variables(reader, keys["variables"], f"{path}.variables")
        if "instances" not in keys:
            return [], {}
        node, path = keys["instances"], f"{path}.instances"
    box = boxes.instances(reader, keys, layer) if provider == "ec2" else {}
    return _instances(reader, node, path, line, layer, provider, around, zones), box


def _instances(
    reader: Reader, node: yaml.Node, path: str, line: int, layer: str, provider: str, around: tuple[str, ...], zones: tuple[str, ...]
) -> list[Instance]:
    kinds = _kinds(reader, node, path) if isinstance(node, yaml.MappingNode) else []
    if isinstance(node, yaml.MappingNode) and not kinds:
        return []
    if isinstance(node, yaml.SequenceNode) and node.value:
        read = [_instance(reader, one, f"{path}[{i}]", layer, provider, zones) for i, one in enumerate(node.value)]
        return [one for one in read if one]
    if not kinds and (not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null"):
        expected = "a number of instances, or a list of them"
        reader.note(node, path, "this layer has no instances", expected, "write for example 2, or remove the layer")
        return []
    if not kinds:
        kinds = ["always"] * (reader.count(node, path, MOST) or 0)
    if kinds and provider == "static":
        mend = f"write - {{name: {layer}-a-1, zone: a, host: 192.0.2.1}} for each"
        reader.note(node, path, "your own machines must be listed", "a list of instances with their hosts", mend)
        return []
    # The nth of a zone keeps its name when the number grows: a running instance is never renamed.
    return [
        Instance(f"{layer}-{around[i % len(around)]}-{i // len(around) + 1}", layer, around[i % len(around)], kind, line=line)
        for i, kind in enumerate(kinds if around else [])
    ]


def _kinds(reader: Reader, node: yaml.Node, path: str) -> list[str]:
    """The types of the instances that are only counted, in the order in which they are named."""
    before = len(reader.problems)
    keys = reader.mapping(node, path, dict.fromkeys(TYPES, False), OTHER_WORDS, "type")
    read = [kind for kind in TYPES if kind in keys for _ in range(reader.count(keys[kind], f"{path}.{kind}", MOST) or 0)]
    if len(read) > MOST:
        reader.note(node, path, "this number cannot be", f"at most {MOST} in all", "write smaller numbers", str(len(read)))
    elif not read and len(reader.problems) == before:
        reader.note(node, path, "this layer has no instances", f"some of: {', '.join(TYPES)}", "write for example {always: 2, time: 2}")
    return read if len(reader.problems) == before else []


def _instance(reader: Reader, node: yaml.Node, path: str, layer: str, provider: str, zones: tuple[str, ...]) -> Instance | None:
    before = len(reader.problems)
    known = INSTANCE_KEYS | {"host": provider == "static"} | dict.fromkeys(scaling.GRID_KEYS, False)
    keys = reader.mapping(node, path, known, OTHER_WORDS | {"stack": "name"})
    read = {"type": "always", "host": ""}
    if "name" in keys:
        name = re.compile(f"(?=.{{1,63}}$){WORD.pattern}")
        read["name"] = reader.text(keys["name"], f"{path}.name", name, f"{WORD_EXPECTED}, at most 63") or ""
    if "zone" in keys and any(zones):
        read["zone"] = reader.choice(keys["zone"], f"{path}.zone", filter(None, zones)) or ""
    if "type" in keys:
        read["type"] = reader.choice(keys["type"], f"{path}.type", TYPES, OTHER_WORDS) or ""
    if "host" in keys and provider == "static":
        read["host"] = reader.address(keys["host"], f"{path}.host")
    elif "host" in keys and provider:
        expected = "no host: this provider finds the address itself"
        reader.note(
            keys["host"],
            f"{path}.host",
            "a host belongs to your own machines",
            expected,
            "remove it, or use provider: static",
        )
    grid = _grid(reader, keys, path, read["type"])
    if len(reader.problems) > before or "zone" not in read:
        return None
    return Instance(layer=layer, line=line_of(node), grid=grid, **read)


def _grid(reader: Reader, keys: Mapping[str, yaml.Node], path: str, kind: str) -> Grid | None:
    said = [key for key in scaling.GRID_KEYS if key in keys]
    for key in said[1:]:
        what = "this instance has two schedules"
        reader.note(keys[key], f"{path}.{key}", what, "one of them", "remove one", f'"{said[0]}" and "{key}"')
    if said and kind in ("always", "load"):
        expected, mend = '"type: time" beside it', f'write "type: time", or remove {said[0]}'
        reader.note(keys[said[0]], f"{path}.{said[0]}", "only an instance of type time has hours", expected, mend, f'"type: {kind}"')
    return scaling.grid(reader, keys[said[0]], f"{path}.{said[0]}") if said else None


def variables(reader: Reader, node: yaml.Node, path: str) -> None:
    """Names must be names; the values are Ansible's business."""
    if not isinstance(node, yaml.MappingNode):
        reader.note(
            node,
            path,
            "this must be a mapping",
            "Ansible variables and their values",
            'write "name: value" lines below it',
        )
        return
    for key, _value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            continue
        if not isinstance(key, yaml.ScalarNode) or not VARIABLE.fullmatch(key.value):
            expected = "letters, digits and underscores, no digit first"
            reader.note(key, path, "this is not a variable's name", expected, "rename it, for example with _ for -")
