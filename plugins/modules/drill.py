#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: drill
short_description: Let one part fail while buyers buy, and say what that did to them
description:
  - Customers come at a steady rate for free tickets of the event C(stack-check), which is not on the home page, and its page is asked for ten times a
    second. After a few seconds the part fails. They go on coming until for a while all have bought without a problem.
  - Then every order that was confirmed to its buyer is looked for. One that is not there, is not paid, or has neither ticket nor mail makes the drill fail,
    and so do buyers who cannot buy again within O(limit).
  - Does not bring back what it has switched off; C(playbooks/drill.yml) does that, and sees before it whether everything has its second. What hangs by
    O(how=freeze) goes on at the end, whatever happens.
  - Writes its figures into C(drills.jsonl) of the state folder, and a line into C(events.jsonl).
  - Runs on the control node; with O(how=kill) and O(how=freeze) its host is the one whose services are meant.
author: Trust Stack (@trust-stack)
version_added: "0.3.0"
extends_documentation_fragment: [trust.stack.deciding]
options:
  target:
    description: The instance, or with O(how=failover) the layer that a service of AWS stands for.
    type: str
    required: true
  how:
    description:
      - V(power) cuts the machine's power; with provider C(ec2) it is stopped by force.
      - V(kill) kills the processes of its services, which systemd may run again.
      - V(freeze) stops these processes, so that they hold their connections and say nothing, and lets them go on when buyers have bought again.
      - V(failover) makes RDS reboot with a failover, or ElastiCache test one.
    type: str
    choices: [power, kill, freeze, failover]
    required: true
  shop_url:
    description: Address of the shop, as customers use it.
    type: str
    required: true
  inbox_url:
    description: Address of the mail sink's inbox. Without it nobody looks for mails.
    type: str
    default: ""
  organiser_email:
    description: E-mail of an organiser, who makes the event where it is not there.
    type: str
    required: true
  organiser_password:
    description: The organiser's password.
    type: str
    required: true
  status_url:
    description: Where the app says how old the last sign of each worker is.
    type: str
    default: ""
  rate:
    description: How many customers come a second, each for one ticket.
    type: float
    default: 3
  before:
    description: Seconds that they buy before anything fails.
    type: float
    default: 5
  least:
    description: Seconds that they go on at least.
    type: float
    default: 20
  quiet:
    description: Seconds without a problem after which it is over.
    type: float
    default: 8
  limit:
    description: Seconds within which they must buy again, and within which tickets and mails must be there.
    type: float
    default: 180
attributes:
  check_mode:
    support: full
    description: Says what would be done.
"""

EXAMPLES = r"""
- name: Let the writer fail
  trust.stack.drill:
    stack_file: inventories/local/stack.yml
    state_dir: inventories/local/.state
    target: database-a-1
    how: power
    shop_url: http://10.89.7.100
    organiser_email: founder@example.org
    organiser_password: "{{ boxoffice_organiser_password }}"
"""

RETURN = r"""
report:
  description: What a person wants to read of it.
  returned: when it was held
  type: list
  elements: str
figures:
  description: The same as numbers, in seconds; as it is kept in drills.jsonl.
  returned: when it was held
  type: dict
  sample: {drill: database-a-1, how: power, verdict: passed, seconds_without_orders: 3.4, percent_of_budget: 0.87, orders: 64, lost: 0}
began:
  description: When it failed, in seconds since the epoch.
  returned: when it was held
  type: float
said:
  description: What would be done.
  returned: in check mode
  type: list
  elements: str
"""

# Done by the action plugin of the same name: it runs where Ansible runs, and tells of its progress.
