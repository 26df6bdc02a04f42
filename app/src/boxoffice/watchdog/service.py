"""Restart this host's worker when it no longer does what it is sent."""

import argparse
import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from boxoffice.config import Settings
from boxoffice.db import make_engine, make_session_factory, transaction, utcnow
from boxoffice.outbox import loop
from boxoffice.outbox.publisher import Publisher
from boxoffice.watchdog import busy
from boxoffice.watchdog.models import WorkerHeartbeat
from boxoffice.watchdog.rules import SILENCE, Action, Seen, decide
from boxoffice.watchdog.unit import Unit

log = logging.getLogger(__name__)

EVERY = 2.0


class Restartable(Protocol):
    def started_at(self) -> datetime | None: ...

    def restart(self) -> None: ...


class Watchdog:
    def __init__(
        self,
        settings: Settings,
        unit: Restartable,
        factory: sessionmaker[Session] | None = None,
        processes: int = 0,
        folder: Path | None = None,
    ) -> None:
        self.host = settings.host_name
        self.unit = unit
        self.factory = factory or make_session_factory(make_engine(settings))
        self.publisher = Publisher(settings)
        self.heartbeat_at: datetime | None = None
        self.readable_since: datetime | None = None
        self.publishing_since: datetime | None = None
        self.last_restart_at: datetime | None = None
        self.last_action: Action | None = None
        self.processes = processes
        self.folder = folder
        self.busy_at: datetime | None = None

    def step(self) -> None:
        self.publish()
        self.read()
        now = utcnow()
        if self.folder and 0 < self.processes <= busy.count(self.folder):
            self.busy_at = now
        seen = Seen(
            heartbeat_at=self.heartbeat_at,
            readable_since=self.readable_since,
            publishing_since=self.publishing_since,
            unit_started_at=self.unit.started_at(),
            last_restart_at=self.last_restart_at,
            busy_at=self.busy_at,
        )
        action = decide(now, seen)
        if action != self.last_action:
            log.info("watchdog.%s host=%s heartbeat=%s", action, self.host, self.heartbeat_at)
            self.last_action = action
        if action is Action.RESTART:
            self.last_restart_at = now
            self.unit.restart()

    def publish(self) -> None:
        try:
            self.publisher.canary(self.host, expires=SILENCE.total_seconds())
        except Exception as exc:  # noqa: BLE001 - any failure means one thing: not published
            if self.publishing_since:
                log.warning("watchdog.canary_not_published error=%r", exc)
            self.publishing_since = None
        else:
            self.publishing_since = self.publishing_since or utcnow()

    def read(self) -> None:
        query = select(WorkerHeartbeat.executed_at).where(WorkerHeartbeat.host == self.host)
        try:
            with transaction(self.factory) as session:
                self.heartbeat_at = session.scalar(query)
        except Exception as exc:  # noqa: BLE001 - any failure means one thing: not read
            if self.readable_since:
                log.warning("watchdog.heartbeat_not_read error=%r", exc)
            self.readable_since = None
        else:
            self.readable_since = self.readable_since or utcnow()


def main(settings: Settings, argv: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="boxoffice watchdog", description=__doc__)
    parser.add_argument("--unit", required=True, metavar="NAME", help="boxoffice-worker.service")
    parser.add_argument("--processes", type=int, default=0, metavar="N", help="of the worker")
    parser.add_argument("--busy", type=Path, metavar="FOLDER", help="its runtime directory")
    given = parser.parse_args(argv)
    watchdog = Watchdog(settings, Unit(given.unit), processes=given.processes, folder=given.busy)
    return loop.run(watchdog.step, EVERY)
