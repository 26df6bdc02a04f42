"""The module that makes Memcached clusters: nodes over zones, more and fewer of them, and nothing that moves without need."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.aws import Aws

BOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - trust.stack.elasticache_memcached: "{{ given }}"
      register: done
    - ansible.builtin.debug: {msg: "{{ done | to_json }}"}
"""
A, B, C = (f"eu-west-1{letter}" for letter in "abc")
GIVEN: dict[str, Any] = {"name": "shop-memcached", "zones": [A, B], "owner": {"stack": "shop"}}


@pytest.fixture(scope="module")
def run(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Any:
    book: Path = tmp_path_factory.mktemp("book") / "book.yml"
    book.write_text(BOOK)

    def run(*words: str, **given: Any) -> tuple[bool | None, str]:
        """Whether it changed something (None: it failed), and what was said."""
        done = aws.play(book, "-e", json.dumps({"given": GIVEN | given}), *words)
        said = " ".join((done.stdout + done.stderr).split())
        return None if done.returncode else "changed=1" in said, said

    return run


def nodes(aws: Aws) -> dict[str, str]:
    cluster = aws.client("elasticache").describe_cache_clusters(CacheClusterId="shop-memcached", ShowCacheNodeInfo=True)["CacheClusters"][0]
    return {one["CacheNodeId"]: one["CustomerAvailabilityZone"] for one in cluster["CacheNodes"]}


@pytest.fixture(scope="module")
def made(aws: Aws, run: Any) -> str:
    assert run("--check")[0] is True
    assert aws.client("elasticache").describe_cache_clusters()["CacheClusters"] == []
    aws.busy(elasticache=1)
    changed, said = run()
    assert changed is True, said
    return said


def test_it_is_spread_over_the_zones_and_made_once(aws: Aws, run: Any, made: str) -> None:
    assert Counter(nodes(aws).values()) == {A: 1, B: 1}
    assert "shop-memcached.abc123.cfg.euw1.cache.amazonaws.com" in made
    assert run()[0] is False


def test_it_grows_and_shrinks_and_goes_to_other_zones(aws: Aws, run: Any, made: str) -> None:
    before = nodes(aws)
    assert run("--check", nodes=3)[0] is True
    assert nodes(aws) == before
    assert run(nodes=3)[0] is True
    assert before.items() < nodes(aws).items() and len(nodes(aws)) == 3
    assert run(nodes=3)[0] is False
    assert run()[0] is True
    assert Counter(nodes(aws).values()) == {A: 1, B: 1}
    assert run(zones=[A])[0] is True
    assert Counter(nodes(aws).values()) == {A: 2}
    changed, said = run("--check", "--diff")
    assert changed is True and f'"{B}": 1' in said
    assert run()[0] is True
    assert Counter(nodes(aws).values()) == {A: 1, B: 1}


def kind(aws: Aws) -> str:
    return aws.client("elasticache").describe_cache_clusters(CacheClusterId="shop-memcached")["CacheClusters"][0]["CacheNodeType"]


def test_another_size_and_what_is_being_changed_is_waited_for(aws: Aws, run: Any, made: str) -> None:
    changed, said = run("--check", "--diff", node_type="cache.r7g.large")
    assert (changed, kind(aws)) == (True, "cache.t4g.small") and '"node_type": "cache.r7g.large"' in said
    cache = aws.client("elasticache")
    aws.busy(elasticache=4)
    cache.modify_cache_cluster(CacheClusterId="shop-memcached", NumCacheNodes=3, NewAvailabilityZones=[A])
    with pytest.raises(cache.exceptions.InvalidCacheClusterStateFault):
        cache.delete_cache_cluster(CacheClusterId="shop-memcached")
    aws.busy(elasticache=1)
    assert run(node_type="cache.r7g.large")[0] is True
    assert (kind(aws), Counter(nodes(aws).values())) == ("cache.r7g.large", {A: 1, B: 1})
    assert run(node_type="cache.r7g.large")[0] is False


def test_what_an_old_memcached_cannot_is_refused_with_the_mend(aws: Aws, run: Any) -> None:
    aws.busy()
    aws.client("elasticache").create_cache_cluster(
        CacheClusterId="old", Engine="memcached", EngineVersion="1.4.34", NumCacheNodes=1, CacheNodeType="cache.t2.small",
        Tags=[{"Key": "stack", "Value": "shop"}])  # fmt: skip
    changed, said = run(name="old")
    assert changed is None
    assert "node_type: found cache.t2.small, expected cache.t4g.small; Memcached 1.4.34 cannot change it in place, 1.5 could. Remove the" in said
    aws.client("elasticache").delete_cache_cluster(CacheClusterId="old")
    aws.busy(elasticache=1)


def test_it_goes_and_stays_gone(aws: Aws, run: Any, made: str) -> None:
    assert run(state="absent")[0] is True
    assert aws.client("elasticache").describe_cache_clusters()["CacheClusters"] == []
    assert run(state="absent")[0] is False
