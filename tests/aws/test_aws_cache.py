"""The caches of a stack on AWS: each box ticked, changed, and taken away again, without touching the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.aws import Aws, outcome

BOOK = Path(__file__).with_name("aws_cache.yml")
REDIS = {"managed": "elasticache", "version": "7.1", "multi_az": True, "class": "cache.t4g.small", "backup_days": 1}
MEMCACHED = {"managed": "elasticache", "nodes": 2, "cross_az": True, "class": "cache.t4g.small"}


@pytest.fixture(scope="module")
def play(aws: Aws) -> Any:
    subnets = [one["SubnetId"] for one in aws.client("ec2").describe_subnets()["Subnets"]][:2]

    def run(*words: str, **said: Any) -> tuple[int, str]:
        """How much changed (-1: it was refused), and what was said."""
        done = aws.play(BOOK, "-e", json.dumps({"aws_cache_subnets": subnets} | {f"aws_cache_{key}": value for key, value in said.items()}), *words)
        assert "a-password-that-only-tests-use" not in done.stdout + done.stderr
        return outcome(done)

    return run


def there(aws: Aws) -> list[str]:
    cache = aws.client("elasticache")
    return [one["ReplicationGroupId"] for one in cache.describe_replication_groups()["ReplicationGroups"]] + [
        one["CacheClusterId"] for one in cache.describe_cache_clusters()["CacheClusters"]]  # fmt: skip


def state(aws: Aws) -> Any:
    """All that there is, tags too."""
    cache = aws.client("elasticache")
    found = [*cache.describe_replication_groups()["ReplicationGroups"], *cache.describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"],
             *cache.describe_cache_subnet_groups()["CacheSubnetGroups"]]  # fmt: skip
    return [(one, cache.list_tags_for_resource(ResourceName=one["ARN"])["TagList"]) for one in found]


FOREIGN = {
    "group shop-redis": ("create_replication_group", {"ReplicationGroupId": "shop-redis", "ReplicationGroupDescription": "", "Engine": "redis"}),
    "cluster shop-memcached": ("create_cache_cluster", {"CacheClusterId": "shop-memcached", "Engine": "memcached", "NumCacheNodes": 1}),
    "group of subnets shop": ("create_cache_subnet_group", {"CacheSubnetGroupName": "shop", "CacheSubnetGroupDescription": ""}),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_somebody_elses_is_refused_before_anything_is_done(aws: Aws, play: Any, what: str) -> None:
    cache = aws.client("elasticache")
    call, words = FOREIGN[what]
    subnets = [one["SubnetId"] for one in aws.client("ec2").describe_subnets()["Subnets"]][:1]
    kind = {"SubnetIds": subnets} if "subnets" in what else {"CacheNodeType": "cache.t4g.small"}
    # The same name of a stack, from another tool.
    getattr(cache, call)(Tags=[{"Key": "stack", "Value": "shop"}, {"Key": "managed-by", "Value": "another"}], **words, **kind)
    before = state(aws)
    for wanted in ("present", "absent"):
        changed, said = play(state=wanted)
        assert changed == -1
        assert f"ElastiCache has a {what} of somebody else: found the tags {{'stack': 'shop', 'managed-by': 'another'}}, expected" in said
        assert state(aws) == before
    for gone, name in (("delete_replication_group", "ReplicationGroupId"), ("delete_cache_cluster", "CacheClusterId"),
                       ("delete_cache_subnet_group", "CacheSubnetGroupName")):  # fmt: skip
        if name in words:
            getattr(cache, gone)(**{name: words[name]})


def test_both_are_made_once_and_each_box_changes_one_of_them(aws: Aws, play: Any) -> None:
    changed, said = play("--check")
    assert changed == 3 and there(aws) == [], said[-3000:]
    changed, said = play()
    assert (changed, there(aws)) == (3, ["shop-redis", "shop-memcached"]), said[-3000:]
    assert "shop-memcached.abc123.cfg" in said
    for one, tags in state(aws):
        if one.get("CacheSubnetGroupName") != "default":
            assert {"stack": "shop", "managed-by": "trust.stack"}.items() <= {tag["Key"]: tag["Value"] for tag in tags}.items()
    assert play()[0] == 0
    changed, _said = play(redis=REDIS | {"multi_az": False})
    assert changed == 1
    assert aws.client("elasticache").describe_replication_groups()["ReplicationGroups"][0]["MultiAZ"] == "disabled"
    assert play(memcached=MEMCACHED | {"nodes": 3})[0] == 2  # and multi_az back
    assert aws.client("elasticache").describe_replication_groups()["ReplicationGroups"][0]["MultiAZ"] == "enabled"
    assert play(memcached={})[0] == 1
    assert there(aws) == ["shop-redis"]
    # What Memcached's module refuses keeps Redis as it is: both are looked at first.
    before = state(aws)
    assert play(redis=REDIS | {"multi_az": False}, memcached=MEMCACHED | {"nodes": 0})[0] == -1
    assert state(aws) == before


def test_a_short_password_is_refused_before_anything_is_done(aws: Aws, play: Any) -> None:
    before = there(aws)
    changed, said = play(redis_password="short", memcached={})
    assert changed == -1
    assert "found 5 characters, expected 16 to 128" in said
    assert there(aws) == before


def test_nothing_is_left(aws: Aws, play: Any) -> None:
    assert play(state="absent")[0] == 2  # Memcached went before
    assert there(aws) == []
    assert "shop" not in [one["CacheSubnetGroupName"] for one in aws.client("elasticache").describe_cache_subnet_groups()["CacheSubnetGroups"]]
    assert play(state="absent")[0] == 0
