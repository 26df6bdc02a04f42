# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What differs between a group of Redis nodes as it is wanted and as ElastiCache describes it: pure functions, no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Change:
    """`modify` are the words of ModifyReplicationGroup; `replicas` the new number of them, or None; before and after are for the diff."""

    modify: Mapping[str, Any] = field(default_factory=dict)
    replicas: int | None = None
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        return bool(self.modify) or self.replicas is not None


class FixedError(Exception):
    """Something is wanted that can only be chosen when the group is made; the text says what, and the mend."""


def described(group: Mapping[str, Any]) -> dict[str, Any]:
    """A group in our words, from what DescribeReplicationGroups says of it."""
    nodes = (group.get("NodeGroups") or [{}])[0]
    members = nodes.get("NodeGroupMembers") or []
    first = sorted(members, key=lambda one: one.get("CurrentRole") != "primary")
    return {
        "shard": nodes.get("NodeGroupId", "0001"),
        "places": [one.get("PreferredAvailabilityZone", "") for one in first],
        "node_type": group.get("CacheNodeType"),
        "replicas": max(len(members) - 1, 0),
        "multi_az": group.get("MultiAZ") in ("enabled", True),
        "failover": group.get("AutomaticFailover") in ("enabled", "enabling"),
        "snapshot_days": group.get("SnapshotRetentionLimit") or 0,
        "tls": bool(group.get("TransitEncryptionEnabled")),
        "encrypted": bool(group.get("AtRestEncryptionEnabled")),
    }


def wanted(params: Mapping[str, Any]) -> dict[str, Any]:
    """The same from the module's options. Without a replica nothing can take over."""
    return {
        "node_type": params["node_type"],
        "replicas": params["replicas"],
        "multi_az": params["multi_az"],
        "failover": params["replicas"] > 0,
        "snapshot_days": params["snapshot_days"],
        "tls": params["tls"],
        "encrypted": params["encrypted"],
    }


def places(now: Sequence[str], nodes: int, zones: Sequence[str]) -> list[str]:
    """The zones of all nodes when there are more of them: those that are there stay, each new one goes where the fewest are."""
    after = list(now)
    while len(after) < nodes:
        count = Counter(after)
        after.append(min(zones, key=lambda zone: (count[zone], zones.index(zone))))
    return after


def change(want: Mapping[str, Any], have: Mapping[str, Any]) -> Change:
    """What to do; FixedError for what cannot be done."""
    differs = {key for key in want if want[key] != have[key]}
    for key in ("tls", "encrypted"):
        if key in differs:
            raise FixedError(
                f"{key}: found {str(have[key]).lower()}, expected {str(want[key]).lower()}; ElastiCache decides it when the group is made. "
                "Make a group of another name and move to it, or write what is there"
            )
    words = {"node_type": "CacheNodeType", "multi_az": "MultiAZEnabled", "failover": "AutomaticFailoverEnabled", "snapshot_days": "SnapshotRetentionLimit"}
    return Change(
        {word: want[key] for key, word in words.items() if key in differs},
        want["replicas"] if "replicas" in differs else None,
        {key: have[key] for key in sorted(differs)},
        {key: want[key] for key in sorted(differs)},
    )
