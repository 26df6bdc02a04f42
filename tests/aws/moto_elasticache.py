"""What moto's ElastiCache leaves out of a group of Redis nodes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from moto.core.responses import ActionResult
from moto.elasticache import models, responses
from moto.elasticache.exceptions import ElastiCacheException


class SubnetGroupInUse(ElastiCacheException):
    code = "CacheSubnetGroupInUse"


class NodeGroupNotFound(ElastiCacheException):
    code = "NodeGroupNotFoundFault"


class NoFailover(ElastiCacheException):
    code = "InvalidReplicationGroupState"


make = models.ElastiCacheBackend.create_replication_group
delete = models.ElastiCacheBackend.delete_replication_group
modify = responses.ElastiCacheResponse.modify_replication_group


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
    """AWS adds or removes replicas, in the zones that are named: those of all nodes, the present ones among them. moto has neither call."""
    group = self.elasticache_backend.describe_replication_groups(self._get_param("ReplicationGroupId"))[0]
    members = group.node_groups[0]["node_group_members"]
    shard = (self._get_param("ReplicaConfiguration") or [{}])[0]
    wanted = int(shard.get("NewReplicaCount") or self._get_param("NewReplicaCount")) + 1
    zones = Counter(shard.get("PreferredAvailabilityZones") or [])
    more = list((zones - Counter(one["preferred_availability_zone"] for one in members)).elements())
    if zones and (shard["NodeGroupId"] != group.node_groups[0]["node_group_id"] or zones.total() != wanted or len(more) != wanted - len(members)):
        raise responses.InvalidParameterCombinationException("the zones are not those of all nodes")
    if group.automatic_failover == "enabled" and wanted < 2:
        raise responses.InvalidParameterCombinationException("automatic failover needs a replica")
    while len(members) > wanted:
        members.pop()
    while len(members) < wanted:
        name = f"{group.replication_group_id}-{len(members) + 1:03}"
        zone = more.pop(0) if more else members[-1]["preferred_availability_zone"]
        members.append(members[-1] | {"cache_cluster_id": name, "current_role": "replica", "preferred_availability_zone": zone})
    return ActionResult({"ReplicationGroup": group})


def failed_over(self: Any) -> ActionResult:
    """AWS: a replica becomes the primary, and the primary a replica. moto has no such call."""
    group = self.elasticache_backend.describe_replication_groups(self._get_param("ReplicationGroupId"))[0]
    nodes = group.node_groups[0]
    replica = next((one for one in nodes["node_group_members"] if one["current_role"] == "replica"), None)
    if nodes["node_group_id"] != self._get_param("NodeGroupId"):
        raise NodeGroupNotFound(f"Node group {self._get_param('NodeGroupId')} not found.")
    if group.automatic_failover != "enabled" or replica is None:
        raise NoFailover("Automatic failover must be enabled.")
    for one in nodes["node_group_members"]:
        one["current_role"] = "primary" if one is replica else "replica"
    return ActionResult({"ReplicationGroup": group})


def modified(self: Any) -> ActionResult:
    """AWS: the password changes by ROTATE, after which both hold, and SET, after which only the new one does. moto: not at all."""
    group = self.elasticache_backend.describe_replication_groups(self._get_param("ReplicationGroupId"))[0]
    token, how = self._get_param("AuthToken"), self._get_param("AuthTokenUpdateStrategy")
    if bool(token) != bool(how):
        raise responses.InvalidParameterCombinationException("AuthToken and AuthTokenUpdateStrategy go together")
    if how == "ROTATE":
        group.rotated = token
    elif how == "SET":
        if group.__dict__.get("rotated") != token:
            raise responses.InvalidParameterCombinationException("SET is allowed only after ROTATE")
        group.rotated = None
    return modify(self)


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
    responses.ElastiCacheResponse.test_failover = failed_over
    responses.ElastiCacheResponse.modify_replication_group = modified
