"""Addresses: unique, stable, inside the network."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.trust.stack.plugins.module_utils.addresses import AddressError, allocate, network
from hypothesis import given, settings
from hypothesis import strategies as st

NET = network({"name": "n", "cidr": "10.89.0.0/24", "gateway": "10.89.0.1"})
NAMES = st.lists(
    st.sampled_from([f"{layer}-{zone}-{n}" for layer in ("app", "lb") for zone in "ab" for n in range(1, 30)]),
    unique=True,
)
ADDRESS = st.sampled_from([*(f"10.89.0.{n}" for n in range(256)), "10.1.2.3", "", "x", "::1"])


def test_the_plan_of_a_network() -> None:
    assert NET.virtual_ip == "10.89.0.10"
    assert allocate(NET, ["lb-a-1", "lb-b-1"], {}) == {"lb-a-1": "10.89.0.11", "lb-b-1": "10.89.0.12"}


def test_a_gateway_is_never_given_away() -> None:
    assert network({"name": "n", "cidr": "10.89.0.0/24", "gateway": "10.89.0.10"}).virtual_ip == "10.89.0.9"
    last = network({"name": "n", "cidr": "10.89.0.0/24", "gateway": "10.89.0.11"})
    assert allocate(last, ["lb-a-1"], {"lb-a-1": "10.89.0.11"}) == {"lb-a-1": "10.89.0.12"}


def test_who_comes_back_finds_the_same_address() -> None:
    known = allocate(NET, ["app-a-1", "app-b-1"], {})
    without = allocate(NET, ["app-b-1", "app-c-1"], known)
    assert allocate(NET, ["app-a-1", "app-b-1", "app-c-1"], without)["app-a-1"] == known["app-a-1"]


def test_of_two_that_claim_one_address_the_one_in_the_stack_wins() -> None:
    known = {"gone-a-1": "10.89.0.50", "app-a-1": "10.89.0.50"}
    assert allocate(NET, ["app-a-1"], known) == {"app-a-1": "10.89.0.50"}


def test_the_addresses_of_the_gone_are_used_when_nothing_else_is_free() -> None:
    small = network({"name": "n", "cidr": "10.89.0.0/27", "gateway": "10.89.0.1"})
    old = allocate(small, [f"old-{n}" for n in range(20)], {})
    new = allocate(small, [f"new-{n}" for n in range(20)], old)
    assert len(set(new.values())) == len(new) == 20
    with pytest.raises(AddressError, match="no address left for new-20"):
        allocate(small, [f"new-{n}" for n in range(21)], old)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "must hold"),
        ({"name": "n", "cidr": "10.89.0.0/24"}, "must hold"),
        ({"name": "n", "cidr": "10.89.0.0/28", "gateway": "10.89.0.1"}, "too small"),
        ({"name": "n", "cidr": "10.89.0.1/24", "gateway": "10.89.0.1"}, "host bits"),
        ({"name": "n", "cidr": "10.89.0.0/24", "gateway": "home"}, "home"),
    ],
)
def test_a_network_that_cannot_be(data: object, said: str) -> None:
    with pytest.raises(AddressError, match=said):
        network(data)


@settings(deadline=None)
@given(NAMES, NAMES, st.dictionaries(st.sampled_from(["app-a-1", "lb-b-2", "gone-a-1", "gone-a-2"]), ADDRESS))
def test_growing_never_readdresses_and_addresses_are_unique(few: list[str], more: list[str], known: dict[str, str]) -> None:
    before = allocate(NET, few, known)
    after = allocate(NET, more + few, before)  # a layer that grows comes before the others
    assert {name: after[name] for name in before} == before
    assert len(set(after.values())) == len(after)
    assert set(few + more) <= set(after)
    whole = ipaddress.IPv4Network(NET.cidr)
    reserved = {str(whole[n]) for n in range(11)} | {str(whole[-1])}
    assert all(ipaddress.IPv4Address(one) in whole and one not in reserved for one in after.values())
