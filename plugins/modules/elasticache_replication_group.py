#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: elasticache_replication_group
short_description: Make, change or remove a Redis group of ElastiCache whose replica takes over by itself
description:
  - A primary and its replicas in several zones behind one address. The collections amazon.aws and community.aws have no module for it.
  - Node type, replicas, failover and snapshots can be changed later; TLS and encryption are decided when the group is made.
author: Trust Stack (@trust-stack)
version_added: "0.3.0"
options:
  name:
    description: Name of the group.
    type: str
    required: true
  state:
    description: V(absent) removes it, with O(final_snapshot) not without a last copy of its data.
    type: str
    choices: [present, absent]
    default: present
  description:
    description: For the reader. Used when the group is made.
    type: str
    default: Redis of a stack
  engine_version:
    description: Version of Redis. Used when the group is made.
    type: str
    default: "7.1"
  node_type:
    description: Size of each node.
    type: str
    default: cache.t4g.small
  replicas:
    description: How many replicas the primary has. With V(0) nothing takes over.
    type: int
    default: 1
  multi_az:
    description: Whether primary and replicas are kept in different zones.
    type: bool
    default: true
  zones:
    description: Zones of the nodes, such as V(eu-west-1a), the primary's first. Used when nodes are made; new replicas go where
      the fewest nodes are.
    type: list
    elements: str
    default: []
  subnet_group:
    description: Name of the cache subnet group. Used when the group is made.
    type: str
  security_group_ids:
    description: Security groups. Used when the group is made.
    type: list
    elements: str
    default: []
  auth_token:
    description: The password, 16 to 128 characters. Used when the group is made, and with O(auth_token_update); needs O(tls).
    type: str
  auth_token_update:
    description:
      - Makes O(auth_token) the password of a group that is there. ElastiCache does not tell what the password is, so that this changes something every time.
      - First V(rotate), after which the old password and the new one hold; then V(set), when all clients have the new one, after which only that does.
    type: str
    choices: [rotate, set]
  tls:
    description: Whether clients must use TLS.
    type: bool
    default: true
  encrypted:
    description: Whether the nodes' disks are encrypted.
    type: bool
    default: true
  snapshot_days:
    description: How many daily snapshots are kept.
    type: int
    default: 1
  final_snapshot:
    description: With O(state=absent), the name of a last snapshot.
    type: str
  wait_timeout:
    description: Seconds to wait until the group is available, or gone.
    type: int
    default: 1800
extends_documentation_fragment:
  - trust.stack.owned
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    description: Predicts. Waits too while a group that is there is being changed, since only then its tags can be read.
  diff_mode:
    support: full
    description: Shows what differs.
"""

EXAMPLES = r"""
- name: Redis in two zones
  trust.stack.elasticache_replication_group:
    name: shop-redis
    zones: [eu-west-1a, eu-west-1b]
    subnet_group: shop
    security_group_ids: [sg-0123456789abcdef0]
    auth_token: "{{ lookup('trust.stack.secret', 'redis') }}"
    owner: {stack: shop}
"""

RETURN = r"""
primary:
  description: Where to write; the address stays the same when a replica takes over.
  returned: when the group is there
  type: dict
  sample: {host: master.shop-redis.abc123.euw1.cache.amazonaws.com, port: 6379}
reader:
  description: Where to read.
  returned: when the group is there
  type: dict
members:
  description: Zone of each node, by its name.
  returned: when the group is there
  type: dict
  sample: {shop-redis-001: eu-west-1a, shop-redis-002: eu-west-1b}
"""

import contextlib
import time
from typing import Any

with contextlib.suppress(ImportError):
    import botocore  # AnsibleAWSModule says what is missing

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.trust.stack.plugins.module_utils import elasticache, elasticache_owner

PAUSE = 15  # seconds between two looks at most; the first ones are shorter


def find(client: Any, name: str) -> dict[str, Any] | None:
    try:
        found = client.describe_replication_groups(ReplicationGroupId=name, aws_retry=True)["ReplicationGroups"]
    except is_boto3_error_code("ReplicationGroupNotFoundFault"):
        return None
    return found[0] if found else None


def settle(module: AnsibleAWSModule, client: Any) -> dict[str, Any] | None:
    """The group, once it is available, or None, once it is not there. Nothing else can be done to it meanwhile."""
    name, seconds = module.params["name"], module.params["wait_timeout"]
    end, pause = time.monotonic() + seconds, 1
    while True:
        group = find(client, name)
        if group is None or group["Status"] == "available":
            return group
        if group["Status"] == "create-failed" or time.monotonic() > end:
            module.fail_json(msg=f"{name}: found status {group['Status']!r} after {seconds} s at most, expected 'available'; "
                                 "run this again to go on waiting, and look at the group's events in the console")  # fmt: skip
        time.sleep(pause)
        pause = min(2 * pause, PAUSE)


def make(module: AnsibleAWSModule, client: Any) -> None:
    given = module.params
    words = {
        "ReplicationGroupId": given["name"],
        "ReplicationGroupDescription": given["description"],
        "Engine": "redis",
        "EngineVersion": given["engine_version"],
        "CacheNodeType": given["node_type"],
        "NumNodeGroups": 1,
        "ReplicasPerNodeGroup": given["replicas"],
        "AutomaticFailoverEnabled": given["replicas"] > 0,
        "MultiAZEnabled": given["multi_az"],
        "PreferredCacheClusterAZs": [given["zones"][i % len(given["zones"])] for i in range(given["replicas"] + 1)] if given["zones"] else None,
        "CacheSubnetGroupName": given["subnet_group"],
        "SecurityGroupIds": given["security_group_ids"] or None,
        "TransitEncryptionEnabled": given["tls"],
        "AtRestEncryptionEnabled": given["encrypted"],
        "AuthToken": given["auth_token"],
        "SnapshotRetentionLimit": given["snapshot_days"],
        "Tags": elasticache_owner.wanted(module),
    }
    client.create_replication_group(aws_retry=True, **{key: value for key, value in words.items() if value is not None})


def apply(module: AnsibleAWSModule, client: Any, todo: elasticache.Change, have: dict[str, Any]) -> None:
    """More replicas before failover is asked for, fewer only after it was given up: ElastiCache refuses the other order."""
    name = module.params["name"]
    more = todo.replicas is not None and todo.replicas > have["replicas"]
    if todo.replicas is not None and more:
        number: dict[str, Any] = {"NewReplicaCount": todo.replicas}
        if module.params["zones"] and all(have["places"]):
            zones = elasticache.places(have["places"], todo.replicas + 1, module.params["zones"])
            number = {"ReplicaConfiguration": [number | {"NodeGroupId": have["shard"], "PreferredAvailabilityZones": zones}]}
        client.increase_replica_count(ReplicationGroupId=name, ApplyImmediately=True, aws_retry=True, **number)
        settle(module, client)
    if todo.modify:
        client.modify_replication_group(ReplicationGroupId=name, ApplyImmediately=True, aws_retry=True, **todo.modify)
        settle(module, client)
    if todo.replicas is not None and not more:
        client.decrease_replica_count(ReplicationGroupId=name, NewReplicaCount=todo.replicas, ApplyImmediately=True, aws_retry=True)


def repassword(module: AnsibleAWSModule, client: Any) -> None:
    given = module.params
    client.modify_replication_group(
        ReplicationGroupId=given["name"], ApplyImmediately=True, AuthToken=given["auth_token"],
        AuthTokenUpdateStrategy=given["auth_token_update"].upper(), aws_retry=True)  # fmt: skip


def told(group: dict[str, Any]) -> dict[str, Any]:
    nodes = (group.get("NodeGroups") or [{}])[0]
    ends = {"primary": nodes.get("PrimaryEndpoint"), "reader": nodes.get("ReaderEndpoint")}
    members = {one["CacheClusterId"]: one.get("PreferredAvailabilityZone", "") for one in nodes.get("NodeGroupMembers") or []}
    return {key: {"host": end["Address"], "port": end["Port"]} for key, end in ends.items() if end} | {"members": members}


def present(module: AnsibleAWSModule, client: Any) -> dict[str, Any]:
    group = settle(module, client)
    want = elasticache.wanted(module.params)
    if group is None:
        if module.check_mode:
            return {"changed": True, "diff": {"before": {}, "after": want}}
        make(module, client)
        return {"changed": True, "diff": {"before": {}, "after": want}} | told(settle(module, client) or {})
    tags = elasticache_owner.owned(module, client, "group", group["ARN"])
    have = elasticache.described(group)
    todo = elasticache.change(want, have)
    how = module.params["auth_token_update"]
    if how and not module.check_mode:
        repassword(module, client)
        group = settle(module, client) or group
    if todo.any and not module.check_mode:
        apply(module, client, todo, have)
        group = settle(module, client) or group
    more_tags = elasticache_owner.tagged(module, client, group["ARN"], tags)
    after = dict(todo.after) | ({"auth_token_update": how} if how else {})
    return {"changed": bool(todo.any or more_tags or how), "diff": {"before": dict(todo.before), "after": after}} | told(group)


def absent(module: AnsibleAWSModule, client: Any) -> dict[str, Any]:
    group = settle(module, client)
    if group is None:
        return {"changed": False}
    elasticache_owner.owned(module, client, "group", group["ARN"])
    if not module.check_mode:
        last = {"FinalSnapshotIdentifier": module.params["final_snapshot"]} if module.params["final_snapshot"] else {}
        client.delete_replication_group(ReplicationGroupId=module.params["name"], aws_retry=True, **last)
        settle(module, client)
    return {"changed": True, "diff": {"before": elasticache.described(group), "after": {}}}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "description": {"type": "str", "default": "Redis of a stack"},
            "engine_version": {"type": "str", "default": "7.1"},
            "node_type": {"type": "str", "default": "cache.t4g.small"},
            "replicas": {"type": "int", "default": 1},
            "multi_az": {"type": "bool", "default": True},
            "zones": {"type": "list", "elements": "str", "default": []},
            "subnet_group": {"type": "str"},
            "security_group_ids": {"type": "list", "elements": "str", "default": []},
            "auth_token": {"type": "str", "no_log": True},
            "auth_token_update": {"type": "str", "choices": ["rotate", "set"], "no_log": False},
            "tls": {"type": "bool", "default": True},
            "encrypted": {"type": "bool", "default": True},
            "snapshot_days": {"type": "int", "default": 1},
            "final_snapshot": {"type": "str"},
            "wait_timeout": {"type": "int", "default": 1800},
        }
        | elasticache_owner.OPTIONS,
        required_by={"auth_token_update": ["auth_token"]},
        supports_check_mode=True,
    )
    given = module.params
    if given["multi_az"] and given["replicas"] == 0:
        module.fail_json(msg="multi_az: found true with replicas: 0, expected one replica or more: nothing could take over in another zone")
    client = module.client("elasticache", retry_decorator=AWSRetry.jittered_backoff())
    try:
        done = (present if given["state"] == "present" else absent)(module, client)
    except elasticache.FixedError as exc:
        module.fail_json(msg=f"{given['name']}: {exc}")
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as exc:
        module.fail_json_aws(exc, msg=f"the group {given['name']} of ElastiCache could not be brought to {given['state']}")
    module.exit_json(**done)


if __name__ == "__main__":
    main()
