# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must hold in a stack so that no service runs without another that can take over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .stackfile import LAYERS, MOVABLE, SINGLE, TYPES, Instance, Stack
from .stackfile_boxes import MANAGED, example
from .stackfile_nodes import Problem
from .stackfile_rules_asg import check as asg
from .stackfile_rules_ec2 import check as ec2
from .stackfile_scaling_rules import clashes, loads, windows

# The layers that vote about who leads; the arbiter votes in each of them.
VOTING = ("database", "redis")
# An instance of these keeps data or a vote: it cannot be away at night.
STEADY = (*VOTING, *SINGLE)
# What the shop stands on, and what stands in front of it: without one of these no ticket can be sold.
SHOP = ("app", "worker")
NEEDED = ("lb", *SHOP, "database", "redis", "memcached", "mail")
TYPE_GROUPS = dict(zip(TYPES, ("always", "time_based", "load_based"), strict=True))
# Hosts whose systemd cannot give a service its own mounts and filters: detection found it out, group_vars say what then.
UNSANDBOXED = "unsandboxed"
# Instances that live by the clock or by load and are not meant to run now: plays leave them alone (hosts: app:!offline).
OFFLINE = "offline"
# Filled by start.yml, stop.yml, deploy.yml and heal.yml while they run; here so that a play on an empty one is no warning.
MOVING = (
    "to_start", "starting_control", "starting", "starting_balancers", "starting_monitor", "starting_others", "started",
    "to_stop", "stopping_control", "stopping", "stopping_balancers", "stopping_monitor", "stopping_others",
    "settled_app", "settled_worker", "rollout_canary", "rollout_app", "rollout_worker", "rollout_done", "rollout_failed", "to_heal", "healing",
    "event_setup", "event_configure", "event_deploy",
)  # fmt: skip


def taken_names(stack: Stack) -> list[str]:
    zones = [f"zone_{zone.replace('-', '_')}" for zone in stack.all_zones]
    return ["all", "ungrouped", "instances", *LAYERS, *zones, *TYPE_GROUPS.values(), UNSANDBOXED, OFFLINE, *MOVING]


def check(stack: Stack) -> list[Problem]:
    """Every rule that the stack breaks."""
    rules = (_zones, _names, _hosts, _types, _needs, _pairs, _singles, _votes, windows, clashes, loads, ec2, asg)
    return [problem for rule in rules for problem in rule(stack)]


def _zones(stack: Stack) -> Iterator[Problem]:
    if stack.quorum_zone in stack.zones:
        found = f'"{stack.quorum_zone}", which is one of the zones'
        what = "the arbiter's zone would fail together with a zone it judges"
        yield Problem(stack.lines["quorum_zone"], "quorum_zone", what, found, "a zone of its own", 'write for example "c"')


def _names(stack: Stack) -> Iterator[Problem]:
    first: dict[str, Instance] = {}
    groups = taken_names(stack)
    for one in stack.instances:
        path = f"layers.{one.layer}"
        if one.name in first:
            found = f'a second "{one.name}"; the first is on line {first[one.name].line}'
            yield Problem(one.line, path, "two instances have one name", found, "a name of its own", "rename one of them")
        if one.name in groups:
            found, mend = f'"{one.name}", which is also a group', f'write for example "{one.layer}-{one.zone}-1"'
            yield Problem(one.line, path, "this name is taken", found, "a name that is no layer and no group", mend)
        if len(one.name) > 63:
            yield Problem(one.line, path, "this name is too long for a host", f'"{one.name}"', "63 letters", "shorten the zone")
        first.setdefault(one.name, one)


def _hosts(stack: Stack) -> Iterator[Problem]:
    if stack.provider != "static":
        if stack.virtual_ip:
            what, expected = "this provider finds the virtual address itself", "no virtual_ip"
            yield Problem(stack.lines["virtual_ip"], "virtual_ip", what, f'"{stack.virtual_ip}"', expected, "remove the line")
        return
    if stack.layer("lb") and not stack.virtual_ip:
        what, expected = "the balancers need an address that moves between them", 'a line "virtual_ip: 192.0.2.10"'
        yield Problem(1, "virtual_ip", what, "nothing", expected, "add a free address of the balancers' network")
    taken = {stack.virtual_ip: "the virtual_ip"} if stack.virtual_ip else {}
    for one in stack.instances:
        if one.host in taken:
            found, expected = f'"{one.host}", as {taken[one.host]}', "an address of its own"
            path = f"layers.{one.layer}"
            yield Problem(one.line, path, "this address is taken", found, expected, "write this machine's own address")
        taken.setdefault(one.host, one.name)


def _types(stack: Stack) -> Iterator[Problem]:
    said: set[tuple[int, str]] = set()  # one line may count several of them
    for one in stack.movable:
        if one.layer in MOVABLE or (one.line, one.type) in said:
            continue
        said.add((one.line, one.type))
        what = f"{one.layer} instances cannot come and go: only those of {' and '.join(MOVABLE)} can"
        if one.layer in STEADY:
            what = f"a {one.layer} instance keeps data or a vote: it cannot come and go"
        yield Problem(one.line, f"layers.{one.layer}", what, f'"type: {one.type}"', '"type: always"', "remove the type")


def _needs(stack: Stack) -> Iterator[Problem]:
    for layer in [layer for layer in SHOP if layer in stack.lines][:1]:
        missing = [other for other in NEEDED if other not in stack.lines]
        if missing:
            what, found = f"the layer {layer} needs others beside it", f"no layer {', '.join(missing)}"
            boxes = MANAGED if stack.provider == "ec2" else {}
            mend = "add " + ", ".join(f'"{other}: {example(other) if other in boxes else 1 if other in SINGLE else 2}"' for other in missing)
            yield Problem(stack.lines[layer], f"layers.{layer}", what, found, f"all of: {', '.join(NEEDED)}", mend)


def _pairs(stack: Stack) -> Iterator[Problem]:
    for layer in (layer for layer in LAYERS if layer not in SINGLE):
        steady = [one for one in stack.layer(layer) if one.type == "always"]
        zones = {one.zone for one in steady}
        if layer not in stack.lines or stack.managed(layer) or (len(steady) >= 2 and len(zones) >= 2):
            continue
        two = len(steady) >= 2
        what = "all instances are in one zone: it takes them along" if two else "nothing could take over from one instance"
        found = f"{len(steady)} in zone {', '.join(zones)}" if two else f"{len(steady)} that is always on"
        expected = "at least two instances that are always on, in two zones"
        mend = f"move one to zone {next(z for z in stack.zones if z not in zones)}" if two else f"write {layer}: 2"
        yield Problem(stack.lines[layer], f"layers.{layer}", what, found, expected, mend)


def _singles(stack: Stack) -> Iterator[Problem]:
    for layer in SINGLE:
        some = stack.layer(layer)
        if len(some) > 1:
            what = "a second arbiter makes an even number of votes" if layer == "arbiter" else f"one {layer} is enough"
            yield Problem(stack.lines[layer], f"layers.{layer}", what, str(len(some)), "1", f"write {layer}: 1")
    for one in stack.layer("arbiter"):
        if not stack.quorum_zone:
            what, expected = "the arbiter needs a zone of its own", 'a line "quorum_zone: c"'
            yield Problem(one.line, "layers.arbiter", what, "no quorum_zone", expected, "add quorum_zone at the top level")
        elif one.zone != stack.quorum_zone:
            what, expected = "the arbiter would fail together with a zone it judges", f'"zone: {stack.quorum_zone}"'
            yield Problem(one.line, "layers.arbiter", what, f'"zone: {one.zone}"', expected, "move it to the quorum zone")


def _votes(stack: Stack) -> Iterator[Problem]:
    """After the loss of any one zone, more than half of the votes must be left: else the layer stops by itself."""
    expected, arbiter = "a majority of votes without any one zone", stack.layer("arbiter")
    if stack.provider == "ec2" or list(_zones(stack)) or list(_singles(stack)):
        return  # there they are services; else the arbiter must be mended first
    short: dict[str, str] = {}
    for layer in VOTING:
        voters = stack.layer(layer) + arbiter
        if len({one.zone for one in stack.layer(layer)}) < 2:
            continue  # absent, or _pairs has said so
        zone, lost = Counter(one.zone for one in voters).most_common(1)[0]
        if 2 * (len(voters) - lost) <= len(voters):
            short[layer] = f"{len(voters) - lost} of {len(voters)} votes left without zone {zone}"
    if short and not arbiter:
        layer, found = next(iter(short.items()))
        what = f"with one zone lost, {' and '.join(short)} would stop: they need a third vote"
        mend = 'add "arbiter: 1" to the layers, and "quorum_zone: c" if it is not there'
        yield Problem(stack.lines[layer], f"layers.{layer}", what, found, expected, mend)
        return
    for layer, found in short.items():
        even = 2 * (len(stack.layer(layer)) // 2)
        what, mend = f"with one zone lost, {layer} would stop", f"spread it evenly, for example {layer}: {even}"
        yield Problem(stack.lines[layer], f"layers.{layer}", what, found, expected, mend)
