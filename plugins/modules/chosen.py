#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: chosen
short_description: Check which instances are to be started or stopped, and be the only run that does so
description:
  - Refuses names that are not in the stack, and to stop or shut down what must always run.
  - Takes the lease of the stack, which ends with this run of ansible-playbook. Runs on the control node.
author: Trust Stack (@trust-stack)
version_added: "0.2.0"
options:
  verb:
    description: What is going to be done.
    type: str
    choices: [start, stop, shutdown]
    required: true
  names:
    description: Names of instances; a text is split at commas and spaces, and a mapping has the cause of each.
    type: raw
    required: true
  instances:
    description: All instances of the stack, each with name, layer and type.
    type: list
    elements: dict
    required: true
  state_dir:
    description: The state folder of the stack.
    type: path
    required: true
  force:
    description: Whether an instance of type always may be stopped.
    type: bool
    default: false
  wait:
    description: Seconds to wait for another run that starts or stops instances.
    type: float
    default: 300
attributes:
  check_mode:
    support: full
    description: Does not take the lease.
"""

EXAMPLES = r"""
- name: Choose
  trust.stack.chosen:
    verb: start
    names: app-a-2,app-b-2
    instances: "{{ stack_instances }}"
    state_dir: "{{ stack_state_dir }}"
"""

RETURN = r"""
names:
  description: The chosen instances, each once.
  returned: success
  type: list
  elements: str
causes:
  description: Why, for each.
  returned: success
  type: dict
layers:
  description: The layer of each.
  returned: success
  type: dict
began:
  description: Now, in seconds since the epoch.
  returned: success
  type: float
"""

import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trust.stack.plugins.module_utils import lease, statefiles
from ansible_collections.trust.stack.plugins.module_utils.names import split


class ChoiceError(Exception):
    """The choice cannot be; the text says why and what to do."""


def check(verb: str, given: Any, instances: list[dict[str, Any]], force: bool) -> list[str]:
    """The chosen names, each once. ChoiceError for a name that is unknown, or that must not be stopped."""
    names = split(given)
    known = {one["name"]: one for one in instances}
    movable = [one["name"] for one in instances if one["type"] != "always"]
    for name in names:
        if name not in known:
            raise ChoiceError(f"{verb}: there is no instance {name!r}; expected one of: {', '.join(movable or known)}. Add it to stack.yml first")
        if verb != "start" and known[name]["type"] == "always" and not force:
            raise ChoiceError(
                f"{verb}: {name} is of type always; expected one of: {', '.join(movable) or 'none, the stack has no time or load instances'}. "
                "When it has to be, for a repair: -e force=true"
            )
    return names


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "verb": {"type": "str", "choices": ["start", "stop", "shutdown"], "required": True},
            "names": {"type": "raw", "required": True},
            "instances": {"type": "list", "elements": "dict", "required": True},
            "state_dir": {"type": "path", "required": True},
            "force": {"type": "bool", "default": False},
            "wait": {"type": "float", "default": 300},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        names = check(given["verb"], given["names"], given["instances"], given["force"])
        if names and not module.check_mode:
            lease.hold(Path(given["state_dir"]), given["wait"])
    except (ChoiceError, lease.LeaseError, statefiles.StateError, OSError) as exc:
        module.fail_json(msg=str(exc))
    why = given["names"] if isinstance(given["names"], dict) else {}
    causes = {name: str(why.get(name, "by hand")) for name in names}
    layers = {one["name"]: one["layer"] for one in given["instances"] if one["name"] in names}
    module.exit_json(changed=False, names=names, causes=causes, layers=layers, began=time.time())


if __name__ == "__main__":
    main()
