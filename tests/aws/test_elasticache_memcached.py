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


def test_another_size_is_refused_with_the_mend(aws: Aws, run: Any, made: str) -> None:
    changed, said = run(node_type="cache.r7g.large")
    assert changed is None
    assert "node_type: found cache.t4g.small, expected cache.r7g.large; Memcached cannot change it in place. Remove the cluster" in said


def test_it_goes_and_stays_gone(aws: Aws, run: Any, made: str) -> None:
    assert run(state="absent")[0] is True
    assert aws.client("elasticache").describe_cache_clusters()["CacheClusters"] == []
    assert run(state="absent")[0] is False
