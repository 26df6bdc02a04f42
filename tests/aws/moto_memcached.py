"""What moto's ElastiCache leaves out of a Memcached cluster."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.elasticache import models, responses

make = models.ElastiCacheBackend.create_cache_cluster
delete = models.ElastiCacheBackend.delete_cache_cluster


def node(cluster: Any, number: int, zone: str) -> dict[str, Any]:
    host = f"{cluster.cache_cluster_id}.abc123.{number:04}.euw1.cache.amazonaws.com"
    return {"cache_node_id": f"{number:04}", "cache_node_status": "available", "customer_availability_zone": zone,
            "endpoint": {"address": host, "port": cluster.port}}  # fmt: skip


def made(self: Any, **named: Any) -> Any:
    """AWS: the nodes with their zones, and one address that tells who they are, and a version. moto: none of it."""
    cluster = make(self, **named)
    if cluster.engine == "memcached":
        cluster.port = 11211 if cluster.port in (None, 6379) else cluster.port  # moto takes Redis' for all
        cluster.engine_version = cluster.engine_version or "1.6.22"
        zones = cluster.preferred_availability_zones or ["eu-west-1a"]
        cluster.cache_nodes = [node(cluster, i + 1, zones[i % len(zones)]) for i in range(int(cluster.num_cache_nodes))]
        cluster.configuration_endpoint = {"address": f"{cluster.cache_cluster_id}.abc123.cfg.euw1.cache.amazonaws.com", "port": cluster.port}
    return cluster


def deleted(self: Any, cache_cluster_id: str) -> Any:
    """AWS: it is gone after a while. moto: it stays as deleting for ever."""
    cluster = delete(self, cache_cluster_id)
    del self.cache_clusters[cache_cluster_id]
    self.tagging_service.delete_all_tags_for_resource(cluster.arn)
    return cluster


def modified(self: Any) -> ActionResult:
    """AWS adds nodes in the zones that are named, removes those that are named, and exchanges all for others of another size. moto has no such call."""
    cluster = self.elasticache_backend.describe_cache_clusters(self._get_param("CacheClusterId"))[0]
    cluster.cache_node_type = self._get_param("CacheNodeType") or cluster.cache_node_type
    gone = self._get_param("CacheNodeIdsToRemove") or []
    zones = self._get_param("NewAvailabilityZones") or []
    last = int(max(one["cache_node_id"] for one in cluster.cache_nodes))
    kept = [one for one in cluster.cache_nodes if one["cache_node_id"] not in gone]
    cluster.cache_nodes = kept + [node(cluster, last + 1 + i, zone) for i, zone in enumerate(zones)]
    cluster.num_cache_nodes = int(self._get_param("NumCacheNodes") or cluster.num_cache_nodes)
    if len(cluster.cache_nodes) != cluster.num_cache_nodes:
        raise responses.InvalidParameterCombinationException("the number of nodes and their names do not fit together")
    return ActionResult({"CacheCluster": cluster})


def fill() -> None:
    models.ElastiCacheBackend.create_cache_cluster = made
    models.ElastiCacheBackend.delete_cache_cluster = deleted
    responses.ElastiCacheResponse.modify_cache_cluster = modified
