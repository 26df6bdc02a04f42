# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who will be late, asked inside ansible-playbook, beside a start that may hang."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.trust.stack.plugins.module_utils.lateness import alerts, late, raise_alerts
from ansible_collections.trust.stack.plugins.module_utils.observe import NOWHERE, instant, look
from ansible_collections.trust.stack.plugins.plugin_utils.deciding import LOOKS_AT, DecidingAction, made, stack_of, without_release

ARGUMENTS = LOOKS_AT | {
    "events_url": {"type": "str", "default": ""},
    "alerts_url": {"type": "str", "default": ""},
    "now": {"type": "str", "default": ""},
}


def decide(given: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    folder = Path(given["state_dir"])
    made(folder)
    stack = stack_of(given)
    if not stack.schedules or without_release(stack, folder):
        return {"late": [], "said": []}
    now = instant(given["now"]) or datetime.now(UTC)
    seen = look(stack, folder, given | {"metrics_source": NOWHERE, "metrics_url": ""})
    serving = seen.observed.powered & seen.observed.online - seen.observed.out
    found = late(seen.schedules, now, serving)
    problem = ""
    if found and given["alerts_url"] and not check_mode:
        problem = raise_alerts(given["alerts_url"], alerts(stack.name, found, datetime.now(UTC)))
    return {"late": [one.layer for one in found], "said": [*map(str, found), *([problem] if problem else [])]}


class ActionModule(DecidingAction):
    ARGUMENTS = ARGUMENTS
    LEFT_ALONE = "nobody was told"

    def decide(self, given: dict[str, Any], check_mode: bool) -> dict[str, Any]:
        return decide(given, check_mode)
