#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: elasticache_memcached
short_description: Make, change or remove a Memcached cluster of ElastiCache over several zones
description:
  - Nodes behind one configuration endpoint, which tells clients who they are. The module of community.aws can neither spread
    them over zones nor predict what it would do.
  - Nodes are added before others are removed; those that are in their place stay, and so does what they hold.
author: Trust Stack (@trust-stack)
version_added: "0.3.0"
options:
  name:
    description: Name of the cluster.
    type: str
    required: true
  state:
    description: V(absent) removes it. A cache holds nothing that must be kept.
    type: str
    choices: [present, absent]
    default: present
  nodes:
    description: How many nodes.
    type: int
    default: 2
  zones:
    description: Zones over which the nodes are spread, such as V(eu-west-1a); one zone keeps them together.
    type: list
    elements: str
    default: []
  node_type:
    description: Size of each node. From version 1.5 on ElastiCache changes it in place, a few nodes at a time; what they hold is not sure to be kept.
    type: str
    default: cache.t4g.small
  engine_version:
    description: Version of Memcached; empty takes ElastiCache's own choice. Used when the cluster is made.
    type: str
  subnet_group:
    description: Name of the cache subnet group. Used when the cluster is made.
    type: str
  security_group_ids:
    description: Security groups. Used when the cluster is made.
    type: list
    elements: str
    default: []
  wait_timeout:
    description: Seconds to wait until the cluster is available, or gone.
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
    description: Predicts. Waits too while a cluster that is there is being changed, since only then its tags can be read.
  diff_mode:
    support: full
    description: Shows the nodes of each zone before and after, and another size.
"""

EXAMPLES = r"""
- name: Memcached in two zones
  trust.stack.elasticache_memcached:
    name: shop-memcached
    nodes: 2
    zones: [eu-west-1a, eu-west-1b]
    subnet_group: shop
    security_group_ids: [sg-0123456789abcdef0]
    owner: {stack: shop}
"""

RETURN = r"""
endpoint:
  description: Whom clients ask for the nodes.
  returned: when the cluster is there
  type: dict
  sample: {host: shop-memcached.abc123.cfg.euw1.cache.amazonaws.com, port: 11211}
members:
  description: Zone of each node, by its id.
  returned: when the cluster is there
  type: dict
  sample: {"0001": eu-west-1a, "0002": eu-west-1b}
"""

import contextlib
import time
from collections import Counter
from typing import Any

with contextlib.suppress(ImportError):
    import botocore  # AnsibleAWSModule says what is missing

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.trust.stack.plugins.module_utils import elasticache_owner
from ansible_collections.trust.stack.plugins.module_utils.elasticache_nodes import Steps, spread, steps

PAUSE = 15  # seconds between two looks at most; the first ones are shorter


def find(client: Any, name: str) -> dict[str, Any] | None:
    try:
        found = client.describe_cache_clusters(CacheClusterId=name, ShowCacheNodeInfo=True, aws_retry=True)["CacheClusters"]
    except is_boto3_error_code("CacheClusterNotFound"):
        return None
    return found[0] if found else None


def settle(module: AnsibleAWSModule, client: Any) -> dict[str, Any] | None:
    """The cluster, once it is available, or None, once it is not there. Nothing else can be done to it meanwhile."""
    name, seconds = module.params["name"], module.params["wait_timeout"]
    end, pause = time.monotonic() + seconds, 1
    while True:
        cluster = find(client, name)
        if cluster is None or cluster["CacheClusterStatus"] == "available":
            return cluster
        if time.monotonic() > end:
            module.fail_json(msg=f"{name}: found status {cluster['CacheClusterStatus']!r} after {seconds} s, expected 'available'; "
                                 "run this again to go on waiting, and look at the cluster's events in the console")  # fmt: skip
        time.sleep(pause)
        pause = min(2 * pause, PAUSE)


def zones_of(cluster: dict[str, Any]) -> dict[str, str]:
    return {one["CacheNodeId"]: one["CustomerAvailabilityZone"] for one in cluster.get("CacheNodes") or []}


def make(module: AnsibleAWSModule, client: Any) -> None:
    given = module.params
    places = sorted(spread(given["nodes"], given["zones"]).elements()) if given["zones"] else []
    words = {
        "CacheClusterId": given["name"],
        "Engine": "memcached",
        "EngineVersion": given["engine_version"],
        "CacheNodeType": given["node_type"],
        "NumCacheNodes": given["nodes"],
        "AZMode": "cross-az" if len(set(places)) > 1 else "single-az",
        "PreferredAvailabilityZones": places or None,
        "CacheSubnetGroupName": given["subnet_group"],
        "SecurityGroupIds": given["security_group_ids"] or None,
        "Tags": elasticache_owner.wanted(module),
    }
    client.create_cache_cluster(aws_retry=True, **{key: value for key, value in words.items() if value is not None})


def apply(module: AnsibleAWSModule, client: Any, todo: Steps, have: dict[str, str]) -> dict[str, Any] | None:
    """First those that come: the others serve meanwhile."""
    name, number = module.params["name"], len(have) + len(todo.add)
    if todo.add:
        mode = {"AZMode": "cross-az"} if len({*have.values(), *todo.add}) > 1 else {}
        client.modify_cache_cluster(
            CacheClusterId=name, NumCacheNodes=number, NewAvailabilityZones=list(todo.add), ApplyImmediately=True, aws_retry=True, **mode)  # fmt: skip
        settle(module, client)
    if todo.remove:
        client.modify_cache_cluster(
            CacheClusterId=name, NumCacheNodes=number - len(todo.remove), CacheNodeIdsToRemove=list(todo.remove), ApplyImmediately=True,
            aws_retry=True)  # fmt: skip
    return settle(module, client)


def resize(module: AnsibleAWSModule, client: Any, cluster: dict[str, Any]) -> dict[str, Any]:
    """The cluster with nodes of another size; how many at a time is left to ElastiCache, a fifth of them."""
    given, version = module.params, cluster.get("EngineVersion", "")
    if [int(part) for part in version.split(".")[:2] if part.isdigit()] < [1, 5]:
        module.fail_json(
            msg=f"{given['name']}: node_type: found {cluster['CacheNodeType']}, expected {given['node_type']}; Memcached {version} cannot change it in "
                "place, 1.5 could. Remove the cluster (state: absent) and make it anew: it is a cache, the shop is slower for a while")  # fmt: skip
    if module.check_mode:
        return cluster
    client.modify_cache_cluster(CacheClusterId=given["name"], CacheNodeType=given["node_type"], ApplyImmediately=True, aws_retry=True)
    return settle(module, client) or cluster


def told(cluster: dict[str, Any]) -> dict[str, Any]:
    end = cluster.get("ConfigurationEndpoint")
    return ({"endpoint": {"host": end["Address"], "port": end["Port"]}} if end else {}) | {"members": zones_of(cluster)}


def present(module: AnsibleAWSModule, client: Any) -> dict[str, Any]:
    given = module.params
    cluster = settle(module, client)
    if cluster is None:
        diff = {"before": {}, "after": dict(spread(given["nodes"], given["zones"])) if given["zones"] else {"nodes": given["nodes"]}}
        if module.check_mode:
            return {"changed": True, "diff": diff}
        make(module, client)
        return {"changed": True, "diff": diff} | told(settle(module, client) or {})
    tags = elasticache_owner.owned(module, client, "cluster", cluster["ARN"])
    size: dict[str, dict[str, Any]] = {"before": {}, "after": {}}
    if cluster["CacheNodeType"] != given["node_type"]:
        size = {"before": {"node_type": cluster["CacheNodeType"]}, "after": {"node_type": given["node_type"]}}
        cluster = resize(module, client, cluster)
    have = zones_of(cluster)
    todo = steps(have, given["nodes"], given["zones"] or sorted(set(have.values())))
    after = Counter([zone for node, zone in have.items() if node not in todo.remove] + list(todo.add))
    if todo.any and not module.check_mode:
        cluster = apply(module, client, todo, have) or cluster
    more_tags = elasticache_owner.tagged(module, client, cluster["ARN"], tags)
    diff = {"before": size["before"] | Counter(have.values()), "after": size["after"] | after}
    return {"changed": bool(size["after"] or todo.any or more_tags), "diff": diff} | told(cluster)


def absent(module: AnsibleAWSModule, client: Any) -> dict[str, Any]:
    cluster = settle(module, client)
    if cluster is None:
        return {"changed": False}
    elasticache_owner.owned(module, client, "cluster", cluster["ARN"])
    if not module.check_mode:
        client.delete_cache_cluster(CacheClusterId=module.params["name"], aws_retry=True)
        settle(module, client)
    return {"changed": True, "diff": {"before": dict(Counter(zones_of(cluster).values())), "after": {}}}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "nodes": {"type": "int", "default": 2},
            "zones": {"type": "list", "elements": "str", "default": []},
            "node_type": {"type": "str", "default": "cache.t4g.small"},
            "engine_version": {"type": "str"},
            "subnet_group": {"type": "str"},
            "security_group_ids": {"type": "list", "elements": "str", "default": []},
            "wait_timeout": {"type": "int", "default": 1800},
        }
        | elasticache_owner.OPTIONS,
        supports_check_mode=True,
    )
    given = module.params
    if given["nodes"] < 1:
        module.fail_json(msg=f"nodes: found {given['nodes']}, expected 1 or more; to have none write state: absent")
    client = module.client("elasticache", retry_decorator=AWSRetry.jittered_backoff())
    try:
        done = (present if given["state"] == "present" else absent)(module, client)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as exc:
        module.fail_json_aws(exc, msg=f"the cluster {given['name']} of ElastiCache could not be brought to {given['state']}")
    module.exit_json(**done)


if __name__ == "__main__":
    main()
