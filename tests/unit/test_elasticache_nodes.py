"""Which Memcached nodes come and go."""

from __future__ import annotations

from collections import Counter

import pytest
from ansible_collections.trust.stack.plugins.module_utils.elasticache_nodes import Steps, steps
from hypothesis import given
from hypothesis import strategies as st

CASES: dict[str, tuple[dict[str, str], int, list[str], Steps]] = {
    "as they should be": ({"0001": "a", "0002": "b"}, 2, ["a", "b"], Steps()),
    "one more": ({"0001": "a", "0002": "b"}, 3, ["a", "b"], Steps(("a",))),
    "three in two zones may be either way": ({"0001": "b", "0002": "a", "0003": "b"}, 3, ["a", "b"], Steps()),
    "one fewer, of the fuller zone": ({"0001": "a", "0002": "b", "0003": "b"}, 2, ["a", "b"], Steps((), ("0003",))),
    "from one zone to two": ({"0001": "a", "0002": "a"}, 2, ["a", "b"], Steps(("b",), ("0002",))),
    "from two zones to one": ({"0001": "a", "0002": "b"}, 2, ["a"], Steps(("a",), ("0002",))),
    "a third zone": ({"0001": "a", "0002": "b", "0003": "a"}, 3, ["a", "b", "c"], Steps(("c",), ("0003",))),
}


@pytest.mark.parametrize("case", CASES)
def test_what_comes_and_goes(case: str) -> None:
    have, nodes, zones, expected = CASES[case]
    assert steps(have, nodes, zones) == expected


@given(
    st.dictionaries(st.integers(1, 40).map("{:04}".format), st.sampled_from("abcd"), max_size=12),
    st.integers(2, 12), st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True),
)  # fmt: skip
def test_afterwards_they_are_spread_and_there_is_nothing_left_to_do(have: dict[str, str], nodes: int, zones: list[str]) -> None:
    found = steps(have, nodes, zones)
    after = {node: zone for node, zone in have.items() if node not in found.remove}
    after |= {f"new-{i}": zone for i, zone in enumerate(found.add)}
    count = Counter(after.values())
    assert len(after) == nodes and set(count) <= set(zones)
    assert max(count[zone] for zone in zones) - min(count[zone] for zone in zones) <= 1
    assert not steps(after, nodes, zones).any
    # Nothing moves that need not.
    assert len(found.remove) <= max(len(have) - nodes, 0) + len(found.add)
