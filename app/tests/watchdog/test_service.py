from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session, sessionmaker
from tests.cache.servers import eventually, free_port
from tests.outbox.processes import worker

from boxoffice.config import Settings
from boxoffice.db import make_session_factory, utcnow
from boxoffice.watchdog.models import WorkerHeartbeat
from boxoffice.watchdog.rules import Action
from boxoffice.watchdog.service import Watchdog
from boxoffice.watchdog.unit import Unit


class FakeUnit:
    def __init__(self) -> None:
        self.started: datetime | None = utcnow() - timedelta(hours=1)
        self.restarts = 0

    def started_at(self) -> datetime | None:
        return self.started

    def restart(self) -> None:
        self.restarts += 1


@pytest.fixture
def unit() -> FakeUnit:
    return FakeUnit()


@pytest.fixture
def sessions(engine: Engine) -> sessionmaker[Session]:
    return make_session_factory(engine)


@pytest.fixture
def watchdog(
    settings: Settings, unit: FakeUnit, sessions: sessionmaker[Session], clean: None
) -> Watchdog:
    return Watchdog(settings, unit, sessions)


@pytest.fixture
def broker(settings: Settings) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.redis_url) as client:
        yield client


def long_at_it(watchdog: Watchdog) -> None:
    watchdog.step()
    watchdog.readable_since = watchdog.publishing_since = utcnow() - timedelta(minutes=1)


def test_a_deaf_worker_is_restarted_once(watchdog: Watchdog, unit: FakeUnit) -> None:
    long_at_it(watchdog)
    assert unit.restarts == 0
    for _ in range(3):
        watchdog.step()
    assert unit.restarts == 1
    assert watchdog.last_action is Action.JUST_RESTARTED


def test_canaries_go_to_the_queue_of_this_host_alone(
    watchdog: Watchdog, broker: redis.Redis
) -> None:
    watchdog.step()
    watchdog.step()
    assert broker.llen("canary.test-a-1") == 2


def test_without_a_broker_the_worker_is_left_alone(
    settings: Settings, unit: FakeUnit, sessions: sessionmaker[Session], clean: None
) -> None:
    nowhere = replace(settings, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    watchdog = Watchdog(nowhere, unit, sessions)
    long_at_it(watchdog)
    watchdog.step()
    assert watchdog.last_action is Action.BROKER_AWAY
    assert unit.restarts == 0


def test_without_a_database_the_worker_is_left_alone(
    settings: Settings, unit: FakeUnit, clean: None
) -> None:
    away = create_engine(f"mysql+pymysql://nobody@127.0.0.1:{free_port()}/none")
    watchdog = Watchdog(settings, unit, make_session_factory(away))
    long_at_it(watchdog)
    watchdog.step()
    assert watchdog.last_action is Action.DATABASE_AWAY
    assert unit.restarts == 0


def test_a_real_worker_answers_in_the_database(
    watchdog: Watchdog, settings: Settings, db_session: Session, tmp_path: Path
) -> None:
    def beat() -> datetime | None:
        db_session.rollback()
        return db_session.scalar(select(WorkerHeartbeat.executed_at))

    with worker(settings, tmp_path):
        # canaries expire: one that was sent while the worker started may be too old for it
        first = eventually(lambda: watchdog.step() or beat(), within=60, every=1)
        eventually(lambda: watchdog.step() or watchdog.heartbeat_at > first, every=1)


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that notes its arguments; the unit's process ends with the signal in `dies_of`."""
    program = tmp_path / "systemctl"
    program.write_text(
        "#!/bin/sh\n"
        f"cd {tmp_path}\n"
        'echo "$*" >> calls\n'
        'case "$*" in *--signal=$(cat dies_of)*) echo 43 > pid;; esac\n'
        'case "$1" in show)\n'
        "  echo ActiveState=$(cat state); echo MainPID=$(cat pid)\n"
        "  echo ActiveEnterTimestampMonotonic=1000000;; esac\n"
    )
    program.chmod(0o755)
    for name, content in {"state": "active", "pid": "42", "dies_of": "TERM"}.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def calls(systemctl: Path) -> list[str]:
    lines = (systemctl / "calls").read_text().splitlines()
    return [line for line in lines if not line.startswith("show")]


def test_a_worker_that_ends_in_order_is_not_killed(systemctl: Path) -> None:
    Unit("w.service").restart()
    assert calls(systemctl) == [
        "kill --kill-whom=main --signal=TERM w.service",
        "start --no-block w.service",
    ]


def test_a_worker_that_ignores_term_is_killed(
    systemctl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boxoffice.watchdog.unit.TERM_WAIT", 0.1)
    (systemctl / "dies_of").write_text("KILL")
    Unit("w.service").restart()
    assert calls(systemctl)[1:] == ["kill --signal=KILL w.service", "start --no-block w.service"]


@pytest.mark.parametrize("state", ["inactive", "failed", "deactivating", "activating"])
def test_a_unit_that_is_not_active_has_not_started(systemctl: Path, state: str) -> None:
    (systemctl / "state").write_text(state)
    assert Unit("w.service").started_at() is None


def test_the_start_is_told_in_utc(systemctl: Path) -> None:
    import time

    started = Unit("w.service").started_at()
    assert started is not None
    assert (utcnow() - started).total_seconds() == pytest.approx(time.monotonic() - 1, abs=5)
