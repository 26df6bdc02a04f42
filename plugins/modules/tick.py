#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: tick
short_description: Decide which instances to start and to stop now, by the clock and by load
description:
  - Looks at the stack file, at the machines, the balancers and the metrics, and hands all of it to the brain, which is pure.
  - Decides only; playbooks/scale.yml does it. Of two runs at once one decides, the other one decides nothing.
  - Runs on the control node.
author: Trust Stack (@trust-stack)
version_added: "0.2.0"
options:
  stack_file:
    description: The stack file.
    type: path
    required: true
  state_dir:
    description: The state folder of the stack.
    type: path
    required: true
  balancers:
    description: The balancers, each with name and address; their statistics page says whom they keep out.
    type: list
    elements: dict
    default: []
  stats_port:
    description: Port of their statistics page.
    type: int
    default: 8404
  metrics_url:
    description: Where Prometheus answers; needed by layers that live by load.
    type: str
    default: ""
  events_url:
    description: Where the app publishes its coming on-sales; needed by layers with C(on_sales).
    type: str
    default: ""
  containers_conf:
    description: Settings for podman, see M(trust.stack.podman_machine).
    type: str
    default: ""
  now:
    description: Decide as if it were this instant (ISO 8601, with its offset).
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Decides, and remembers nothing.
"""

EXAMPLES = r"""
- name: Decide
  trust.stack.tick:
    stack_file: inventories/local/stack.yml
    state_dir: inventories/local/.state
"""

RETURN = r"""
start:
  description: Names to start, and why.
  returned: success
  type: dict
stop:
  description: Names to stop, and why.
  returned: success
  type: dict
wanted:
  description: All time- and load-based instances that should run now, and why.
  returned: success
  type: dict
said:
  description: What is going to be done and why, and what a person should know besides, such as why something is not done.
  returned: success
  type: list
  elements: str
"""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trust.stack.plugins.module_utils import lease, statefiles
from ansible_collections.trust.stack.plugins.module_utils import plan as brain
from ansible_collections.trust.stack.plugins.module_utils.observe import UnseenError, clock, look
from ansible_collections.trust.stack.plugins.module_utils.stackfile import parse
from ansible_collections.trust.stack.plugins.module_utils.stackfile_nodes import StackFileError
from ansible_collections.trust.stack.plugins.module_utils.ticking import leads_of, remembered


def instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UnseenError(f"now: found {text!r}, expected an instant such as 2027-03-12T09:30:00+00:00") from None
    if found.tzinfo is None:
        raise UnseenError(f"now: {text!r} does not say its offset from UTC; write for example {text}+00:00")
    return found.astimezone(UTC)


def decide(module: AnsibleModule) -> dict[str, Any]:
    given = module.params
    folder = Path(given["state_dir"])
    nothing: dict[str, Any] = {"start": {}, "stop": {}, "wanted": {}, "said": []}
    if not folder.is_dir():
        raise UnseenError(f"{folder} is not there: this stack was not made yet. Run playbooks/site.yml first")
    if not module.check_mode and (other := lease.take(folder, lease.this_run())):
        return nothing | {"said": [f"process {other.pid} on {other.host} starts or stops instances; this run leaves it to it"]}
    file = Path(given["stack_file"])
    stack = parse(file.read_text(encoding="utf-8-sig"), str(file))
    if not stack.movable:
        return nothing
    seen = look(stack, folder, given)
    memory = remembered(folder)
    found = brain.plan(
        stack, seen.schedules, stack.loads, clock(instant(given["now"])), leads_of(seen.schedules, folder), seen.observed, seen.samples, memory)
    if not module.check_mode:
        statefiles.write(folder / statefiles.TICK, asdict(found.memory))
    said = [f"{verb} {name}: {why}" for verb, names in (("start", found.start), ("stop", found.stop)) for name, why in names.items()]
    return {"start": dict(found.start), "stop": dict(found.stop), "wanted": dict(found.wanted), "said": [*said, *seen.notes, *found.notes]}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "stack_file": {"type": "path", "required": True},
            "state_dir": {"type": "path", "required": True},
            "balancers": {"type": "list", "elements": "dict", "default": []},
            "stats_port": {"type": "int", "default": 8404},
            "metrics_url": {"type": "str", "default": ""},
            "events_url": {"type": "str", "default": ""},
            "containers_conf": {"type": "str", "default": ""},
            "now": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        found = decide(module)
    except (StackFileError, UnseenError, statefiles.StateError, OSError) as exc:
        module.fail_json(msg=f"nothing was started or stopped: {exc}")
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
