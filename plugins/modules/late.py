#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: late
short_description: Tell before a window opens that instances will be missing
description:
  - Compares what the schedule wants within the next minute with what serves, and raises one alert for each lack.
  - Changes nothing, and needs no lease - it is asked beside a start that may hang. Runs on the control node.
author: Trust Stack (@trust-stack)
version_added: "0.3.0"
extends_documentation_fragment: [trust.stack.deciding]
options:
  events_url:
    description: Where the app publishes its coming on-sales; needed by layers with C(on_sales).
    type: str
    default: ""
  alerts_url:
    description: Where Alertmanager answers; without one the lack is only said.
    type: str
    default: ""
  now:
    description: Look as if it were this instant (ISO 8601, with its offset).
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Tells nobody.
"""

EXAMPLES = r"""
- name: Look who will be late
  trust.stack.late:
    stack_file: inventories/local/stack.yml
    state_dir: inventories/local/.state
    alerts_url: http://10.89.0.30:9093
"""

RETURN = r"""
late:
  description: Layers that will have fewer instances than the schedule wants.
  returned: success
  type: list
  elements: str
said:
  description: What is missing, and when.
  returned: success
  type: list
  elements: str
"""

# Done by the action plugin of the same name: it runs where Ansible runs, without a process of its own.
