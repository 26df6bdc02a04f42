"""AWS takes its time: what it is making, changing or deleting says so for a while, and refuses all else meanwhile. moto does it at once.

For how many looks is said by POST /_busy {"elasticache": 2, "rds": 2}; by default for none. Filled after the other gaps, whose calls it wraps.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

from moto.core.exceptions import ServiceException
from moto.elasticache.exceptions import ElastiCacheException
from moto.elasticache.responses import ElastiCacheResponse
from moto.rds.exceptions import RDSClientError
from moto.rds.responses import RDSResponse

Place = tuple[MutableMapping[str, Any], str | None]
busy: dict[str, int] = {}


def group_busy() -> ServiceException:
    return ElastiCacheException("InvalidReplicationGroupState", "Replication group must be in available state.")


def cluster_busy() -> ServiceException:
    return ElastiCacheException("InvalidCacheClusterState", "Cache cluster must be in available state.")


def database_busy() -> ServiceException:
    return RDSClientError("InvalidDBInstanceState", "Database instance is not in available state.")


def say(thing: Any, status: str) -> None:
    setattr(thing, "cache_cluster_status" if hasattr(thing, "cache_cluster_status") else "status", status)


def group(self: Any) -> Place:
    return self.elasticache_backend.replication_groups, self._get_param("ReplicationGroupId")


def cluster(self: Any) -> Place:
    return self.elasticache_backend.cache_clusters, self._get_param("CacheClusterId")


def database(self: Any) -> Place:
    return self.backend.databases, self.params.get("DBInstanceIdentifier")


def group_of_tags(self: Any) -> Place:
    kind, name = self._get_param("ResourceName").split(":")[5:7]
    return (self.elasticache_backend.replication_groups if kind == "replicationgroup" else {}), name


def cluster_of_tags(self: Any) -> Place:
    kind, name = self._get_param("ResourceName").split(":")[5:7]
    return (self.elasticache_backend.cache_clusters if kind == "cluster" else {}), name


def refuses(answers: Any, call: str, service: str, find: Callable[[Any], Place], error: Callable[[], Exception], status: str = "") -> None:
    """The call is refused while the thing is busy, and keeps it busy with `status` afterwards."""
    ask = getattr(answers, call)

    def asked(self: Any) -> Any:
        things, name = find(self)
        thing = things.get(name) if name else None
        if thing is not None and thing.__dict__.get("looks") is not None:
            raise error()
        answer = ask(self)
        if thing is None:
            thing = things.get(name) if name else None  # it was made
        if status and thing is not None and busy.get(service):
            thing.looks = busy[service]
            say(thing, status)
            if status == "deleting":
                things[name or ""] = thing  # not gone yet
        return answer

    setattr(answers, call, asked)


def counts(answers: Any, call: str, find: Callable[[Any], Place]) -> None:
    """Each look at a busy thing brings it nearer to its end."""
    ask = getattr(answers, call)

    def asked(self: Any) -> Any:
        things, name = find(self)
        for key, thing in list(things.items()):
            looks = thing.__dict__.get("looks")
            if looks is None or name not in (None, key):
                continue
            thing.looks = looks - 1 if looks else None
            if not looks and "deleting" in (thing.status, getattr(thing, "cache_cluster_status", "")):
                del things[key]
            elif not looks:
                say(thing, "available")
        return ask(self)

    setattr(answers, call, asked)


def fill() -> None:
    for call, status in (("create_replication_group", "creating"), ("modify_replication_group", "modifying"), ("increase_replica_count", "modifying"),
                         ("decrease_replica_count", "modifying"), ("test_failover", "modifying"), ("delete_replication_group", "deleting")):  # fmt: skip
        refuses(ElastiCacheResponse, call, "elasticache", group, group_busy, status)
    for call, status in (("create_cache_cluster", "creating"), ("modify_cache_cluster", "modifying"), ("delete_cache_cluster", "deleting")):
        refuses(ElastiCacheResponse, call, "elasticache", cluster, cluster_busy, status)
    # Tags too can neither be read nor written meanwhile.
    for find, error in ((group_of_tags, group_busy), (cluster_of_tags, cluster_busy)):
        refuses(ElastiCacheResponse, "list_tags_for_resource", "elasticache", find, error)
        refuses(ElastiCacheResponse, "add_tags_to_resource", "elasticache", find, error, "modifying")
    for call, status in (("modify_db_instance", "modifying"), ("reboot_db_instance", "rebooting"), ("delete_db_instance", "deleting")):
        refuses(RDSResponse, call, "rds", database, database_busy, status)
    counts(ElastiCacheResponse, "describe_replication_groups", group)
    counts(ElastiCacheResponse, "describe_cache_clusters", cluster)
    counts(RDSResponse, "describe_db_instances", database)
