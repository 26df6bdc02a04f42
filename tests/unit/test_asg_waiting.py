"""Which machines of the groups come, serve and go, and what is written down about them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trust.stack.plugins.module_utils.asg_waiting import answered, kept, machines, named

TAGS = {"stack": "shop", "managed-by": "trust.stack", "layer": "app", "Name": "shop-app-asg"}


def group(tags: dict[str, str], **states: str) -> dict[str, Any]:
    there = [{"InstanceId": f"i-{name}", "LifecycleState": state, "AvailabilityZone": "eu-west-1b"} for name, state in states.items()]
    return {"AutoScalingGroupName": "shop-app", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()], "Instances": there}


EVERY = {"p": "Pending", "w": "Pending:Wait", "c": "Pending:Proceed", "s": "InService", "g": "Terminating:Wait", "t": "Terminating:Proceed", "x": "Standby"}
ADDRESSES = {f"i-{name}": f"10.0.0.{i}" for i, name in enumerate(EVERY)}


def test_each_state_says_what_is_to_be_done() -> None:
    known = machines([group(TAGS, **EVERY)], "shop", ADDRESSES)
    assert {name: one.state for name, one in known.items()} == {
        "app-i-w": "coming", "app-i-c": "serving", "app-i-s": "serving", "app-i-g": "going"}  # fmt: skip
    assert (known["app-i-w"].zone, known["app-i-w"].layer, known["app-i-w"].address) == ("b", "app", "10.0.0.1")
    assert named(known, "serving") == ["app-i-c", "app-i-s"]


@pytest.mark.parametrize("other", [{"stack": "others"}, {"managed-by": "hand"}, {"layer": ""}])
def test_foreign_groups_are_not_looked_at(other: dict[str, str]) -> None:
    assert machines([group(TAGS | other, **EVERY)], "shop", ADDRESSES) == {}


def test_a_machine_without_an_address_is_not_there_yet_but_one_that_goes_is_drained_all_the_same() -> None:
    known = machines([group(TAGS, w="Pending:Wait", g="Terminating:Wait")], "shop", {})
    assert list(known) == ["app-i-g"]
    assert kept(known, {"app-i-g": {"address": "10.0.0.4"}})["app-i-g"]["address"] == "10.0.0.4"
    assert kept(known, {}) == {}


def test_the_answer_lets_one_in_and_the_other_go() -> None:
    known = machines([group(TAGS, **EVERY)], "shop", ADDRESSES)
    after = answered(known, ["app-i-w", "app-i-g"], "CONTINUE")
    assert {name: one.state for name, one in after.items()} == {"app-i-w": "serving", "app-i-c": "serving", "app-i-s": "serving"}
    assert "app-i-w" not in answered(known, ["app-i-w"], "ABANDON")
    assert kept(after, {})["app-i-w"] == {"id": "i-w", "address": "10.0.0.1", "layer": "app", "zone": "b", "state": "serving"}
