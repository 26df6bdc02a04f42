import logging
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import redis
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker
from tests.cache.servers import free_port
from tests.factory import Factory

from boxoffice.config import Settings
from boxoffice.db import make_session_factory, utcnow
from boxoffice.orders.models import Order, State
from boxoffice.outbox.models import Outbox
from boxoffice.outbox.relay import BATCH, KEEP_DONE, Relay, back_off, claim, forget


@pytest.fixture
def factory_of(engine: Engine) -> sessionmaker[Session]:
    return make_session_factory(engine)


@pytest.fixture
def broker(settings: Settings, clean: None) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.redis_url) as client:
        yield client


def add(session: Session, number: int = 1, **values: object) -> list[Outbox]:
    due = utcnow() - timedelta(seconds=1)
    rows = [
        Outbox(kind="mail.order", payload={}, dedupe_key=secrets.token_hex(), available_at=due)
        for _ in range(number)
    ]
    for row in rows:
        for name, value in values.items():
            setattr(row, name, value)
    session.add_all(rows)
    session.commit()
    return rows


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(1, 8), (2, 16), (3, 32), (4, 60), (19, 60), (20, 300), (1000, 300)],
)
def test_tries_grow_apart_and_never_end(attempts: int, seconds: int) -> None:
    assert back_off(attempts) == timedelta(seconds=seconds)


def test_due_rows_are_taken_and_no_others(db_session: Session) -> None:
    [due] = add(db_session)
    add(db_session, available_at=utcnow() + timedelta(seconds=30))
    add(db_session, done_at=utcnow())
    now = utcnow()
    assert [row.id for row in claim(db_session, now)] == [due.id]
    db_session.commit()
    assert (due.attempts, due.sent_at, due.available_at) == (1, now, now + back_off(1))
    assert claim(db_session, utcnow()) == []


def test_a_sent_row_is_sent_again_when_nobody_does_it(db_session: Session) -> None:
    [row] = add(db_session)
    claim(db_session, utcnow())
    db_session.commit()
    assert claim(db_session, utcnow() + timedelta(seconds=7)) == []
    assert [due.id for due in claim(db_session, utcnow() + timedelta(seconds=9))] == [row.id]


def test_two_relays_at_once_share_the_rows(
    db_session: Session, factory_of: sessionmaker[Session]
) -> None:
    rows = add(db_session, BATCH + 20)
    with factory_of() as one, factory_of() as two:
        first, second = claim(one, utcnow()), claim(two, utcnow())
        one.commit()
        two.commit()
        third = claim(one, utcnow())
    taken = [row.id for row in (*first, *second)]
    assert sorted(taken) == [row.id for row in rows]
    assert third == []


def test_a_row_in_trouble_is_kept_and_told(
    db_session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    [row] = add(db_session, attempts=19, last_error="no paper")
    now = utcnow()
    with caplog.at_level(logging.ERROR):
        assert len(claim(db_session, now)) == 1
    assert row.available_at == now + timedelta(minutes=5)
    assert f"row={row.id}" in caplog.text
    assert "no paper" in caplog.text


def test_all_due_rows_go_to_the_broker(
    settings: Settings, db_session: Session, factory_of: sessionmaker[Session], broker: redis.Redis
) -> None:
    add(db_session, BATCH + 1)
    relay = Relay(settings, factory_of)
    relay.step()
    assert broker.llen("mail") == BATCH + 1
    relay.step()
    assert broker.llen("mail") == BATCH + 1


def test_rows_that_no_broker_took_are_due_again_at_once(
    settings: Settings, db_session: Session, factory_of: sessionmaker[Session]
) -> None:
    [row] = add(db_session)
    nowhere = replace(settings, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    assert Relay(nowhere, factory_of).publish_due() == 0
    db_session.refresh(row)
    assert (row.attempts, row.sent_at) == (0, None)
    assert row.available_at <= utcnow()


def test_overdue_holds_end(
    settings: Settings, db_session: Session, factory: Factory, factory_of: sessionmaker[Session]
) -> None:
    order = factory.order(factory.event(), now=utcnow() - timedelta(hours=1))
    Relay(settings, factory_of).step()
    db_session.expire_all()
    state = db_session.scalar(select(Order.state).where(Order.id == order.id))
    assert state == State.EXPIRED


@pytest.mark.parametrize(
    ("done_at", "kept"),
    [(None, 1), (utcnow() - KEEP_DONE + timedelta(days=1), 1), (utcnow() - 2 * KEEP_DONE, 0)],
)
def test_only_work_done_long_ago_is_forgotten(
    db_session: Session, done_at: datetime | None, kept: int
) -> None:
    add(db_session, done_at=done_at, created_at=utcnow() - 3 * KEEP_DONE)
    forget(db_session, utcnow())
    db_session.commit()
    assert len(db_session.scalars(select(Outbox)).all()) == kept
