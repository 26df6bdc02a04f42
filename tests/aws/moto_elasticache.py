"""What moto's ElastiCache leaves out of a group of Redis nodes."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.elasticache import models, responses
from moto.elasticache.exceptions import ElastiCacheException


class SubnetGroupInUse(ElastiCacheException):
    code = "CacheSubnetGroupInUse"


make = models.ElastiCacheBackend.create_replication_group
delete = models.ElastiCacheBackend.delete_replication_group


def made(self: Any, **named: Any) -> Any:
    """AWS gives every group an address to read from, in its own region. moto: none, and always another region."""
    group = make(self, **named)
    for nodes in group.node_groups:
        for kind, role in (("primary", "master"), ("reader", "replica")):
            nodes[f"{kind}_endpoint"] = {"address": f"{role}.{group.replication_group_id}.abc123.euw1.cache.amazonaws.com", "port": group.port}
    return group


def deleted(self: Any, replication_group_id: str, *more: Any, **named: Any) -> Any:
    """AWS: it is gone after a while. moto: it stays as deleting for ever."""
    group = delete(self, replication_group_id, *more, **named)
    del self.replication_groups[replication_group_id]
    self.tagging_service.delete_all_tags_for_resource(group.arn)
    return group


def resized(self: Any) -> ActionResult:
    """AWS adds or removes replicas. moto has neither call."""
    group = self.elasticache_backend.describe_replication_groups(self._get_param("ReplicationGroupId"))[0]
    members = group.node_groups[0]["node_group_members"]
    wanted = int(self._get_param("NewReplicaCount")) + 1
    if group.automatic_failover == "enabled" and wanted < 2:
        raise responses.InvalidParameterCombinationException("automatic failover needs a replica")
    while len(members) > wanted:
        members.pop()
    while len(members) < wanted:
        name = f"{group.replication_group_id}-{len(members) + 1:03}"
        members.append(members[-1] | {"cache_cluster_id": name, "current_role": "replica"})
    return ActionResult({"ReplicationGroup": group})


def subnets_forgotten(self: Any) -> ActionResult:
    """AWS can remove a group of subnets that no cache uses, and says so when there is none. moto has no such call."""
    backend, name = self.elasticache_backend, self._get_param("CacheSubnetGroupName")
    group = backend.describe_cache_subnet_groups(name)[0]
    if any(one.cache_subnet_group_name == name for one in [*backend.replication_groups.values(), *backend.cache_clusters.values()]):
        raise SubnetGroupInUse(f"Cache subnet group {name} is currently in use by a cache cluster.")
    del backend.cache_subnet_groups[name]
    backend.tagging_service.delete_all_tags_for_resource(group.arn)
    return ActionResult({})


def subnets_changed(self: Any) -> ActionResult:
    """AWS can change one. moto has no such call."""
    group = self.elasticache_backend.describe_cache_subnet_groups(self._get_param("CacheSubnetGroupName"))[0]
    group.cache_subnet_group_description = self._get_param("CacheSubnetGroupDescription") or group.cache_subnet_group_description
    if subnets := self._get_param("SubnetIds"):
        group.subnet_ids, group.subnets = subnets, [{"subnet_identifier": one} for one in subnets]
    return ActionResult({"CacheSubnetGroup": group})


def fill() -> None:
    models.ElastiCacheBackend.create_replication_group = made
    models.ElastiCacheBackend.delete_replication_group = deleted
    responses.ElastiCacheResponse.delete_cache_subnet_group = subnets_forgotten
    responses.ElastiCacheResponse.modify_cache_subnet_group = subnets_changed
    responses.ElastiCacheResponse.increase_replica_count = resized
    responses.ElastiCacheResponse.decrease_replica_count = resized
