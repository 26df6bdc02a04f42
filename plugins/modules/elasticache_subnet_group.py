#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: elasticache_subnet_group
short_description: Make, change or remove a group of subnets of ElastiCache that says whose it is
description:
  - The subnets that nodes of ElastiCache may stand in. The module of community.aws neither reads nor writes tags, so that it would
    change or remove a group of the same name that is somebody else's.
author: Trust Stack (@trust-stack)
version_added: "0.3.0"
options:
  name:
    description: Name of the group.
    type: str
    required: true
  state:
    description: V(absent) removes it; ElastiCache refuses that as long as a cache uses it.
    type: str
    choices: [present, absent]
    default: present
  description:
    description: For the reader.
    type: str
    default: Subnets of a stack
  subnets:
    description: Ids of the subnets.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - trust.stack.owned
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    description: Predicts.
  diff_mode:
    support: full
    description: Shows description and subnets before and after.
"""

EXAMPLES = r"""
- name: Subnets of the caches
  trust.stack.elasticache_subnet_group:
    name: shop
    subnets: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
    owner: {stack: shop}
"""

RETURN = r"""
"""

import contextlib
from typing import Any

with contextlib.suppress(ImportError):
    import botocore  # AnsibleAWSModule says what is missing

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.trust.stack.plugins.module_utils import elasticache_owner


def find(client: Any, name: str) -> dict[str, Any] | None:
    try:
        return client.describe_cache_subnet_groups(CacheSubnetGroupName=name, aws_retry=True)["CacheSubnetGroups"][0]
    except is_boto3_error_code("CacheSubnetGroupNotFoundFault"):
        return None


def described(group: dict[str, Any]) -> dict[str, Any]:
    return {"description": group["CacheSubnetGroupDescription"], "subnets": sorted(one["SubnetIdentifier"] for one in group["Subnets"])}


def brought(module: AnsibleAWSModule, client: Any) -> dict[str, Any]:
    given = module.params
    group = find(client, given["name"])
    have = described(group) if group else {}
    tags = elasticache_owner.owned(module, client, "group of subnets", group["ARN"]) if group else {}
    want = {"description": given["description"], "subnets": sorted(given["subnets"])} if given["state"] == "present" else {}
    if have != want and not module.check_mode:
        words = {"CacheSubnetGroupName": given["name"], "aws_retry": True}
        if not want:
            client.delete_cache_subnet_group(**words)
        else:
            words |= {"CacheSubnetGroupDescription": want["description"], "SubnetIds": want["subnets"]}
            if group:
                client.modify_cache_subnet_group(**words)
            else:
                client.create_cache_subnet_group(Tags=elasticache_owner.wanted(module), **words)
    more_tags = elasticache_owner.tagged(module, client, group["ARN"], tags) if group and want else False
    return {"changed": have != want or more_tags, "diff": {"before": have, "after": want}}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "description": {"type": "str", "default": "Subnets of a stack"},
            "subnets": {"type": "list", "elements": "str", "default": []},
        }
        | elasticache_owner.OPTIONS,
        supports_check_mode=True,
    )
    client = module.client("elasticache", retry_decorator=AWSRetry.jittered_backoff())
    try:
        done = brought(module, client)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as exc:
        module.fail_json_aws(exc, msg=f"the group of subnets {module.params['name']} of ElastiCache could not be brought to {module.params['state']}")
    module.exit_json(**done)


if __name__ == "__main__":
    main()
