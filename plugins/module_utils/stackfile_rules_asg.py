# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must hold in a layer with `scaling: asg`: whatever such a group cannot do is refused here, and not left out in silence."""

from __future__ import annotations

from collections.abc import Iterator

from .load import DEFAULT_DOWN, DEFAULT_UP, LoadSettings
from .stackfile import Stack
from .stackfile_asg import Group
from .stackfile_nodes import Problem
from .stackfile_scaling import METRICS
from .stackfile_scaling_rules import between, impossible

# What a target can be set for: EC2 measures the CPU of a group, the monitor publishes what waits.
TRACKED = ("cpu", "queue", "backlog")
PUBLISHED = ("queue", "backlog")
# Target tracking has no such numbers of its own; ThresholdsWaitTime and the like would be a promise that nobody keeps.
UNTRACKED = (("UpScaling", "InstanceCount", "count"), ("UpScaling", "ThresholdsWaitTime", "wait"), ("DownScaling", "InstanceCount", "count"),
             ("DownScaling", "ThresholdsWaitTime", "wait"), ("DownScaling", "IgnoreMetricsTime", "ignore"))  # fmt: skip


def check(stack: Stack) -> Iterator[Problem]:
    for layer, group in stack.groups.items():
        yield from _size(stack, layer, group)
        yield from _windows(stack, layer, group)
        if group.load:
            yield from _load(stack, layer, group.load)


def _size(stack: Stack, layer: str, group: Group) -> Iterator[Problem]:
    path = f"layers.{layer}"
    for one in [one for one in stack.layer(layer) if one.type != "always"][:1]:
        what, expected = "the group stands in for all that comes and goes in this layer", "only instances of type always beside scaling: asg"
        mend = f'write "instances: {group.steady or 2}", and more in most; or remove scaling'
        yield Problem(one.line, f"{path}.instances", what, f'"type: {one.type}"', expected, mend)
    if group.most <= group.steady:
        what, found = "the group would never have an instance", f"{group.most}, with {group.steady} always on"
        mend = f"write for example {group.steady + 2}"
        yield Problem(stack.lines[f"{path}.most"], f"{path}.most", what, found, f"more than {group.steady}: most counts all of the layer", mend)
    if not group.schedule.windows and not group.by_load:
        what, expected = "nothing would ever change the size of the group", "a schedule with windows, or a load with Enable: true"
        yield Problem(stack.lines[f"{path}.scaling"], f"{path}.scaling", what, "neither", expected, "add one of them, or remove scaling and most")


def _windows(stack: Stack, layer: str, group: Group) -> Iterator[Problem]:
    top = f"layers.{layer}.schedule"
    if group.schedule.on_sales:
        what, expected = "an Auto Scaling group hears nothing of the sales that the app publishes", "no on_sales with scaling: asg"
        mend = "remove it, and write the sale as a dated window; or use instances of type time"
        yield Problem(stack.lines[top], f"{top}.on_sales", what, '"true"', expected, mend)
    for i, window in enumerate(group.schedule.windows):
        path = f"{top}.windows[{i}]"
        line = stack.lines[path]
        if isinstance(window.instances, tuple):
            what, expected = "an Auto Scaling group cannot name instances", "a number: so many of the layer in all"
            yield Problem(line, f"{path}.instances", what, ", ".join(window.instances), expected, f"write {group.steady + len(window.instances)}")
        elif window.instances > group.most > group.steady:
            what, expected = "the layer may not have so many instances", f"at most {group.most}, as most says"
            yield Problem(line, f"{path}.instances", what, str(window.instances), expected, f"write {group.most}, or a larger number in most")
        yield from impossible(window, line, path)


def _load(stack: Stack, layer: str, load: LoadSettings) -> Iterator[Problem]:
    path = f"layers.{layer}.load"
    line = stack.lines[path]
    sides = {"UpScaling": (load.up, DEFAULT_UP), "DownScaling": (load.down, DEFAULT_DOWN)}
    for side, key, field in UNTRACKED:
        here, usual = (getattr(one, field) for one in sides[side])
        if here != usual:
            what, expected = "target tracking has a pace of its own", f"no {key} here with scaling: asg"
            yield Problem(stack.lines.get(f"{path}.{side}", line), f"{path}.{side}.{key}", what, str(here), expected, "remove it")
    for key, (field, _most) in METRICS.items():
        for side, (thresholds, _usual) in sides.items():
            value, where = getattr(thresholds, field), stack.lines.get(f"{path}.{side}", line)
            if value is not None and field not in TRACKED:
                known = ", ".join(name for name, (one, _top) in METRICS.items() if one in TRACKED)
                yield Problem(where, f"{path}.{side}.{key}", "no target can be set for this", f"{value:g}", f"some of: {known}", "remove it, or write -1")
        if field in TRACKED and getattr(load.up, field) == 0:
            where = stack.lines.get(f"{path}.UpScaling", line)
            yield Problem(where, f"{path}.UpScaling.{key}", "a target must be above 0", "0", "a number above 0", "write for example 1")
    yield from between(stack, path, load)
    if not load.enable:
        return
    watched = [field for field in TRACKED if getattr(load.up, field) is not None]
    if not watched:
        what, expected = "nothing would make the group larger", "a threshold in UpScaling that is not -1"
        yield Problem(line, path, what, "none", expected, "write for example UpScaling: {CpuThreshold: 80}")
    elif all(getattr(load.down, field) is None for field in watched):
        what, expected = "nothing would make the group smaller again", f"a threshold in DownScaling for one of: {', '.join(watched)}"
        yield Problem(line, path, what, "none", expected, "write it, or watch the CPU both ways")
    if set(watched) & set(PUBLISHED) and not stack.layer("monitor"):
        what, expected = "nobody would measure what waits", 'a line "monitor: 1" in the layers'
        yield Problem(line, path, what, "no layer monitor", expected, 'add "monitor: 1" to the layers')
