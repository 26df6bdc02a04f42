#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: online
short_description: Write down which time- and load-based instances run, and why
description:
  - The inventory reads it, so that every play knows who is online. Runs on the control node.
  - Each change is a line in C(events.jsonl) of the state folder, with who did it, why, and the state before and after.
author: Trust Stack (@trust-stack)
version_added: "0.2.0"
options:
  state_dir:
    description: The state folder of the stack.
    type: path
    required: true
  actor:
    description: Who does it, such as C(start.yml).
    type: str
    required: true
  online:
    description: Names of instances that were started, with the cause.
    type: dict
    default: {}
  offline:
    description: Names of instances that were stopped, with the cause.
    type: dict
    default: {}
  failed:
    description: Names of instances whose start failed, with the cause.
    type: dict
    default: {}
  layers:
    description: The layer of each name.
    type: dict
    default: {}
  overran:
    description: Of O(offline), those whose requests had not ended when they were stopped.
    type: list
    elements: str
    default: []
  began:
    description: Seconds since the epoch at which the start began; the time to now is kept as the start's duration.
    type: float
attributes:
  check_mode:
    support: full
    description: Writes nothing.
"""

EXAMPLES = r"""
- name: Write down who is online
  trust.stack.online:
    state_dir: .state
    actor: start.yml
    online: {app-a-2: by hand}
    layers: {app-a-2: app}
"""

RETURN = r"""
events:
  description: The lines of the log.
  returned: success
  type: list
  elements: dict
"""

import time
from datetime import UTC, datetime
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trust.stack.plugins.module_utils import statefiles


def main() -> None:
    names = ("online", "offline", "failed", "layers")
    module = AnsibleModule(
        argument_spec={
            "state_dir": {"type": "path", "required": True},
            "actor": {"type": "str", "required": True},
            **{name: {"type": "dict", "default": {}} for name in names},
            "overran": {"type": "list", "elements": "str", "default": []},
            "began": {"type": "float"},
        },
        supports_check_mode=True,
    )
    given = module.params
    if module.check_mode:
        module.exit_json(changed=bool(given["online"] or given["offline"]), events=[])
    took = time.time() - given["began"] if given["began"] else None
    seconds = {} if took is None else dict.fromkeys(given["online"], took)
    try:
        events = statefiles.record(
            Path(given["state_dir"]), datetime.now(UTC), given["actor"], given["online"], given["offline"], given["failed"],
            given["layers"], seconds, given["overran"],
        )  # fmt: skip
    except (statefiles.StateError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=bool(events), events=events)


if __name__ == "__main__":
    main()
