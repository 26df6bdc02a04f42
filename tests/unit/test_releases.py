"""One release for all hosts, and a way back that never leads to what is gone."""

from __future__ import annotations

import pytest
from ansible_collections.trust.stack.plugins.module_utils.releases import (
    ReleaseError,
    Releases,
    contracted,
    deployed,
    read,
    rolled_back,
    target,
    undeployed,
)

NONE = Releases()


def after(*digests: str, keep: int = 5) -> Releases:
    found = NONE
    for digest in digests:
        found = deployed(found, digest, keep)
    return found


def test_five_are_kept_and_the_newest_runs() -> None:
    assert after(*"abcdefg") == Releases("g", tuple("gfedc"))
    assert after("a", "a", "a") == Releases("a", ("a",))
    assert after(*"abc", keep=2) == Releases("c", ("c", "b"))


def test_four_rollbacks_and_the_fifth_is_refused_with_its_mend() -> None:
    now = after(*"abcdefg")
    seen = []
    for _ in range(4):
        now = rolled_back(now, target(now))
        seen.append(now.current)
        assert set(now.history) == set("cdefg")  # nothing is pruned by going back
    assert seen == ["f", "e", "d", "c"]
    with pytest.raises(ReleaseError, match=r"oldest that is kept.*Mend: "):
        target(now)


def test_a_deploy_after_a_rollback_forgets_what_was_rolled_back_from() -> None:
    now = rolled_back(after(*"abc"), "a")
    assert deployed(now, "d") == Releases("d", ("d", "a"))
    assert target(deployed(now, "d")) == "a"


def test_a_release_is_named_by_the_beginning_of_its_digest() -> None:
    now = after("aa1", "ab2", "cc3")
    assert target(now, "ab") == "ab2"
    for wrong in ("a", "zz", "cc3"):
        with pytest.raises(ReleaseError, match="expected one of: ab2, aa1"):
            target(now, wrong)
    with pytest.raises(ReleaseError, match="nothing is deployed"):
        target(NONE)


def test_a_state_of_an_earlier_version_has_its_own_release_as_history() -> None:
    assert read({"digest": "a"}) == Releases("a", ("a",))
    assert read({}) == NONE


def test_after_a_contract_there_is_no_way_back() -> None:
    assert contracted(after(*"abc")) == Releases("c", ("c",))
    with pytest.raises(ReleaseError, match="oldest that is kept"):
        target(contracted(after(*"abc")))
    assert contracted(NONE) == NONE


def test_after_an_undeploy_nothing_is_pinned_and_a_deploy_begins_anew() -> None:
    with pytest.raises(ReleaseError, match=r"nothing is deployed.*run playbooks/deploy\.yml"):
        target(undeployed(after(*"abc")))
    assert deployed(undeployed(after(*"abc")), "a") == Releases("a", ("a",))
