#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: asg_plan
short_description: What the Auto Scaling groups of a stack are to be told
description:
  - For each layer with C(scaling=asg) in the stack file, the size that its group should have now, its scheduled actions and its targets.
  - Reads files of the control node and asks nobody. Where C(ready_by) is to be measured, it reads how long earlier starts took.
author: Trust Stack (@trust-stack)
version_added: "0.3.0"
options:
  stack_file:
    description: The stack file.
    type: path
    required: true
  state_dir:
    description: The state folder of the stack.
    type: path
    required: true
  now:
    description: A time to plan from, such as V(2027-03-12T09:00:00Z), instead of now.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Changes nothing in any case.
"""

EXAMPLES = r"""
- name: Turn the schedule into scheduled actions
  trust.stack.asg_plan:
    stack_file: stack.yml
    state_dir: .state
"""

RETURN = r"""
groups:
  description: Of each such layer C(name) of the group, C(class) of its machines, C(size) (C(min), C(max) and, without load, C(desired)), C(actions) and
    C(policies), and C(until), the time up to which the actions are right.
  returned: success
  type: dict
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trust.stack.plugins.module_utils import asg, observe, stackfile, statefiles
from ansible_collections.trust.stack.plugins.module_utils.stackfile_nodes import StackFileError
from ansible_collections.trust.stack.plugins.module_utils.ticking import leads_of


def planned(params: dict[str, Any]) -> dict[str, Any]:
    file, folder = Path(params["stack_file"]), Path(params["state_dir"])
    stack = stackfile.parse(file.read_text(encoding="utf-8-sig"), str(file))
    now = observe.instant(params["now"]) or datetime.now(UTC)
    leads = leads_of({layer: group.schedule for layer, group in stack.groups.items()}, folder)
    found = {}
    for layer, group in stack.groups.items():
        name, plan = f"{stack.name}-{layer}", asg.plan(group, leads[layer], now)
        size = {"min": plan.size, "max": group.largest} if group.by_load else {"min": 0, "max": group.largest, "desired": plan.size}
        found[layer] = {
            "name": name, "layer": layer, "class": stack.boxes[layer]["class"], "size": size,
            "actions": [asg.asked(one, group, name) for one in plan.actions],
            "policies": asg.policies(group.load, stack.name, layer) if group.load else [],
            "until": f"{plan.until:%Y-%m-%dT%H:%M:%SZ}",
        }  # fmt: skip
    return found


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "stack_file": {"type": "path", "required": True},
            "state_dir": {"type": "path", "required": True},
            "now": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        groups = planned(module.params)
    except (asg.AsgError, observe.UnseenError, StackFileError, statefiles.StateError, OSError, UnicodeDecodeError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False, groups=groups)


if __name__ == "__main__":
    main()
