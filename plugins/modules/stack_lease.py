#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: stack_lease
short_description: Be the only run that changes which instances and which release run
description:
  - The lease ends with this run of ansible-playbook, however it ends. Runs on the control node.
author: Trust Stack (@trust-stack)
version_added: "0.2.0"
options:
  state_dir:
    description: The state folder of the stack.
    type: path
    required: true
  wait:
    description: Seconds to wait for another run.
    type: float
    default: 300
attributes:
  check_mode:
    support: full
    description: Takes nothing.
"""

EXAMPLES = r"""
- name: Be the only one
  trust.stack.stack_lease:
    state_dir: .state
"""

RETURN = r""" # """

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trust.stack.plugins.module_utils import lease, statefiles


def main() -> None:
    module = AnsibleModule(
        argument_spec={"state_dir": {"type": "path", "required": True}, "wait": {"type": "float", "default": 300}},
        supports_check_mode=True,
    )
    try:
        if not module.check_mode:
            lease.hold(Path(module.params["state_dir"]), module.params["wait"])
    except (lease.LeaseError, statefiles.StateError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
