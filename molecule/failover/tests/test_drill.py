"""The drill, as a founder runs it: on the whole stack, with its report, and with everything back at its end."""

from __future__ import annotations

import sys

import pytest
from support.stack import Stack


def test_a_database_that_hangs(stack: Stack) -> None:
    """It holds its connections and answers nothing: others must notice, and it must not be the writer when it goes on."""
    stack.wait_until_whole()
    writer, before = stack.database_writer(), len(stack.drills())
    said = stack.play("playbooks/drill.yml", "-e", "drill=database", "-e", "how=freeze", env={"ANSIBLE_STDOUT_CALLBACK": "trust.stack.phases"})
    print(said[said.index("Pages "):], file=sys.stderr)
    kept = stack.drills()[before:]
    assert len(kept) == 1
    figures = kept[0]
    assert (figures["drill"], figures["how"], figures["verdict"], figures["lost"]) == (writer, "freeze", "passed", 0)
    assert figures["orders"] > 0
    assert 0 < figures["seconds_without_orders"] < 60  # it was noticed: nobody can have bought while the writer hung
    happened = [what for _when, what in figures["timeline"]]
    assert happened.index(f"{writer} in lb-a-1: DOWN") > happened.index(f"{writer}: its services hang")
    assert f"{writer}: its services go on" in happened
    assert stack.database_writer() != writer
    assert stack.ssh(writer, "ps -o stat= -C mariadbd").strip()[0] != "T"
    last = stack.events()[-1]
    assert (last["verb"], last["instance"], last["after"]) == ("drill: freeze", writer, "passed")
    stack.wait_until_whole()


def test_a_worker_without_power_is_back_with_the_release(stack: Stack) -> None:
    victim = stack.hosts("worker")[0]
    stack.play("playbooks/drill.yml", "-e", f"drill={victim}")
    figures = stack.drills()[-1]
    assert (figures["drill"], figures["how"], figures["verdict"], figures["without_ticket"]) == (victim, "power", "passed", 0)
    assert stack.release(victim) == stack.release(stack.hosts("worker")[1])
    assert stack.missing() == []


def test_nothing_fails_where_the_second_is_missing(stack: Stack) -> None:
    one, other = stack.hosts("memcached")
    before = len(stack.drills())
    stack.ssh(other, "systemctl stop memcached")
    said = stack.failing_play("playbooks/drill.yml", "-e", f"drill={one}")
    stack.ssh(other, "systemctl start memcached")
    assert "See whether the layer is whole" in said
    assert len(stack.drills()) == before
    assert one in stack.running()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["drill=databse"], "drill: found databse, expected one of: lb, app, worker, database, redis, memcached"),
        (["drill=mail-c-1", "how=freeze"], "how: found freeze for mail-c-1, expected one of: power"),
        (["drill=redis", "how=failover"], "how: found failover for redis, expected one of: power, kill, freeze"),
        ([], "which part? Say -e drill=database"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_before_anything_is_looked_at(stack: Stack, words: list[str], expected: str) -> None:
    said = stack.failing_play("playbooks/drill.yml", *(part for word in words for part in ("-e", word)))
    assert expected in " ".join(said.split())
    assert "See whether" not in said


def test_check_mode_tells_and_does_nothing(stack: Stack) -> None:
    before = len(stack.drills())
    said = stack.play("playbooks/drill.yml", "-e", "drill=redis", "--check")
    assert f"{stack.redis_master()}: its power is cut, while 3 customers a second come to buy" in said
    assert (stack.missing(), len(stack.drills())) == ([], before)
