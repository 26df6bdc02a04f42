"""Who misses the opening of a window is told of once, and before it."""

from __future__ import annotations

import json
import random
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from ansible_collections.trust.stack.plugins.module_utils.lateness import LAST_CALL, STAYS, alerts, late, raise_alerts
from ansible_collections.trust.stack.plugins.module_utils.schedule import LayerSchedule, Member, Window, wanted

TICK = timedelta(minutes=1)
OPENS = datetime(2027, 3, 12, 9, 30, tzinfo=UTC)
STEADY = (Member("app-a-1", "a"), Member("app-b-1", "b"))
TIMED = tuple(Member(f"app-{zone}-{n}", zone) for n in (2, 3) for zone in "ab")
BOTH = frozenset({"app-a-2", "app-b-2"})


def schedule(instances: int = 4) -> LayerSchedule:
    return LayerSchedule("app", STEADY, TIMED, (Window("rush", instances, at=OPENS.replace(tzinfo=None), length=timedelta(hours=1)),))


def at(seconds: float, serving: frozenset[str] = frozenset()) -> list[str]:
    return [str(one) for one in late({"app": schedule()}, OPENS + timedelta(seconds=seconds), serving)]


def test_who_is_not_there_a_minute_before_is_named_with_the_window() -> None:
    assert at(-60) == ["app: 2 of 2 will not be ready at 09:30 UTC (window 'rush' until 10:30 UTC): app-a-2, app-b-2"]
    assert at(-60, frozenset({"app-a-2"})) == ["app: 1 of 2 will not be ready at 09:30 UTC (window 'rush' until 10:30 UTC): app-b-2"]
    assert at(-60, BOTH) == []


def test_it_is_neither_said_long_before_nor_when_it_is_too_late() -> None:
    assert at(-LAST_CALL.total_seconds() - 1) == at(0) == at(1) == []


def test_the_end_of_a_window_is_no_lack() -> None:
    assert late({"app": schedule()}, OPENS + timedelta(minutes=59, seconds=30), frozenset()) == []


def test_each_of_500_openings_that_is_missed_raises_one_alert_before_it() -> None:
    """Starts of 20 to 300 s that begin two minutes before: many are late. The looks are a minute apart, at any second of it."""
    pick = random.Random(7)  # noqa: S311
    missed = 0
    for _week in range(500):
        healthy = [OPENS - 2 * TICK + timedelta(seconds=pick.uniform(20, 300)) for _ in range(2)]
        look = OPENS - timedelta(minutes=10) + timedelta(seconds=pick.uniform(0, 60))
        told: dict[str, datetime] = {}
        while look < OPENS + 5 * TICK:
            serving = frozenset(name for name, ready in zip(sorted(BOTH), healthy, strict=True) if ready <= look)
            for one in alerts("own", late({"app": schedule()}, look, serving), look):
                told.setdefault(json.dumps(one["labels"], sort_keys=True), look)
            look += TICK
        if max(healthy) > OPENS:
            missed += 1
            assert len(told) == 1
            assert min(told.values()) < OPENS
    assert missed > 100


def test_the_alert_ends_by_itself_when_nobody_raises_it_again() -> None:
    now = OPENS - TICK
    (one,) = alerts("own", late({"app": schedule()}, now, BOTH - {"app-b-2"}), now)
    assert datetime.fromisoformat(one["endsAt"]) == now + STAYS
    assert "app-b-2" in one["annotations"]["summary"] and "start.yml" in one["annotations"]["mend"]
    assert wanted(schedule(), OPENS).keys() == BOTH


@pytest.mark.parametrize("code", [200, 500])
def test_alertmanager_gets_them_or_its_silence_is_said(code: int) -> None:
    got: list[tuple[str, object]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(code)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    try:
        said = raise_alerts(f"http://127.0.0.1:{server.server_port}/", [{"labels": {"layer": "app"}}])
    finally:
        thread.join()
        server.server_close()
    assert got == [("/api/v2/alerts", [{"labels": {"layer": "app"}}])]
    assert (said == "") is (code == 200)
    assert "raised nowhere" in raise_alerts(f"http://127.0.0.1:{server.server_port}", [])
