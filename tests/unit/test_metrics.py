"""From Prometheus' answer to a layer's sample; and no answer in good time."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs

import pytest
from ansible_collections.trust.stack.plugins.module_utils.load import Sample
from ansible_collections.trust.stack.plugins.module_utils.metrics import QUERY, ask, from_prometheus


def series(metric: str, layer: str, value: str, **labels: str) -> dict:
    return {"metric": {"metric": metric, "layer": layer, **labels}, "value": [1805016240.1, value]}


ANSWER = {"status": "success", "data": {"resultType": "vector", "result": [
    series("cpu", "app", "80", name="app-a-1"),
    series("cpu", "app", "40", name="app-b-1"),
    series("cpu", "app", "100", name="app-a-2"),
    series("cpu", "worker", "7", name="worker-a-1"),
    series("memory", "app", "50", name="app-a-1"),
    series("load", "app", "NaN", name="app-a-1"),
    series("queue", "worker", "99", proxy="worker"),
    series("queue", "app", "12.5", proxy="app"),
    series("sessions", "app", "60", proxy="app"),
    series("sessions", "database", "6", proxy="database"),
    series("backlog", "worker", "42"),
]}}
ONLINE = ["app-a-1", "app-b-1"]


def test_a_layer_has_the_means_of_its_online_instances_and_its_backend() -> None:
    assert from_prometheus(ANSWER, "app", ONLINE) == Sample(cpu=60, memory=50, queue=12.5, sessions=30, partial=frozenset({"memory"}))


def test_an_instance_is_known_by_its_name_alone() -> None:
    assert from_prometheus(ANSWER, "web", ["app-a-1"]) == Sample(cpu=80, memory=50)


def test_the_backlog_is_that_of_the_workers() -> None:
    assert from_prometheus(ANSWER, "worker", ["worker-a-1"]) == Sample(cpu=7, queue=99, backlog=42)


@pytest.mark.parametrize("answer", [
    {}, {"data": None}, {"data": {"result": None}}, {"data": {"result": ["x", {}, {"metric": {}, "value": 1}, {"metric": 3, "value": [1, "2"]}]}}])
def test_an_answer_without_sense_is_all_missing(answer: dict) -> None:
    assert from_prometheus(answer, "app", ONLINE) == Sample()


def test_nobody_online_is_all_missing_but_the_queue() -> None:
    assert from_prometheus(ANSWER, "app", []) == Sample(queue=12.5)


class Prometheus(BaseHTTPRequestHandler):
    replies: ClassVar[dict] = {}
    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.asked.append(parse_qs(self.rfile.read(length).decode())["query"][0])
        status, body, pause = self.replies["next"]
        time.sleep(pause)
        self.send_response(status)
        self.end_headers()
        with suppress(BrokenPipeError):  # who has waited too long is gone
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Silent."""


@pytest.fixture
def server() -> Iterator[str]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), Prometheus)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}/"
    http.shutdown()
    http.server_close()


def test_the_question_is_asked_once_and_past_any_proxy(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    Prometheus.replies["next"] = (200, json.dumps(ANSWER).encode(), 0)
    Prometheus.asked.clear()
    assert ask(server) == (ANSWER, "")
    assert Prometheus.asked == [QUERY]


@pytest.mark.parametrize(("reply", "reason"), [
    ((400, b'{"status":"error","error":"parse error"}', 0), "HTTP 400.*parse error"),
    ((503, b"Service Unavailable", 0), "HTTP 503"),
    ((200, b"<html>", 0), "Expecting value"),
    ((200, b'{"status":"error"}', 0), "status 'error'; expected success"),
    ((200, b"[]", 0), "expected success"),
    ((200, b"{}", 1.5), "timed out.*Mend: is Prometheus up"),
])
def test_a_failure_is_no_answer_with_its_reason_and_soon(server: str, reply: tuple, reason: str) -> None:
    Prometheus.replies["next"] = reply
    began = time.monotonic()
    answer, told = ask(server)
    assert time.monotonic() - began < 1
    assert answer == {}
    assert re.search(reason, told), told
    assert told.startswith(server)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "nonsense"])
def test_nobody_there_is_told_too(address: str) -> None:
    answer, told = ask(address)
    assert answer == {}
    assert told
