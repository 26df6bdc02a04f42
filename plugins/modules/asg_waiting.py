#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: asg_waiting
short_description: Which machines of a stack's Auto Scaling groups wait, and the answer that lets them go on
description:
  - Lists the machines of all groups that carry the stack's tags, and writes those that come, serve and go into C(asg.json) of the state folder,
    which the inventory reads. Then gives AWS a sign of life, or the answer, for some of them.
  - The collections amazon.aws and community.aws have no module that answers a lifecycle hook. Runs on the control node.
author: Trust Stack (@trust-stack)
version_added: "0.3.0"
options:
  stack:
    description: Name of the stack.
    type: str
    required: true
  state_dir:
    description: The state folder of the stack.
    type: path
    required: true
  state:
    description:
      - V(listed) asks AWS for nothing but who is there.
      - V(alive) begins the time anew after which AWS goes on without an answer.
      - V(completed) gives the answer.
    type: str
    choices: [listed, alive, completed]
    default: listed
  names:
    description: Whom V(alive) and V(completed) are for. Those that no longer wait are told in RV(late).
    type: list
    elements: str
    default: []
  result:
    description: The answer. V(ABANDON) ends a machine that comes; one that goes goes on in any case.
    type: str
    choices: [CONTINUE, ABANDON]
    default: CONTINUE
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    description: Answers nothing and writes nothing.
"""

EXAMPLES = r"""
- name: Look which machines wait
  trust.stack.asg_waiting:
    stack: shop
    state_dir: .state
  register: waiting

- name: Let those in that are set up
  trust.stack.asg_waiting:
    stack: shop
    state_dir: .state
    state: completed
    names: "{{ waiting.coming }}"
"""

RETURN = r"""
machines:
  description: Of each machine C(id), C(group), C(layer), C(zone), C(address) and C(state) (C(coming), C(serving) or C(going)).
  returned: success
  type: dict
coming:
  description: Names of those that wait to be set up.
  returned: success
  type: list
  elements: str
going:
  description: Names of those that wait to be drained.
  returned: success
  type: list
  elements: str
new:
  description: Those that wait and did not at the last look.
  returned: success
  type: list
  elements: str
late:
  description: Those of O(names) that did not wait any more.
  returned: success
  type: list
  elements: str
"""

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

with contextlib.suppress(ImportError):
    import botocore  # AnsibleAWSModule says what is missing

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.trust.stack.plugins.module_utils import asg_waiting, statefiles


def look(asking: Any, ec2: Any, stack: str) -> dict[str, asg_waiting.Machine]:
    filters = [{"Name": "tag:stack", "Values": [stack]}, {"Name": "tag:managed-by", "Values": [asg_waiting.OWNER]}]
    pages = asking.get_paginator("describe_auto_scaling_groups").paginate(Filters=filters)
    groups = [one for page in pages for one in page["AutoScalingGroups"]]
    if not any(one["Instances"] for one in groups):
        return {}
    # By tags and not by number: a number that is no longer known would be an error.
    answers = ec2.get_paginator("describe_instances").paginate(Filters=filters)
    there = [one for page in answers for found in page["Reservations"] for one in found["Instances"]]
    return asg_waiting.machines(groups, stack, {one["InstanceId"]: one.get("PrivateIpAddress", "") for one in there})


def answer(asking: Any, one: asg_waiting.Machine, result: str) -> bool:
    """Whether AWS still waited for it: a sign of life without a result."""
    hooks = asking.describe_lifecycle_hooks(AutoScalingGroupName=one.group, aws_retry=True)["LifecycleHooks"]
    taken = False
    for hook in hooks:
        if hook["LifecycleTransition"] != asg_waiting.TRANSITIONS[one.state]:
            continue
        words = {"AutoScalingGroupName": one.group, "LifecycleHookName": hook["LifecycleHookName"], "InstanceId": one.id}
        try:
            if result:
                asking.complete_lifecycle_action(LifecycleActionResult=result, aws_retry=True, **words)
            else:
                asking.record_lifecycle_action_heartbeat(aws_retry=True, **words)
            taken = True
        except is_boto3_error_code("ValidationError"):  # AWS has gone on without it just now
            continue
    return taken


def write(folder: Path, known: dict[str, asg_waiting.Machine], only_look: bool) -> tuple[bool, dict[str, Any]]:
    """Whether asg.json is to change, and what it said of the machines before."""
    with statefiles.locked(folder):
        before = statefiles.read(folder / asg_waiting.FILE).get("instances") or {}
        after = asg_waiting.kept(known, before)
        if after != before and not only_look:
            statefiles.write(folder / asg_waiting.FILE, {"instances": after})
        return after != before, before


def work(module: AnsibleAWSModule) -> dict[str, Any]:
    given = module.params
    asking, ec2 = (module.client(name, retry_decorator=AWSRetry.jittered_backoff()) for name in ("autoscaling", "ec2"))
    known = look(asking, ec2, given["stack"])
    names = given["names"] if given["state"] != "listed" else []
    waiting = [name for name in names if name in known and known[name].state != asg_waiting.SERVING]
    result = given["result"] if given["state"] == "completed" else ""
    taken = waiting if module.check_mode else [name for name in waiting if answer(asking, known[name], result)]
    if result:
        known = asg_waiting.answered(known, taken, result)
    alive = given["state"] == "alive"
    differs, before = write(Path(given["state_dir"]), known, module.check_mode or alive)
    coming, going = (asg_waiting.named(known, state) for state in (asg_waiting.COMING, asg_waiting.GOING))
    return {
        "changed": not alive and (differs or bool(taken)),
        "machines": {name: asdict(one) for name, one in known.items()},
        "coming": coming,
        "going": going,
        "new": [name for name in (*coming, *going) if (before.get(name) or {}).get("state") != known[name].state],
        "late": [name for name in names if name not in taken],
    }


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "state_dir": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["listed", "alive", "completed"], "default": "listed"},
            "names": {"type": "list", "elements": "str", "default": []},
            "result": {"type": "str", "choices": ["CONTINUE", "ABANDON"], "default": "CONTINUE"},
        },
        supports_check_mode=True,
    )
    try:
        done = work(module)
    except (statefiles.StateError, OSError) as exc:
        module.fail_json(msg=str(exc))
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as exc:
        module.fail_json_aws(exc, msg=f"the machines of stack {module.params['stack']} could not be looked at or answered for")
    module.exit_json(**done)


if __name__ == "__main__":
    main()
