# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The decision of a tick, taken inside ansible-playbook: a process of its own would take half of a tick's time."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible_collections.trust.stack.plugins.module_utils import plan as brain
from ansible_collections.trust.stack.plugins.module_utils import statefiles
from ansible_collections.trust.stack.plugins.module_utils.observe import clock, instant, look
from ansible_collections.trust.stack.plugins.module_utils.ticking import leads_of, remembered
from ansible_collections.trust.stack.plugins.plugin_utils.deciding import LOOKS_AT, DecidingAction, holder, left_alone, stack_of

ARGUMENTS = LOOKS_AT | {
    "metrics_url": {"type": "str", "default": ""},
    "metrics_source": {"type": "str", "choices": ["prometheus", "cloudwatch"]},
    "events_url": {"type": "str", "default": ""},
    "now": {"type": "str", "default": ""},
}


def decide(given: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    folder = Path(given["state_dir"])
    nothing: dict[str, Any] = {"start": {}, "stop": {}, "wanted": {}, "said": []}
    if other := holder(folder, check_mode):
        return nothing | {"said": [f"process {other.pid} on {other.host} starts or stops instances; this run leaves it to it"]}
    stack = stack_of(given)
    if not stack.movable:
        return nothing
    seen = look(stack, folder, given)
    memory = remembered(folder)
    found = brain.plan(
        stack, seen.schedules, stack.loads, clock(instant(given["now"])), leads_of(seen.schedules, folder), seen.observed, seen.samples, memory)
    if not check_mode:
        statefiles.write(folder / statefiles.TICK, asdict(found.memory))
    held = left_alone(stack, folder)
    start, stop = ({name: why for name, why in names.items() if name not in held} for names in (found.start, found.stop))
    kept = [f"{name}: {held[name]}, neither started nor stopped" for name in sorted(held.keys() & (found.start.keys() | found.stop.keys()))]
    said = [f"{verb} {name}: {why}" for verb, names in (("start", start), ("stop", stop)) for name, why in names.items()]
    return {"start": start, "stop": stop, "wanted": dict(found.wanted), "said": [*said, *kept, *seen.notes, *found.notes]}


class ActionModule(DecidingAction):
    ARGUMENTS = ARGUMENTS
    LEFT_ALONE = "nothing was started or stopped"

    def decide(self, given: dict[str, Any], check_mode: bool) -> dict[str, Any]:
        return decide(given, check_mode)
