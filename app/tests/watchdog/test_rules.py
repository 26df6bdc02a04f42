from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from boxoffice.watchdog.rules import Action, Seen, decide

NOW = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


DEAF = Seen(
    heartbeat_at=ago(11),
    readable_since=ago(600),
    publishing_since=ago(600),
    unit_started_at=ago(600),
    last_restart_at=None,
)


@pytest.mark.parametrize(
    ("seen", "action"),
    [
        (DEAF, Action.RESTART),
        (replace(DEAF, heartbeat_at=None), Action.RESTART),
        (replace(DEAF, heartbeat_at=ago(10)), Action.HEALTHY),
        (replace(DEAF, heartbeat_at=ago(-3)), Action.HEALTHY),  # the clock was set back
        (replace(DEAF, unit_started_at=None), Action.NOT_RUNNING),
        # a start takes its time, but a worker that has answered since then has started
        (replace(DEAF, heartbeat_at=ago(70), unit_started_at=ago(59)), Action.STARTING),
        (replace(DEAF, heartbeat_at=None, unit_started_at=ago(59)), Action.STARTING),
        (replace(DEAF, heartbeat_at=ago(70), unit_started_at=ago(60)), Action.RESTART),
        (replace(DEAF, heartbeat_at=ago(11), unit_started_at=ago(20)), Action.RESTART),
        (replace(DEAF, last_restart_at=ago(29)), Action.JUST_RESTARTED),
        (replace(DEAF, last_restart_at=ago(30)), Action.RESTART),
        (replace(DEAF, readable_since=None), Action.DATABASE_AWAY),
        (replace(DEAF, publishing_since=None), Action.BROKER_AWAY),
        # just back from an outage: the worker gets its time to answer
        (replace(DEAF, readable_since=ago(10)), Action.DATABASE_AWAY),
        (replace(DEAF, publishing_since=ago(10)), Action.BROKER_AWAY),
        # every process has a long task: nobody is free for a canary, and nobody is deaf
        (replace(DEAF, busy_at=ago(0)), Action.BUSY),
        (replace(DEAF, heartbeat_at=ago(120), busy_at=ago(10)), Action.BUSY),
        (replace(DEAF, heartbeat_at=ago(120), busy_at=ago(11)), Action.RESTART),
        # an outage of the broker says nothing against a worker that has just answered
        (replace(DEAF, heartbeat_at=ago(1), publishing_since=None), Action.HEALTHY),
    ],
)
def test_what_is_done(seen: Seen, action: Action) -> None:
    assert decide(NOW, seen) is action


def test_a_restart_needs_every_condition_at_once() -> None:
    moments = [None, ago(0), ago(5), ago(15), ago(45), ago(75)]
    restarts = 0
    for beat, readable, publishing, started, last in product(moments, repeat=5):
        action = decide(
            NOW,
            Seen(
                heartbeat_at=beat,
                readable_since=readable,
                publishing_since=publishing,
                unit_started_at=started,
                last_restart_at=last,
            ),
        )
        if action is Action.RESTART:
            restarts += 1
            assert beat is None or beat <= ago(15)
            assert (readable or NOW) <= ago(15)
            assert (publishing or NOW) <= ago(15)
            assert started == ago(75) or (
                beat is not None and started is not None and started < beat
            )
            assert last is None or last <= ago(45)
    # with a long start four beats (none, 15, 45, 75), with a short one a beat since then (15 of 45)
    assert restarts == (4 + 1) * 3 * 3 * 3
