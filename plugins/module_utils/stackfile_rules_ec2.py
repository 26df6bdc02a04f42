# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must hold beside the rules for all stacks when the provider is EC2, and what only EC2 knows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .stackfile import Stack
from .stackfile_boxes import ALWAYS_MANAGED, MANAGED, example
from .stackfile_nodes import Problem

LETTER = re.compile(r"[a-z]")
ARM = re.compile(r"[a-z]+[0-9]+g[a-z]*\.")  # Graviton: t4g, m7g, c7gn


def check(stack: Stack) -> Iterator[Problem]:
    if stack.provider != "ec2":
        if stack.region:
            expected, mend = f"no region, with provider: {stack.provider}", "remove the line, or write provider: ec2"
            yield Problem(stack.lines["region"], "region", "a region is a place of AWS", f'"{stack.region}"', expected, mend)
        return
    if not stack.region:
        what, expected = "EC2 must be told where", 'a line "region: eu-west-1"'
        yield Problem(stack.lines["provider"], "region", what, "nothing", expected, "add the region that is nearest to your visitors")
    yield from _zones(stack)
    yield from _managed(stack)
    yield from _entrance(stack)
    yield from _processor(stack)
    if stack.layer("arbiter") and not (stack.layer("database") or stack.layer("redis")):
        what, expected = "nothing here needs the arbiter's vote", "no arbiter: the services of AWS vote among themselves"
        yield Problem(stack.lines["arbiter"], "layers.arbiter", what, "arbiter", expected, "remove the line")


def _zones(stack: Stack) -> Iterator[Problem]:
    for zone in stack.all_zones:
        if LETTER.fullmatch(zone):
            continue
        key = "quorum_zone" if zone == stack.quorum_zone else "zones"
        mend = f'write "{zone[-1]}"' if LETTER.fullmatch(zone[-1]) else "write for example a"
        expected = f"the letter of a zone of {stack.region or 'the region'}, such as a"
        yield Problem(stack.lines[key], key, "this is no zone there", f'"{zone}"', expected, mend)


def _managed(stack: Stack) -> Iterator[Problem]:
    for layer in ALWAYS_MANAGED:
        if not stack.layer(layer):
            continue
        what = f"on EC2 the layer {layer} is a service"
        found, expected = f"{len(stack.layer(layer))} instances", f"managed: {MANAGED[layer][0]}"
        yield Problem(stack.lines[layer], f"layers.{layer}", what, found, expected, f"write {layer}: {example(layer)}")


def _entrance(stack: Stack) -> Iterator[Problem]:
    if stack.layer("lb") and not stack.boxes.get("lb", {}).get("failover"):
        what, expected = "it is not said how visitors get past a balancer that fails", "failover: route53, or failover: nlb"
        yield Problem(stack.lines["lb"], "layers.lb", what, "nothing", expected, "write lb: {instances: 2, failover: route53}")


def _processor(stack: Stack) -> Iterator[Problem]:
    """One release is one artifact, the same on every host, and it holds compiled packages."""
    app, worker = (str(stack.boxes.get(layer, {}).get("class", "")) for layer in ("app", "worker"))
    if not app or not worker or bool(ARM.match(app)) == bool(ARM.match(worker)):
        return
    what, expected = "app and worker run one release and need one kind of processor", f"a size like app's {app}"
    yield Problem(stack.lines["worker"], "layers.worker.class", what, f'"{worker}"', expected, "take Graviton (t4g, m7g, ...) for both, or for neither")
