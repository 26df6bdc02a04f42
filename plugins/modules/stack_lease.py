#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: stack_lease
short_description: Be the only run that changes which instances and which release run
description:
  - The lease ends with this run of ansible-playbook, however it ends. Runs on the control node.
  - For runs that deploy; those that start or stop take it in M(trust.stack.chosen) and M(trust.stack.tick).
author: Trust Stack (@trust-stack)
version_added: "0.2.0"
options:
  state_dir:
    description: The state folder of the stack.
    type: path
    required: true
  state:
    description:
      - V(held) takes it.
      - V(lent) lets others start, stop and heal, but not deploy, until this run takes it again.
    type: str
    choices: [held, lent]
    default: held
  instance:
    description: With V(lent), the instance from which the database is migrated. Others leave it alone.
    type: str
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

- name: Let others start and stop while the database is migrated
  trust.stack.stack_lease:
    state_dir: .state
    state: lent
    instance: app-a-1
"""

RETURN = r""" # """

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trust.stack.plugins.module_utils import lease, statefiles


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state_dir": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["held", "lent"], "default": "held"},
            "instance": {"type": "str"},
            "wait": {"type": "float", "default": 300},
        },
        required_if=[("state", "lent", ["instance"])],
        supports_check_mode=True,
    )
    given = module.params
    try:
        if given["state"] == "lent" and not module.check_mode:
            lease.lend(Path(given["state_dir"]), given["instance"])
        elif not module.check_mode:
            lease.hold(Path(given["state_dir"]), given["wait"], deploys=True)
    except (lease.LeaseError, statefiles.StateError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
