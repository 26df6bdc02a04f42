"""Who may start the cluster: every case in which a wrong answer loses data."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import pytest
from ansible_collections.trust.stack.plugins.module_utils import galera

HERE = "6b2d0a1e-0000-11f0-9aaa-4a2f0d3c5b6e"
ELSEWHERE = "7c3e1b2f-0000-11f0-9bbb-5b3f1e4d6c7f"


def node(name, **facts):
    """A node with nothing on it: installed, never started."""
    empty = {
        "name": name,
        "reachable": True,
        "service": "down",
        "answers": False,
        "wsrep": False,
        "status": "",
        "state": 0,
        "size": 0,
        "cluster_uuid": "",
        "uuid": galera.NO_UUID,
        "seqno": -1,
        "safe_to_bootstrap": False,
        "foreign_data": False,
        "stale": False,
    }
    return {**empty, **facts}


def member(name, **facts):
    """A healthy member of a cluster with two data nodes and an arbiter."""
    return node(
        name,
        **{
            "service": "up",
            "answers": True,
            "wsrep": True,
            "status": "Primary",
            "state": 4,
            "size": 3,
            "cluster_uuid": HERE,
            "uuid": HERE,
            "seqno": 10,
            **facts,
        },
    )


def stopped(name, seqno, safe=False, **facts):
    return node(name, uuid=HERE, seqno=seqno, safe_to_bootstrap=safe, **facts)


def lost(name):
    return node(name, reachable=False)


def steps(*nodes, force=""):
    """The plan without its empty entries."""
    return {key: value for key, value in galera.decide(list(nodes), force).items() if value}


CASES = {
    "healthy cluster: nothing": ([member("a"), member("b")], {}),
    "donor is healthy too: nothing": ([member("a", state=2), member("b")], {}),
    "first run: the first in inventory order": ([node("a"), node("b")], {"bootstrap": "a", "start": ["b"]}),
    "first run interrupted after the bootstrap": ([node("a"), member("b", size=1)], {"start": ["a"]}),
    "the package's own server runs on both": (
        [node("a", service="up", answers=True), node("b", service="up", answers=True)],
        {"bootstrap": "a", "start": ["b"]},
    ),
    "the package's own server beside a cluster": ([member("a", size=2), node("b", service="up", answers=True)], {"start": ["b"]}),
    "only one of two fresh nodes holds databases": ([node("a"), node("b", foreign_data=True)], {"bootstrap": "b", "start": ["a"]}),
    "a fresh node joins one with a history": ([node("a"), stopped("b", 5)], {"bootstrap": "b", "start": ["a"]}),
    "clean stop: the flag": ([stopped("a", 7), stopped("b", 7, safe=True)], {"bootstrap": "b", "start": ["a"]}),
    "power cut: the highest position": ([stopped("a", 9), stopped("b", 7)], {"bootstrap": "a", "start": ["b"]}),
    "power cut, a draw: inventory order": ([stopped("a", 7), stopped("b", 7)], {"bootstrap": "a", "start": ["b"]}),
    "an old flag does not beat newer data": ([stopped("a", 5, safe=True), stopped("b", 8)], {"bootstrap": "b", "start": ["a"]}),
    "two flags: the newer data": ([stopped("a", 5, safe=True), stopped("b", 8, safe=True)], {"bootstrap": "b", "start": ["a"]}),
    "position unknown, one flag": ([stopped("a", -1), stopped("b", 8, safe=True)], {"bootstrap": "b", "start": ["a"]}),
    "all run without a majority: the newest": (
        [member("a", status="non-Primary", seqno=4), member("b", status="non-Primary", seqno=6)],
        {"bootstrap": "b", "start": ["a"]},
    ),
    "members that wait for one another are stopped first": ([stopped("a", -1, service="starting"), stopped("b", 7)], {"stop": ["a"]}),
    "a standalone server with a history is stopped to read its position": (
        [stopped("a", -1, service="up", answers=True), stopped("b", 7)],
        {"stop": ["a"]},
    ),
    "a server that Galera has thrown out is stopped to read its position": (
        [stopped("a", 7), member("b", status="Disconnected")],
        {"stop": ["b"]},
    ),
    "one node down: it joins": ([member("a"), stopped("b", 12, safe=True)], {"start": ["b"]}),
    "one node cut off: it joins again": ([member("a"), member("b", status="non-Primary")], {"start": ["b"]}),
    "a state transfer is not disturbed": ([member("a"), stopped("b", -1, service="starting")], {}),
    "the other one unreachable, this one serves: nothing": ([member("a"), lost("b")], {}),
    "new configuration: one by one": ([member("a", stale=True), member("b", stale=True)], {"restart": ["a", "b"]}),
    "new configuration, but the other one is out of sight: later": ([member("a", stale=True), lost("b")], {}),
}


@pytest.mark.parametrize("case", CASES)
def test_plan(case):
    nodes, expected = CASES[case]
    assert steps(*nodes) == expected


REFUSED = {
    "a node out of sight may hold newer data": ([stopped("a", 7, safe=True), lost("b")], "b cannot be asked"),
    "never seen each other": ([node("a"), lost("b")], "b cannot be asked"),
    "split brain, one history": ([member("a", size=2), member("b", size=1)], "side by side"),
    "split brain, two histories": ([member("a"), member("b", cluster_uuid=ELSEWHERE)], "side by side"),
    "two histories, all stopped": ([stopped("a", 7), node("b", uuid=ELSEWHERE, seqno=9)], "different clusters"),
    "no position and no flag": ([stopped("a", -1), stopped("b", 7)], "position of a is not known"),
    "joining would wipe databases": ([member("a"), node("b", foreign_data=True)], "would wipe them"),
    "two standalone servers with databases": ([node("a", foreign_data=True), node("b", foreign_data=True)], "were never in a cluster"),
    "a frozen server": ([member("a"), node("b", service="up")], "does not answer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusal(case):
    nodes, words = REFUSED[case]
    plan = galera.decide(nodes)
    assert words in plan["refuse"]
    assert not plan["bootstrap"]
    assert not plan["start"]
    assert not plan["restart"]
    assert not plan["stop"]


def test_force_bootstraps_without_the_missing_node():
    assert steps(stopped("a", 7), lost("b"), force="a") == {"bootstrap": "a"}


def test_force_keeps_the_named_data():
    nodes = [stopped("a", 7), node("b", uuid=ELSEWHERE, seqno=9)]
    assert steps(*nodes, force="a") == {"bootstrap": "a", "start": ["b"]}


def test_force_never_bootstraps_beside_a_primary():
    assert steps(member("a"), stopped("b", 7), force="b") == {"start": ["b"]}


def test_force_of_an_unknown_node_is_refused():
    assert "not among" in galera.decide([stopped("a", 7), lost("b")], "b")["refuse"]


def test_force_does_not_wipe_databases_of_the_other():
    nodes = [node("a", foreign_data=True), node("b", foreign_data=True)]
    assert "would wipe them" in galera.decide(nodes, "a")["refuse"]


@pytest.mark.parametrize(
    ("change", "healthy"),
    [
        ({}, True),
        ({"state": 2}, True),
        ({"state": 1}, False),
        ({"stale": True}, False),
        ({"status": "non-Primary"}, False),
        ({"wsrep": False}, False),
        ({"service": "starting"}, False),
    ],
)
def test_healthy(change, healthy):
    assert galera.is_healthy(member("a", **change)) is healthy


def test_grastate_is_read():
    text = f"# GALERA saved state\nversion: 2.1\nuuid:    {HERE}\nseqno:   -1\nsafe_to_bootstrap: 1\n"
    assert galera.parse_grastate(text) == {"uuid": HERE, "seqno": -1, "safe_to_bootstrap": True}


def test_empty_grastate_is_no_history():
    assert galera.parse_grastate("") == {"uuid": galera.NO_UUID, "seqno": -1, "safe_to_bootstrap": False}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"--wsrep_start_position={HERE}:42\n", (HERE, 42)),
        (f"--wsrep_start_position={HERE}:42,0-1-2\n", (HERE, 42)),
        ("\n", (galera.NO_UUID, -1)),
    ],
)
def test_recovered_position(text, expected):
    assert galera.parse_position(text) == expected


SYNCED = {
    "wsrep_ready": "ON",
    "wsrep_cluster_status": "Primary",
    "wsrep_local_state": "4",
    "wsrep_local_state_comment": "Synced",
    "read_only": "OFF",
}


@pytest.fixture
def judge(monkeypatch):
    """The health agent's verdict; its database driver is installed on the database hosts only."""
    monkeypatch.setitem(sys.modules, "pymysql", types.ModuleType("pymysql"))
    path = Path(__file__).parents[2] / "roles/mariadb/files/mariadb_agent.py"
    spec = importlib.util.spec_from_file_location("mariadb_agent", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.judge


@pytest.mark.parametrize("state", ["2", "3", "4"])
def test_the_agent_keeps_a_donor_in_service(judge, state):
    assert judge({**SYNCED, "wsrep_local_state": state})[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"wsrep_ready": "OFF", "wsrep_local_state": "3"}, "not ready"),
        ({"wsrep_cluster_status": "non-Primary"}, "no majority"),
        ({"wsrep_local_state": "1", "wsrep_local_state_comment": "Joining"}, "not synced: state is 1 (Joining)"),
        ({"read_only": "ON"}, "read-only"),
        ({"read_only": None}, "read-only"),
    ],
)
def test_the_agent_says_why_not(judge, change, reason):
    healthy, why = judge({**SYNCED, **change})
    assert not healthy
    assert why.startswith(reason)


def test_the_agent_distrusts_silence(judge):
    assert judge({}) == (False, "not ready: wsrep_ready is None")
