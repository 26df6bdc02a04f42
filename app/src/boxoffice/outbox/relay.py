"""The relay: publishes owed work that no worker has done, until one has. Runs on every worker host.

Redis is not the truth. Whatever it forgets, this sends again from the database.
"""

import argparse
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, sessionmaker

from boxoffice.config import Settings
from boxoffice.db import make_engine, make_session_factory, transaction, utcnow
from boxoffice.outbox import loop
from boxoffice.outbox.models import Outbox
from boxoffice.outbox.publisher import Publisher
from boxoffice.outbox.services import queue_for
from boxoffice.tables import import_models

log = logging.getLogger(__name__)

EVERY = 1.0
BATCH = 100
FIRST_WAIT = timedelta(seconds=8)
LONGEST_WAIT = timedelta(seconds=60)
TROUBLE_AFTER = 20  # attempts; from here on people should look
TROUBLE_WAIT = timedelta(minutes=5)
SWEEP_EVERY = 10.0
KEEP_DONE = timedelta(days=30)
FORGET_BATCH = 500


@dataclass(frozen=True)
class Due:
    id: int
    kind: str


def back_off(attempts: int) -> timedelta:
    """How long after the so-many-th attempt the next one is due. It never ends."""
    if attempts >= TROUBLE_AFTER:
        return TROUBLE_WAIT
    return min(FIRST_WAIT * 2 ** (attempts - 1), LONGEST_WAIT)


def claim(session: Session, now: datetime) -> list[Due]:
    """Take due rows and mark them sent. Another relay skips them while they are locked here,
    and finds them marked afterwards."""
    rows = session.scalars(
        select(Outbox)
        .where(Outbox.done_at.is_(None), Outbox.available_at <= now)
        .order_by(Outbox.available_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        row.attempts += 1
        row.sent_at = now
        row.available_at = now + back_off(row.attempts)
        if row.attempts >= TROUBLE_AFTER:
            log.error(
                "relay.trouble row=%s kind=%s attempts=%s last_error=%r",
                row.id,
                row.kind,
                row.attempts,
                row.last_error,
            )
    return [Due(row.id, row.kind) for row in rows]


def give_back(session: Session, ids: Sequence[int], now: datetime) -> None:
    """Rows that could not be published are due again at once, as if they had not been tried."""
    session.execute(
        update(Outbox)
        .where(Outbox.id.in_(ids), Outbox.done_at.is_(None))
        .values(available_at=now, sent_at=None, attempts=Outbox.attempts - 1)
    )


def forget(session: Session, now: datetime) -> None:
    """Delete some rows that were done long ago."""
    session.execute(
        delete(Outbox)
        .where(Outbox.done_at < now - KEEP_DONE)
        .with_dialect_options(mysql_limit=FORGET_BATCH)
        .execution_options(synchronize_session=False)
    )


class Relay:
    def __init__(self, settings: Settings, factory: sessionmaker[Session] | None = None) -> None:
        import_models()  # holds end here, and their orders refer to nearly every table
        self.factory = factory or make_session_factory(make_engine(settings))
        self.publisher = Publisher(settings)
        self.sweep_at = 0.0

    def step(self) -> None:
        while self.publish_due() == BATCH:
            pass
        if time.monotonic() >= self.sweep_at:
            self.sweep_at = time.monotonic() + SWEEP_EVERY
            self.sweep()

    def publish_due(self) -> int:
        """Publish one batch; how many rows went out."""
        with transaction(self.factory) as session:
            due = claim(session, utcnow())
        for sent, row in enumerate(due):
            try:
                self.publisher.process(row.id, queue_for(row.kind))
            except Exception as exc:  # noqa: BLE001 - the broker's errors are many, the answer is one
                rest = [later.id for later in due[sent:]]
                log.warning("relay.broker_away unsent=%s error=%r", len(rest), exc)
                with transaction(self.factory) as session:
                    give_back(session, rest, utcnow())
                return sent
        if due:
            log.info("relay.published rows=%s first=%s last=%s", len(due), due[0].id, due[-1].id)
        return len(due)

    def sweep(self) -> None:
        from boxoffice.mail.services import forget as forget_feedback
        from boxoffice.orders.services import expire_holds

        with transaction(self.factory) as session:
            expired = expire_holds(session, utcnow(), BATCH)
        if expired:
            log.info("relay.expired orders=%s", expired)
        with transaction(self.factory) as session:
            forget(session, utcnow())
            forget_feedback(session, utcnow())


def main(settings: Settings, argv: Sequence[str] = ()) -> int:
    argparse.ArgumentParser(prog="boxoffice relay", description=__doc__).parse_args(argv)
    relay = Relay(settings)
    return loop.run(relay.step, EVERY)
