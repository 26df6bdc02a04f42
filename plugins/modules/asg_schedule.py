#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: asg_schedule
short_description: Give an Auto Scaling group its size and all of its scheduled actions
description:
  - Puts the actions that are missing or differ, and removes every other one that the group has, up to 50 in one call.
  - community.aws.autoscaling_scheduled_action can neither make an action that runs once (it asks for a recurrence) nor find those that are no longer
    wanted, and takes AWS' next time of a recurring action for a change.
author: Trust Stack (@trust-stack)
version_added: "0.3.0"
options:
  name:
    description: Name of the group. In check mode it may be missing.
    type: str
    required: true
  min:
    description: Its least size.
    type: int
    required: true
  max:
    description: Its largest size.
    type: int
    required: true
  desired:
    description: Its size now. Without it the size stays as it is, between O(min) and O(max).
    type: int
  actions:
    description: The actions, in the words of PutScheduledUpdateGroupAction.
    type: list
    elements: dict
    default: []
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    description: Predicts.
  diff_mode:
    support: full
    description: Shows what differs.
"""

EXAMPLES = r"""
- name: Two more on Friday morning
  trust.stack.asg_schedule:
    name: shop-app
    min: 0
    max: 4
    desired: 0
    actions:
      - {ScheduledActionName: friday, MinSize: 0, MaxSize: 4, DesiredCapacity: 2, Recurrence: "30 9 * * 5", TimeZone: Europe/Dublin}
      - {ScheduledActionName: noon, MinSize: 0, MaxSize: 4, DesiredCapacity: 0, Recurrence: "0 12 * * 5", TimeZone: Europe/Dublin}
"""

RETURN = r"""
put:
  description: Names of the actions that were made or changed.
  returned: success
  type: list
  elements: str
removed:
  description: Names of the actions that were removed, those among them that were made anew.
  returned: success
  type: list
  elements: str
size:
  description: The size that was asked for.
  returned: success
  type: dict
"""

import contextlib
from collections.abc import Sequence
from typing import Any

with contextlib.suppress(ImportError):
    import botocore  # AnsibleAWSModule says what is missing

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.trust.stack.plugins.module_utils import asg_actions

BATCH = 50  # as AWS has it
SIZES = ("MinSize", "MaxSize", "DesiredCapacity")


class RefusedError(Exception):
    """AWS took only some of the actions; the text names the others."""


def batches(of: Sequence[Any]) -> list[Sequence[Any]]:
    return [of[i : i + BATCH] for i in range(0, len(of), BATCH)]


def apply(client: Any, name: str, steps: asg_actions.Steps) -> None:
    failed: list[dict[str, Any]] = []
    for names in batches(steps.remove):
        answer = client.batch_delete_scheduled_action(AutoScalingGroupName=name, ScheduledActionNames=list(names), aws_retry=True)
        failed += answer.get("FailedScheduledActions") or []
    for actions in batches(steps.put):
        answer = client.batch_put_scheduled_update_group_action(AutoScalingGroupName=name, ScheduledUpdateGroupActions=list(actions), aws_retry=True)
        failed += answer.get("FailedScheduledUpdateGroupActions") or []
    if failed:
        said = "; ".join(f"{one.get('ScheduledActionName')}: {one.get('ErrorCode')} {one.get('ErrorMessage')}" for one in failed)
        raise RefusedError(f"{name}: AWS refused {len(failed)} scheduled actions ({said}); run this again: what it took is left as it is")


def sized(given: dict[str, Any], group: dict[str, Any]) -> dict[str, int]:
    """What the group is to be given; a size now that nobody gave is only moved as far as it must."""
    low, high = given["min"], given["max"]
    desired = given["desired"] if given["desired"] is not None else min(max(int(group["DesiredCapacity"]), low), high)
    return {"MinSize": low, "MaxSize": high, "DesiredCapacity": desired}


def work(module: AnsibleAWSModule, client: Any) -> dict[str, Any]:
    given = module.params
    name = given["name"]
    found = client.describe_auto_scaling_groups(AutoScalingGroupNames=[name], aws_retry=True)["AutoScalingGroups"]
    if not found and not module.check_mode:
        raise RefusedError(f"{name}: there is no such group; expected one that role aws_asg made; mend: run playbooks/provision.yml")
    group = found[0] if found else {"DesiredCapacity": 0}
    pages = client.get_paginator("describe_scheduled_actions").paginate(AutoScalingGroupName=name) if found else []
    there = [one for page in pages for one in page["ScheduledUpdateGroupActions"]]
    todo, size = asg_actions.steps(given["actions"], there), sized(given, group)
    resized = {key: value for key, value in size.items() if group.get(key) != value}
    if not module.check_mode:
        if resized:
            client.update_auto_scaling_group(AutoScalingGroupName=name, aws_retry=True, **size)
        apply(client, name, todo)
    before, after = dict(todo.before), dict(todo.after)
    if resized:
        before["size"], after["size"] = {key: group.get(key) for key in SIZES}, size
    put, removed = [one["ScheduledActionName"] for one in todo.put], list(todo.remove)
    return {"changed": bool(put or removed or resized), "put": put, "removed": removed, "size": size, "diff": {"before": before, "after": after}}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "min": {"type": "int", "required": True},
            "max": {"type": "int", "required": True},
            "desired": {"type": "int"},
            "actions": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    client = module.client("autoscaling", retry_decorator=AWSRetry.jittered_backoff())
    try:
        done = work(module, client)
    except RefusedError as exc:
        module.fail_json(msg=str(exc))
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as exc:
        module.fail_json_aws(exc, msg=f"the schedule of group {module.params['name']} could not be set")
    module.exit_json(**done)


if __name__ == "__main__":
    main()
