# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`scaling: asg` of a layer: what comes and goes is not named in the file but made and ended by an EC2 Auto Scaling group.

app: {instances: 2, scaling: asg, most: 6, schedule: {...}, load: {...}}
The instances of the file stay as they are, always on. `most` counts all of the layer, like a window's number: the group has from 0 to
most - 2 here, and with load from 1, since the load of a group without an instance cannot be measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from .load import LoadSettings
from .schedule import LayerSchedule, Member
from .stackfile import MOST, MOVABLE, Instance
from .stackfile_boxes import is_managed
from .stackfile_nodes import Reader, line_of

ENGINE = "asg"
# What an Auto Scaling group of the layer is not asked for: its own members have names that AWS gives.
PLACE = "{layer}-asg-{number}"


@dataclass(frozen=True)
class Group:
    """The schedule's `timed` are places to be filled, not instances: as many as the group may have."""

    most: int  # of the layer in all
    steady: int
    schedule: LayerSchedule
    load: LoadSettings | None = None

    @property
    def by_load(self) -> bool:
        return self.load is not None and self.load.enable

    @property
    def largest(self) -> int:
        return self.most - self.steady

    @property
    def least(self) -> int:
        return 1 if self.by_load else 0


def said(reader: Reader, node: yaml.Node, layer: str, provider: str, lines: dict[str, int]) -> int | None:
    """The `most` of a layer with `scaling: asg`; None for every other layer. Notes the lines on which both stand."""
    here = node.value if isinstance(node, yaml.MappingNode) and not is_managed(node) else []
    keys = {key.value: (key, value) for key, value in here if key.value in ("scaling", "most")}
    path = f"layers.{layer}"
    lines |= {f"{path}.{name}": line_of(key) for name, (key, _value) in keys.items()}
    if "scaling" not in keys:
        if "most" in keys:
            what, expected = "nothing here is made and ended by AWS", '"scaling: asg" beside it'
            reader.note(keys["most"][0], f"{path}.most", what, expected, 'write "scaling: asg", or remove most')
        return None
    key, value = keys["scaling"]
    if layer not in MOVABLE:
        what, expected = f"{layer} instances do not come and go", f"scaling in: {', '.join(MOVABLE)}"
        reader.note(key, f"{path}.scaling", what, expected, "remove it")
        return None
    if provider and provider != "ec2":
        expected, mend = f"no scaling, with provider: {provider}", "write instances of type time and load instead, or provider: ec2"
        reader.note(value, f"{path}.scaling", "an Auto Scaling group is a service of AWS", expected, mend)
        return None
    reader.choice(value, f"{path}.scaling", (ENGINE,))
    if "most" not in keys and any(one.path.startswith(f"{path}.") and one.what == "there is no such key" for one in reader.problems):
        return None  # most likely another word for it, which was told
    if "most" not in keys:
        what = "it is not said how many instances the layer may have"
        reader.note(key, f"{path}.most", what, "most, the instances of the layer in all", 'write for example "most: 6"', "nothing")
        return None
    return reader.count(keys["most"][1], f"{path}.most", MOST)


def group(most: int, members: Sequence[Instance], schedule: LayerSchedule | None, load: LoadSettings | None, layer: str, zones: Sequence[str]) -> Group:
    steady = tuple(Member(one.name, one.zone) for one in members if one.type == "always")
    places = tuple(Member(PLACE.format(layer=layer, number=i + 1), zones[i % len(zones)]) for i in range(max(most - len(steady), 0)))
    told = schedule or LayerSchedule(layer)
    return Group(most, len(steady), LayerSchedule(layer, steady, places, told.windows, (), told.ready_by, told.on_sales), load)
