"""What healing sees of balancers and of the app, and what a look writes down."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.trust.stack.plugins.action.heal import decide
from ansible_collections.trust.stack.plugins.module_utils import lease, statefiles
from ansible_collections.trust.stack.plugins.module_utils.observe_health import look
from ansible_collections.trust.stack.plugins.module_utils.stackfile import parse

LAYERS = ("lb", "app", "worker", "database", "redis", "memcached")
PAIRS = [(layer, f"{layer}-{zone}-1", zone) for layer in LAYERS for zone in "ab"]
PLACES = [*PAIRS, ("arbiter", "arbiter-c-1", "c"), ("mail", "mail-c-1", "c")]
STATIC = "\n".join([
    "{plugin: trust.stack.stack, stack: own, provider: static, zones: [a, b], quorum_zone: c, virtual_ip: 192.0.2.10, layers: {",
    *(f"{layer}: [" + ", ".join(f"{{name: {name}, zone: {zone}, host: 192.0.2.{20 + number}}}"
      for number, (its, name, zone) in enumerate(PLACES) if its == layer) + "]," for layer in (*LAYERS, "arbiter", "mail")),
    "}}"])  # fmt: skip
CSV = """\
# pxname,svname,qcur,scur,status,lastchg,hrsp_5xx,
web,FRONTEND,,3,OPEN,,0,
app,app-a-1,0,2,UP,5000,0,
app,app-b-1,0,0,DOWN,42,0,
app,BACKEND,0,2,UP,5000,0,
database,database-a-1,0,1,UP,5000,,
database,database-b-1,0,0,UP,5000,,
"""
STATUS: dict[str, Any] = {"database": "ok", "heartbeats": {"worker-a-1": 1.5, "gone-a-1": 9000.0}}


@pytest.fixture
def pages() -> Iterator[dict[str, tuple[int, str]]]:
    """What the one server that plays balancer and app answers, by path; the port is under `port`."""
    answers: dict[str, Any] = {"/;csv": (200, CSV), "/status": (200, json.dumps(STATUS))}

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, text = answers[self.path]
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    answers["port"] = server.server_port
    yield answers
    server.shutdown()
    server.server_close()


def given(port: Any, **more: Any) -> dict[str, Any]:
    balancers = [{"name": "lb-a-1", "address": "127.0.0.1"}]
    found = {"balancers": balancers, "stats_port": port, "status_url": f"http://127.0.0.1:{port}/status", "containers_conf": ""}
    return found | more


def test_balancers_and_the_app_are_heard(pages: dict[str, Any]) -> None:
    sights, notes = look(parse(STATIC), given(pages["port"]))
    assert notes == []
    assert (sights["app-b-1"].pools, sights["app-b-1"].down) == ({"lb-a-1": "DOWN"}, 42.0)
    assert sights["database-a-1"].pools == {"lb-a-1": "UP"}
    assert (sights["worker-a-1"].heartbeat, sights["worker-b-1"].heartbeat) == (1.5, math.inf)
    assert sights["redis-a-1"].machine == "on"


def test_who_does_not_answer_is_not_seen(pages: dict[str, Any]) -> None:
    pages["/status"] = (503, json.dumps({"database": "OperationalError", "heartbeats": {}}))
    balancers = [{"name": "lb-a-1", "address": "127.0.0.1"}, {"name": "lb-b-1", "address": "127.0.0.9"}]
    sights, notes = look(parse(STATIC), given(pages["port"], balancers=balancers))
    assert sights["worker-a-1"].heartbeat is None
    assert list(sights["app-a-1"].pools) == ["lb-a-1"]
    assert len(notes) == 2 and "lb-b-1 does not answer" in notes[0] and "no worker is healed" in notes[1]
    pages["/;csv"] = (200, "something else")
    assert look(parse(STATIC), given(pages["port"]))[0]["app-a-1"].pools == {}


@pytest.mark.parametrize("text", ["", "[]", '{"heartbeats": null}', '{"heartbeats": {"worker-a-1": "yes"}}'])
def test_a_status_that_is_none_says_nothing(pages: dict[str, Any], text: str) -> None:
    pages["/status"] = (200, text)
    assert look(parse(STATIC), given(pages["port"]))[0]["worker-a-1"].heartbeat is None


def test_a_heal_is_decided_written_down_and_remembered(pages: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "stack.yml").write_text(STATIC)
    where = given(pages["port"], stack_file=str(tmp_path / "stack.yml"), state_dir=str(tmp_path))
    dry = decide(where, check_mode=True)
    assert list(dry["restart_services"]) == ["app-b-1"]
    assert not (tmp_path / statefiles.EVENTS).exists() and not (tmp_path / statefiles.HEALS).exists()
    found = decide(where, check_mode=False)
    assert found["restart_services"] == {"app-b-1": "DOWN for 42 s in lb-a-1"}
    assert found["said"][0] == "restart services of app-b-1: DOWN for 42 s in lb-a-1"
    line = json.loads((tmp_path / statefiles.EVENTS).read_text())
    assert {key: line[key] for key in line if key != "time"} == {
        "actor": "heal.yml", "verb": "restart services", "instance": "app-b-1", "layer": "app", "cause": "DOWN for 42 s in lb-a-1",
        "before": "ill", "after": "services restarted"}  # fmt: skip
    again = decide(where, check_mode=False)
    assert again["restart_services"] == {}
    assert any("another" in note for note in again["said"])


def test_while_another_run_moves_instances_nobody_is_healed(pages: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "stack.yml").write_text(STATIC)
    where = given(pages["port"], stack_file=str(tmp_path / "stack.yml"), state_dir=str(tmp_path))
    assert lease.take(tmp_path, replace(lease.this_run(), host="elsewhere")) is None
    found = decide(where, check_mode=False)
    assert found["restart_services"] == {} and "leaves it to it" in found["said"][0]
    assert not (tmp_path / statefiles.HEALS).exists()


@pytest.mark.parametrize(("digest", "healed"), [("", []), ("a1b2", ["app-b-1"])])
def test_where_nothing_is_deployed_no_app_is_healed(pages: dict[str, Any], tmp_path: Path, digest: str, healed: list[str]) -> None:
    (tmp_path / "stack.yml").write_text(STATIC)
    statefiles.write(tmp_path / statefiles.RELEASE, {"digest": digest, "history": []})
    found = decide(given(pages["port"], stack_file=str(tmp_path / "stack.yml"), state_dir=str(tmp_path)), check_mode=False)
    assert list(found["restart_services"]) == healed
