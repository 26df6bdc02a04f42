"""What differs between a Redis group as it is wanted and as ElastiCache describes it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trust.stack.plugins.module_utils.elasticache import Change, FixedError, change, described, places, wanted

FOUND: dict[str, Any] = {
    "CacheNodeType": "cache.t4g.small", "MultiAZ": "enabled", "AutomaticFailover": "enabled", "SnapshotRetentionLimit": 1,
    "TransitEncryptionEnabled": True, "AtRestEncryptionEnabled": True, "NodeGroups": [{"NodeGroupMembers": [{}, {}]}]}  # fmt: skip
GIVEN: dict[str, Any] = {"node_type": "cache.t4g.small", "replicas": 1, "multi_az": True, "snapshot_days": 1, "tls": True, "encrypted": True}


def differs(**given: Any) -> Change:
    return change(wanted(GIVEN | given), described(FOUND))


def test_what_is_as_it_should_be_is_left_alone() -> None:
    assert not differs().any


@pytest.mark.parametrize(
    ("given", "modify", "replicas"),
    [
        ({"node_type": "cache.r7g.large"}, {"CacheNodeType": "cache.r7g.large"}, None),
        ({"multi_az": False}, {"MultiAZEnabled": False}, None),
        ({"snapshot_days": 0}, {"SnapshotRetentionLimit": 0}, None),
        ({"replicas": 3}, {}, 3),
        ({"replicas": 0, "multi_az": False}, {"MultiAZEnabled": False, "AutomaticFailoverEnabled": False}, 0),
    ],
)
def test_each_difference_is_one_change(given: dict[str, Any], modify: dict[str, Any], replicas: int | None) -> None:
    found = differs(**given)
    assert (found.modify, found.replicas) == (modify, replicas)
    assert found.before.keys() == found.after.keys()


@pytest.mark.parametrize("key", ["tls", "encrypted"])
def test_what_is_decided_when_it_is_made_is_refused(key: str) -> None:
    with pytest.raises(FixedError, match=f"{key}: found true, expected false"):
        differs(**{key: False})


@pytest.mark.parametrize("said", [{"AutomaticFailover": "enabling"}, {"MultiAZ": True}])
def test_the_other_words_of_the_service_mean_the_same(said: dict[str, Any]) -> None:
    assert not change(wanted(GIVEN), described(FOUND | said)).any


def test_new_replicas_go_where_the_fewest_nodes_are_and_the_others_stay() -> None:
    assert places(["b"], 4, ["a", "b"]) == ["b", "a", "a", "b"]
    assert places(["a", "a"], 3, ["a", "b", "c"]) == ["a", "a", "b"]
    assert places(["x", "a"], 2, ["a"]) == ["x", "a"]
    found = {"NodeGroups": [{"NodeGroupMembers": [{"CurrentRole": "replica", "PreferredAvailabilityZone": "a"},
                                                  {"CurrentRole": "primary", "PreferredAvailabilityZone": "b"}]}]}  # fmt: skip
    assert described(found)["places"] == ["b", "a"]
