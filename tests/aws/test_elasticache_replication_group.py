"""The module that makes Redis groups: what it makes, what it changes later, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.aws import Aws

BOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - trust.stack.elasticache_replication_group: "{{ given }}"
      register: done
    - ansible.builtin.debug: {msg: "{{ done | to_json }}"}
"""
GIVEN: dict[str, Any] = {
    "name": "shop-redis", "zones": ["eu-west-1a", "eu-west-1b"], "auth_token": "a-token-that-only-tests-use", "owner": {"stack": "shop"}}  # fmt: skip


@pytest.fixture(scope="module")
def run(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Any:
    book: Path = tmp_path_factory.mktemp("book") / "book.yml"
    book.write_text(BOOK)

    def run(*words: str, **given: Any) -> tuple[bool | None, str]:
        """Whether it changed something (None: it failed), and what was said."""
        done = aws.play(book, "-e", json.dumps({"given": GIVEN | given}), *words)
        said = " ".join((done.stdout + done.stderr).split())
        assert GIVEN["auth_token"] not in said
        return None if done.returncode else "changed=1" in said, said

    return run


def group(aws: Aws) -> dict[str, Any]:
    return aws.client("elasticache").describe_replication_groups(ReplicationGroupId="shop-redis")["ReplicationGroups"][0]


@pytest.fixture(scope="module")
def made(aws: Aws, run: Any) -> str:
    assert run("--check")[0] is True
    assert aws.client("elasticache").describe_replication_groups()["ReplicationGroups"] == []
    aws.busy(elasticache=1)
    aws.fault({"match": "Action=CreateReplicationGroup", "times": 2, "status": 503, "code": "Throttling"})
    changed, said = run()
    assert changed is True, said
    return said


def test_a_replica_in_another_zone_takes_over_behind_one_address(aws: Aws, run: Any, made: str) -> None:
    found = group(aws)
    assert found["Status"] == "available"
    assert (found["AutomaticFailover"], found["MultiAZ"], found["TransitEncryptionEnabled"], found["AtRestEncryptionEnabled"]) == (
        "enabled", "enabled", True, True)  # fmt: skip
    nodes = found["NodeGroups"][0]
    assert {one["PreferredAvailabilityZone"] for one in nodes["NodeGroupMembers"]} == {"eu-west-1a", "eu-west-1b"}
    assert nodes["PrimaryEndpoint"]["Address"] in made
    tags = aws.client("elasticache").list_tags_for_resource(ResourceName=found["ARN"])["TagList"]
    assert tags == [{"Key": "stack", "Value": "shop"}]
    assert run()[0] is False
    assert run("--check")[0] is False


def test_what_can_be_changed_later_is_and_back(aws: Aws, run: Any, made: str) -> None:
    changed, said = run("--check", "--diff", node_type="cache.r7g.large")
    assert changed is True
    assert re.search(r'"node_type": "cache.t4g.small".*"node_type": "cache.r7g.large"', said)
    assert group(aws)["CacheNodeType"] == "cache.t4g.small"
    more = {"node_type": "cache.r7g.large", "replicas": 2, "snapshot_days": 7, "tags": {"layer": "redis"}}
    assert run(**more)[0] is True
    found = group(aws)
    assert (found["CacheNodeType"], found["SnapshotRetentionLimit"], len(found["NodeGroups"][0]["NodeGroupMembers"])) == ("cache.r7g.large", 7, 3)
    assert [one["PreferredAvailabilityZone"][-1] for one in found["NodeGroups"][0]["NodeGroupMembers"]] == ["a", "b", "a"]
    assert run(**more)[0] is False
    # No replica: failover has to be given up before the replicas are, and comes back after them.
    assert run(replicas=0, multi_az=False)[0] is True
    assert (group(aws)["AutomaticFailover"], len(group(aws)["NodeGroups"][0]["NodeGroupMembers"])) == ("disabled", 1)
    assert run()[0] is True
    found = group(aws)
    assert (found["AutomaticFailover"], found["MultiAZ"], found["CacheNodeType"], len(found["NodeGroups"][0]["NodeGroupMembers"])) == (
        "enabled", "enabled", "cache.t4g.small", 2)  # fmt: skip
    assert run()[0] is False


def test_what_is_being_changed_is_waited_for(aws: Aws, run: Any, made: str) -> None:
    cache, arn = aws.client("elasticache"), group(aws)["ARN"]
    aws.busy(elasticache=3)
    cache.modify_replication_group(ReplicationGroupId="shop-redis", SnapshotRetentionLimit=5)
    assert group(aws)["Status"] == "modifying"
    for refused, words in ((cache.test_failover, {"ReplicationGroupId": "shop-redis", "NodeGroupId": "0001"}),
                           (cache.list_tags_for_resource, {"ResourceName": arn})):  # fmt: skip
        with pytest.raises(cache.exceptions.InvalidReplicationGroupStateFault):
            refused(**words)
    aws.busy(elasticache=1)
    assert run()[0] is True
    assert (group(aws)["Status"], group(aws)["SnapshotRetentionLimit"]) == ("available", 1)


def test_a_failover_is_none_of_its_business(aws: Aws, run: Any, made: str) -> None:
    def primary() -> str:
        return str(next(one["CacheClusterId"] for one in group(aws)["NodeGroups"][0]["NodeGroupMembers"] if one["CurrentRole"] == "primary"))

    before = primary()
    aws.client("elasticache").test_failover(ReplicationGroupId="shop-redis", NodeGroupId="0001")
    assert primary() != before
    assert run()[0] is False


def test_another_password_comes_in_two_steps(aws: Aws, run: Any, made: str) -> None:
    new = {"auth_token": "another-token-that-only-tests-use"}
    changed, said = run(auth_token_update="set", **new)
    assert changed is None and "SET is allowed only after ROTATE" in said
    assert run("--check", auth_token_update="rotate", **new)[0] is True
    assert run(auth_token_update="rotate", **new)[0] is True
    assert run("--check", auth_token_update="set", **new)[0] is True
    changed, said = run(auth_token_update="set", **new)
    assert changed is True and new["auth_token"] not in said
    assert run(**new)[0] is False
    changed, said = run(auth_token_update="set", auth_token=None)
    assert changed is None and "auth_token" in said


def test_what_cannot_be_is_refused_with_the_mend(aws: Aws, run: Any, made: str) -> None:
    changed, said = run(encrypted=False)
    assert changed is None
    assert "encrypted: found true, expected false; ElastiCache decides it when the group is made. Make a group of another name" in said
    changed, said = run(replicas=0)
    assert changed is None
    assert "nothing could take over in another zone" in said
    aws.fault({"match": "Action=DescribeReplicationGroups", "times": 99, "status": 403, "code": "AccessDenied"})
    changed, said = run()
    aws.fault()
    assert changed is None
    assert "could not be brought to present" in said and "AccessDenied" in said


def test_it_goes_and_stays_gone(aws: Aws, run: Any, made: str) -> None:
    assert run("--check", state="absent")[0] is True
    assert group(aws)["Status"] == "available"
    assert run(state="absent")[0] is True
    assert aws.client("elasticache").describe_replication_groups()["ReplicationGroups"] == []
    assert run(state="absent")[0] is False
