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
extends_documentation_fragment: [trust.stack.deciding]
options:
  metrics_url:
    description: Where Prometheus answers; needed by layers that live by load, unless O(metrics_source=cloudwatch).
    type: str
    default: ""
  metrics_source:
    description:
      - Who is asked for the metrics. By default the monitor's Prometheus when O(metrics_url) says where it is, otherwise, with provider C(ec2), CloudWatch.
      - CloudWatch knows what the monitor publishes there (role C(cloudwatch_publisher)); of an instance of which it publishes no CPU, EC2's own measure
        counts. A value that ended more than three minutes ago is missing. Its region is that of the stack file.
      - For a control node that cannot reach the monitor, as one outside of the VPC.
    type: str
    choices: [prometheus, cloudwatch]
  events_url:
    description: Where the app publishes its coming on-sales; needed by layers with C(on_sales).
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

# Done by the action plugin of the same name: it runs where Ansible runs, without a process of its own.
