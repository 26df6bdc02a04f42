# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The secrets are made where Ansible runs, by Ansible's own vault: an action, so that no host ever sees them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.trust.stack.plugins.plugin_utils.vault import ensure

ARGUMENTS = {
    "path": {"type": "path", "required": True},
    "password_file": {"type": "path", "required": True, "no_log": False},
    "names": {"type": "list", "elements": "str", "required": True},
    "length": {"type": "int", "default": 32},
    "known": {"type": "dict", "default": {}, "no_log": True},
}


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        length = int(given["length"])
        if length < 16:
            return result | {
                "failed": True,
                "msg": f"length: found {length}, expected 16 or more: a short secret can be guessed.",
            }
        path, password_file = (Path(os.path.abspath(given[key])) for key in ("path", "password_file"))
        found = ensure(path, password_file, given["names"], length, self._task.check_mode, given["known"])
        result |= {"changed": bool(found["added"] or found["taken"])} | found
        if found["differing"]:
            return result | {
                "failed": True,
                "msg": f"{path}: {', '.join(found['differing'])}: found other values than those that are known elsewhere. Expected: the same. "
                "Nothing was changed. Mend: remove the wrong value from one of both places.",
            }
        return result
