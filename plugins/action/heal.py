# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The decision whom to heal, taken inside ansible-playbook, like that of a tick."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.trust.stack.plugins.module_utils import healing, observe_health, statefiles
from ansible_collections.trust.stack.plugins.module_utils.stackfile import Stack
from ansible_collections.trust.stack.plugins.plugin_utils.deciding import LOOKS_AT, DecidingAction, holder, left_alone, stack_of

ARGUMENTS = LOOKS_AT | {
    "status_url": {"type": "str", "default": ""},
}
VERBS = {
    "restart_services": ("restart services", "services restarted"),
    "restart_machine": ("restart machine", "machine restarted"),
    "start_machine": ("start machine", "machine started"),
}


def decide(given: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    folder = Path(given["state_dir"])
    nothing: dict[str, Any] = {verb: {} for verb in VERBS} | {"said": []}
    if other := holder(folder, check_mode):
        return nothing | {"said": [f"process {other.pid} on {other.host} starts, stops or deploys; this run leaves it to it"]}
    stack = stack_of(given)
    sights, unseen = observe_health.look(stack, given)
    online = frozenset(statefiles.read(folder / statefiles.ONLINE))
    now = datetime.now(UTC)
    memory = healing.remember(statefiles.read(folder / statefiles.HEALS))
    found = healing.heal(stack, now, sights, online, memory, left_alone(stack, folder))
    actions = {verb: dict(getattr(found, verb)) for verb in VERBS}
    if not check_mode:
        # Before anything is done: a heal that hangs counts too.
        statefiles.write(folder / statefiles.HEALS, healing.as_kept(found.memory))
        statefiles.append(folder / statefiles.EVENTS, events(stack, now, actions, sights))
    said = [f"{VERBS[verb][0]} of {name}: {why}" for verb, names in actions.items() for name, why in names.items()]
    return actions | {"said": [*said, *unseen, *found.notes]}


def events(stack: Stack, now: datetime, actions: dict[str, dict[str, str]], sights: dict[str, healing.Sight]) -> list[dict[str, Any]]:
    """One line of the log for each action."""
    known = {one.name: one for one in stack.instances}
    return [
        {
            "time": now.isoformat(timespec="seconds"), "actor": "heal.yml", "verb": VERBS[verb][0], "instance": name, "layer": known[name].layer,
            "cause": why, "before": healing.judge(known[name], sights[name]).state, "after": VERBS[verb][1],
        }
        for verb, names in actions.items() for name, why in names.items()
    ]  # fmt: skip


class ActionModule(DecidingAction):
    ARGUMENTS = ARGUMENTS
    LEFT_ALONE = "nothing was healed"

    def decide(self, given: dict[str, Any], check_mode: bool) -> dict[str, Any]:
        return decide(given, check_mode)
