"""The caches of a stack on AWS: each box ticked, changed, and taken away again, without touching the other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.aws import Aws

BOOK = Path(__file__).with_name("aws_cache.yml")
REDIS = {"managed": "elasticache", "version": "7.1", "multi_az": True, "class": "cache.t4g.small", "backup_days": 1}
MEMCACHED = {"managed": "elasticache", "nodes": 2, "cross_az": True, "class": "cache.t4g.small"}


@pytest.fixture(scope="module")
def play(aws: Aws) -> Any:
    subnets = [one["SubnetId"] for one in aws.client("ec2").describe_subnets()["Subnets"]][:2]

    def run(*words: str, **said: Any) -> tuple[int, str]:
        """How much changed (-1: it was refused), and what was said."""
        done = aws.play(BOOK, "-e", json.dumps({"aws_cache_subnets": subnets} | {f"aws_cache_{key}": value for key, value in said.items()}), *words)
        output = " ".join((done.stdout + done.stderr).split())
        assert "a-password-that-only-tests-use" not in output
        return -1 if done.returncode else int(re.findall(r"changed=(\d+)", output)[-1]), output

    return run


def there(aws: Aws) -> list[str]:
    cache = aws.client("elasticache")
    return [one["ReplicationGroupId"] for one in cache.describe_replication_groups()["ReplicationGroups"]] + [
        one["CacheClusterId"] for one in cache.describe_cache_clusters()["CacheClusters"]]  # fmt: skip


def test_both_are_made_once_and_each_box_changes_one_of_them(aws: Aws, play: Any) -> None:
    changed, said = play("--check")
    assert changed == 3 and there(aws) == [], said[-3000:]
    changed, said = play()
    assert (changed, there(aws)) == (3, ["shop-redis", "shop-memcached"]), said[-3000:]
    assert "shop-memcached.abc123.cfg" in said
    assert play()[0] == 0
    changed, _said = play(redis=REDIS | {"multi_az": False})
    assert changed == 1
    assert aws.client("elasticache").describe_replication_groups()["ReplicationGroups"][0]["MultiAZ"] == "disabled"
    assert play(memcached=MEMCACHED | {"nodes": 3})[0] == 2  # and multi_az back
    assert aws.client("elasticache").describe_replication_groups()["ReplicationGroups"][0]["MultiAZ"] == "enabled"
    assert play(memcached={})[0] == 1
    assert there(aws) == ["shop-redis"]


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
