#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance
short_description: Say on which instances a person works, so that nothing is healed there
description:
  - Kept in C(maintenance.json) of the state folder, for a limited time, so that nobody is forgotten. Runs on the control node.
author: Trust Stack (@trust-stack)
version_added: "0.2.0"
options:
  state_dir:
    description: The state folder of the stack.
    type: path
    required: true
  instances:
    description: All instances of the stack, each with name and layer.
    type: list
    elements: dict
    required: true
  hold:
    description: Names to leave alone from now on, split at commas and spaces.
    type: str
    default: ""
  minutes:
    description: For so long.
    type: float
    default: 60
  release:
    description: Names that may be healed again.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Predicts.
"""

EXAMPLES = r"""
- name: Work on app-a-1
  trust.stack.maintenance:
    state_dir: .state
    instances: "{{ stack_instances }}"
    hold: app-a-1
    minutes: 30
"""

RETURN = r"""
held:
  description: Who is left alone, and until when.
  returned: success
  type: dict
  sample: {app-a-1: "2027-03-12T10:00:00+00:00"}
"""

from datetime import UTC, datetime
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trust.stack.plugins.module_utils import maintenance, statefiles
from ansible_collections.trust.stack.plugins.module_utils.names import split


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state_dir": {"type": "path", "required": True},
            "instances": {"type": "list", "elements": "dict", "required": True},
            "hold": {"type": "str", "default": ""},
            "minutes": {"type": "float", "default": 60},
            "release": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    given = module.params
    layers = {one["name"]: one["layer"] for one in given["instances"]}
    hold, release = (split(given[key]) for key in ("hold", "release"))
    if unknown := [name for name in hold if name not in layers]:
        module.fail_json(msg=f"hold: there is no instance {unknown[0]!r}; expected some of: {', '.join(layers)}")
    if not 0 < given["minutes"] <= 7 * 24 * 60:
        module.fail_json(msg=f"minutes: found {given['minutes']:g}, expected more than 0 and at most a week (10080)")
    try:
        changed, held = maintenance.change(
            Path(given["state_dir"]), datetime.now(UTC), hold, given["minutes"], release, layers, module.check_mode)
    except (statefiles.StateError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=changed, held=held)


if __name__ == "__main__":
    main()
