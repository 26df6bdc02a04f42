#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: lifecycle_event
short_description: Write down a lifecycle event, so that it can be read about and run again
description:
  - Each instance is a line in C(events.jsonl) of the state folder. The whole event is C(event.json) there, which playbooks/event.yml
    runs again with C(-e @event.json).
  - Refuses names that are not in the stack. Runs on the control node.
author: Trust Stack (@trust-stack)
version_added: "0.3.0"
options:
  state_dir:
    description: The state folder of the stack.
    type: path
    required: true
  actor:
    description: Who does it, such as C(event.yml).
    type: str
    required: true
  event:
    description: Which event it is.
    type: str
    choices: [setup, configure, deploy, undeploy, shutdown]
    required: true
  names:
    description: Names of instances, a list or a text that is split at commas and spaces.
    type: raw
    required: true
  instances:
    description: All instances of the stack, each with name and layer.
    type: list
    elements: dict
    required: true
  cause:
    description: Why.
    type: str
    default: by hand
attributes:
  check_mode:
    support: full
    description: Writes nothing.
"""

EXAMPLES = r"""
- name: Write down the event
  trust.stack.lifecycle_event:
    state_dir: .state
    actor: event.yml
    event: configure
    names: app-a-1,app-b-1
    instances: "{{ stack_instances }}"
"""

RETURN = r"""
names:
  description: The instances, each once.
  returned: success
  type: list
  elements: str
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trust.stack.plugins.module_utils import statefiles
from ansible_collections.trust.stack.plugins.module_utils.names import split

EVENTS = ["setup", "configure", "deploy", "undeploy", "shutdown"]


def layers_of(given: Any, instances: list[dict[str, Any]]) -> dict[str, str]:
    """Name to layer of the given ones, each once. ValueError for a name that is not in the stack."""
    known = {one["name"]: one["layer"] for one in instances}
    if unknown := [name for name in split(given) if name not in known]:
        raise ValueError(f"instances: there is no instance {unknown[0]!r}; expected some of: {', '.join(known)}")
    return {name: known[name] for name in split(given)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state_dir": {"type": "path", "required": True},
            "actor": {"type": "str", "required": True},
            "event": {"type": "str", "choices": EVENTS, "required": True},
            "names": {"type": "raw", "required": True},
            "instances": {"type": "list", "elements": "dict", "required": True},
            "cause": {"type": "str", "default": "by hand"},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        layers = layers_of(given["names"], given["instances"])
        if layers and not module.check_mode:
            statefiles.note(Path(given["state_dir"]), datetime.now(UTC), given["actor"], given["event"], layers, given["cause"])
    except (ValueError, statefiles.StateError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=bool(layers), names=list(layers))


if __name__ == "__main__":
    main()
