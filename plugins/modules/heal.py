#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: heal
short_description: Decide which instances to heal now, by what the balancers, the app and the provider say of them
description:
  - An app server that is DOWN in all balancers for 20 seconds, or a worker without a sign of work, gets its services restarted, and
    when that did not help within a minute, its machine. A machine that is off is started.
  - Heals a host three times within an hour at most. Heals nobody in a layer of which more than half looks dead or cannot be seen, for then it is
    likelier that this control node is cut off. Leaves those alone on which a person works, see M(trust.stack.maintenance).
  - Instances of the layers lb, database, redis, memcached, arbiter and mail are started when they are off, and never restarted.
  - Decides, and writes its decision to C(events.jsonl) of the state folder; playbooks/heal.yml does it. Of two runs at once one decides, the
    other one decides nothing; neither does it while scale.yml or deploy.yml work.
  - Runs on the control node.
author: Trust Stack (@trust-stack)
version_added: "0.2.0"
extends_documentation_fragment: [trust.stack.deciding]
options:
  status_url:
    description: Where the app says how old the last sign of each worker is.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Decides, and remembers nothing.
"""

EXAMPLES = r"""
- name: Decide
  trust.stack.heal:
    stack_file: inventories/local/stack.yml
    state_dir: inventories/local/.state
"""

RETURN = r"""
restart_services:
  description: Names whose services are to be restarted, and why.
  returned: success
  type: dict
restart_machine:
  description: Names whose machines are to be restarted, and why.
  returned: success
  type: dict
start_machine:
  description: Names whose machines are to be started, and why.
  returned: success
  type: dict
said:
  description: What is going to be done and why, and what a person should know besides. What needs a person begins with C(alert).
  returned: success
  type: list
  elements: str
"""

# Done by the action plugin of the same name: it runs where Ansible runs, without a process of its own.
