# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the decisions of scale.yml and heal.yml have in common: taken inside ansible-playbook, by one run at a time, and never by halves."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.trust.stack.plugins.module_utils import lease, maintenance, statefiles
from ansible_collections.trust.stack.plugins.module_utils.observe import UnseenError
from ansible_collections.trust.stack.plugins.module_utils.stackfile import Stack, parse
from ansible_collections.trust.stack.plugins.module_utils.stackfile_nodes import StackFileError
from ansible_collections.trust.stack.plugins.module_utils.stackfile_rules import SHOP

LOOKS_AT: dict[str, dict[str, Any]] = {
    "stack_file": {"type": "path", "required": True},
    "state_dir": {"type": "path", "required": True},
    "balancers": {"type": "list", "elements": "dict", "default": []},
    "stats_port": {"type": "int", "default": 8404},
    "containers_conf": {"type": "str", "default": ""},
}


def made(folder: Path) -> None:
    """UnseenError for a stack that was not made yet."""
    if not folder.is_dir():
        raise UnseenError(f"{folder} is not there: this stack was not made yet. Run playbooks/site.yml first")


def holder(folder: Path, check_mode: bool) -> lease.Holder | None:
    """Who else starts, stops or deploys just now; None when this run may. UnseenError for a stack that was not made yet."""
    made(folder)
    return None if check_mode else lease.take(folder, lease.this_run())


def stack_of(given: dict[str, Any]) -> Stack:
    file = Path(given["stack_file"])
    return parse(file.read_text(encoding="utf-8-sig"), str(file))


def without_release(stack: Stack, folder: Path) -> list[str]:
    """Instances that have nothing to run since undeploy.yml."""
    state = statefiles.read(folder / statefiles.RELEASE)
    undeployed = bool(state) and not state.get("digest")  # before the first deploy there is no file
    return [one.name for one in stack.instances if undeployed and one.layer in SHOP]


def left_alone(stack: Stack, folder: Path) -> dict[str, str]:
    """Who is neither started, stopped nor healed: name -> why.

    On some a person works, others have nothing that they could run, and from one the database may be migrated.
    """
    held = {name: until for name, until in maintenance.held(folder).items() if time.time() < until}
    worked_on = {name: f"in maintenance until {datetime.fromtimestamp(until, UTC):%H:%M:%S} UTC" for name, until in held.items()}
    migrates = {name: "the database is migrated from it" for name in [lease.migrating(folder)] if name}
    return worked_on | migrates | dict.fromkeys(without_release(stack, folder), "no release is deployed")


class DecidingAction(ActionBase):
    """An action that decides and changes nothing; what it cannot decide is an error that says what was left alone."""

    ARGUMENTS: dict[str, dict[str, Any]]
    LEFT_ALONE: str
    _supports_check_mode = True
    _requires_connection = False
    TRANSFERS_FILES = False

    def decide(self, given: dict[str, Any], check_mode: bool) -> dict[str, Any]:
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(argument_spec=self.ARGUMENTS)
        try:
            return result | {"changed": False} | self.decide(given, self._task.check_mode)
        except (StackFileError, UnseenError, statefiles.StateError, OSError) as exc:
            return result | {"failed": True, "msg": f"{self.LEFT_ALONE}: {exc}"}
