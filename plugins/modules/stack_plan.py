#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: stack_plan
short_description: What the clock will start and stop in the coming days, or a simulation of any days
description:
  - Tells every start and stop with its cause, the capacity of each layer by hour, the instance-hours and, where prices are
    given, what they cost; as text, and as a page with the hours of the week as boxes.
  - Asks the same pure functions that decide at every tick of playbooks/scale.yml. A simulation runs them minute by minute,
    with machines that are made up and with the load of a trace.
  - Needs the stack file only, no running stack. How long starts took is taken from the state folder, if it is there. Starts and stops nothing.
author: Trust Stack (@trust-stack)
version_added: "0.2.0"
options:
  stack_file:
    description: The stack file.
    type: path
    required: true
  state_dir:
    description: The state folder of the stack; it may not be there yet.
    type: path
    required: true
  from:
    description: The first day, such as V(2027-03-08), of O(zone)'s calendar; today if empty.
    type: str
    default: ""
  days:
    description: So many days, 1 to 366.
    type: int
    default: 7
  zone:
    description: The time zone of the days and hours (an IANA name); that of most windows in the stack file if empty.
    type: str
    default: ""
  prices:
    description:
      - "Prices per instance-hour: the keys are layers or types (always, time, load), a layer wins; and C(currency)."
      - Without it nothing is said about price.
    type: dict
    default: {}
  events_url:
    description: Where the app publishes its coming on-sales; where it does not answer, what it said at the last tick counts.
    type: str
    default: ""
  page:
    description: Where to write the page; nowhere if empty.
    type: path
    default: ""
  simulate:
    description: Simulate the days tick by tick instead of telling what the clock will do.
    type: bool
    default: false
  trace:
    description:
      - For a simulation, a file of JSON lines with C(at) (an instant), C(layer), and the metrics C(cpu), C(memory), C(load),
        C(queue), C(sessions), C(backlog); a line holds until the layer's next one.
      - With C(instances) it says how many instances shared the load; others have more or less of it then.
    type: path
    default: ""
  start_seconds:
    description: For a simulation, how long each start takes; 0 is as measured, in turn, and 60 where nothing was measured.
    type: float
    default: 0
  stop_seconds:
    description: For a simulation, how long the stops of one tick take.
    type: float
    default: 30
attributes:
  check_mode:
    support: full
    description: Tells everything, and writes no page.
"""

EXAMPLES = r"""
- name: Look at the coming seven days
  trust.stack.stack_plan:
    stack_file: inventories/local/stack.yml
    state_dir: inventories/local/.state
    page: plan.html
    prices: {currency: EUR, app: 0.052, worker: 0.052}
"""

RETURN = r"""
said:
  description: The plan, line by line.
  returned: success
  type: list
  elements: str
moves:
  description: "Every start and stop: at (ISO 8601, UTC), verb, instance, layer, why."
  returned: success
  type: list
  elements: dict
hours:
  description: Instance-hours by instance.
  returned: success
  type: dict
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trust.stack.plugins.module_utils import planning, statefiles
from ansible_collections.trust.stack.plugins.module_utils.forecast import PlanError
from ansible_collections.trust.stack.plugins.module_utils.loadtrace import TraceError
from ansible_collections.trust.stack.plugins.module_utils.stackfile_nodes import StackFileError


def write(path: Path, text: str, check: bool) -> tuple[bool, str]:
    """Write the page; whether it differs from what was there, and the line that says so."""
    if not path.parent.is_dir():
        return False, f"No page was written: {path.parent} is not there yet; mend: -e plan_file=plan.html"
    changed = not path.exists() or path.read_text(encoding="utf-8") != text
    if check:
        return changed, f"Would write {path}"
    if changed:
        new = path.with_name(path.name + ".new")
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    return changed, f"Written: {path}"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "stack_file": {"type": "path", "required": True},
            "state_dir": {"type": "path", "required": True},
            "from": {"type": "str", "default": ""},
            "days": {"type": "int", "default": 7},
            "zone": {"type": "str", "default": ""},
            "prices": {"type": "dict", "default": {}},
            "events_url": {"type": "str", "default": ""},
            "page": {"type": "path", "default": ""},
            "simulate": {"type": "bool", "default": False},
            "trace": {"type": "path", "default": ""},
            "start_seconds": {"type": "float", "default": 0},
            "stop_seconds": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    given: dict[str, Any] = module.params
    try:
        found = planning.simulated(given) if given["simulate"] else planning.planned(given)
        changed, line = write(Path(given["page"]).absolute(), found.page, module.check_mode) if given["page"] else (False, "")
    except (PlanError, TraceError, StackFileError, statefiles.StateError, OSError) as exc:
        module.fail_json(msg=str(exc))
    moves = [{"at": one.at.isoformat(), "verb": one.verb, "instance": one.instance, "layer": one.layer, "why": one.why} for one in found.week.moves]
    module.exit_json(changed=changed, said=[*found.said, *(["", line] if line else [])], moves=moves, hours=found.week.hours)


if __name__ == "__main__":
    main()
