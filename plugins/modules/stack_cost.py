#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: stack_cost
short_description: What a stack on AWS costs a month, and what ticking a box changes of it
description:
  - Tells what AWS bills by time for a stack file with C(provider=ec2), from a table of list prices that comes with this collection, line by line.
  - With what was ticked before it tells the difference, box by box; C(--diff) shows it.
  - Each price in the table says where it comes from. A price that is not there is told and is in no sum; nothing is guessed, no run fails for it.
  - An estimate, on demand and without traffic, taxes, free allowances and discounts. Asks nothing of AWS and needs no account. Runs on the control node.
author: Trust Stack (@trust-stack)
version_added: "0.3.0"
options:
  stack_file:
    description: The stack file. For one that is not on AWS nothing is told.
    type: path
    required: true
  before:
    description:
      - What was ticked when the stack was last provisioned, C(boxes) and C(instances) as the inventory has them in C(stack_boxes) and
        C(stack_instances); playbooks/provision.yml keeps it as C(ticked) in C(aws.json).
      - C(groups) may say for each layer how many instances its Auto Scaling group may add.
      - Empty tells no difference.
    type: dict
    default: {}
  prices:
    description:
      - "Prices that the table lacks, or other ones: USD for one unit in the stack's region, such as C({db.m7g.large: 0.20}).
        The names are sizes of machines (an hour) and those of plugins/module_utils/aws_prices.py."
    type: dict
    default: {}
  disk:
    description: GiB of each instance's disk, as role instance makes them.
    type: int
    default: 20
  nat:
    description: Ways out of the private networks, as aws_network_nat of role aws_network has it.
    type: str
    choices: [zone, one]
    default: zone
  alarms:
    description: Whether role aws_alarms is used.
    type: bool
    default: true
  https:
    description: Whether Route 53 asks the balancers by HTTPS, as aws_entrance_https of role aws_entrance has it.
    type: bool
    default: false
  now:
    description: The day from which the hours of the schedules are counted, for four weeks (ISO 8601, with its offset); today if empty.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Tells the same; it changes nothing in either case.
  diff_mode:
    support: full
    description: Shows what the boxes cost before and after.
"""

EXAMPLES = r"""
- name: Tell what the stack costs, and what the boxes that were ticked since change of it
  trust.stack.stack_cost:
    stack_file: "{{ stack_file }}"
    before: "{{ stack_made.ticked | default({}) }}"
    prices: {db.m7g.large: 0.20}
"""

RETURN = r"""
said:
  description: All of it, line by line.
  returned: success
  type: list
  elements: str
lines:
  description: What is billed by time, a line for each thing and the sum.
  returned: success
  type: list
  elements: str
changes:
  description: What was ticked otherwise and what that changes, such as V(database multi_az false -> true:) +63.07 USD; empty where nothing costs more or less.
  returned: success
  type: list
  elements: str
changed:
  description: Whether what is ticked costs more or less than O(before), or cannot be told. Ansible shows the difference only of what is changed.
  returned: always
  type: bool
unknown:
  description: What has no price; in no sum.
  returned: success
  type: list
  elements: str
least:
  description: USD a month if no instance that lives by load ever runs.
  returned: with provider ec2
  type: float
most:
  description: USD a month if they always run.
  returned: with provider ec2
  type: float
"""

# Done by the action plugin of the same name: it runs where Ansible runs, without a process of its own.
