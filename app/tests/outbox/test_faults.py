"""A real worker and relay, and what may happen to them: each order is still done exactly once."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session
from tests.cache.servers import eventually, redis_server
from tests.factory import Factory
from tests.mail.sink import Sink, smtp_sink
from tests.outbox.processes import relay, worker

from boxoffice.config import Settings
from boxoffice.db import make_session_factory
from boxoffice.orders.models import Order
from boxoffice.outbox.models import Outbox
from boxoffice.outbox.publisher import Publisher
from boxoffice.outbox.services import enqueued
from boxoffice.tickets.models import Ticket

PLACES = 2


@pytest.fixture
def sink() -> Iterator[Sink]:
    with smtp_sink() as sink:
        yield sink


@pytest.fixture
def here(settings: Settings, sink: Sink) -> Settings:
    return replace(settings, smtp_port=sink.port)


def open_rows(session: Session) -> int:
    session.rollback()
    query = select(func.count()).select_from(Outbox).where(Outbox.done_at.is_(None))
    return session.scalar(query) or 0


def is_done(session: Session, sink: Sink, orders: list[Order]) -> None:
    """All work done, each order with its tickets and one mail."""
    eventually(lambda: not open_rows(session), within=60)
    assert tickets_of(session) == [(order.id, PLACES) for order in orders]
    keys = Counter(str(mail["Message-ID"]) for mail in sink.mails)
    assert len(keys) == len(orders)
    assert set(keys.values()) == {1}


def somebody_waits(session: Session) -> bool:
    """For a lock. InnoDB renews this table only when it was not read for a tenth of a second."""
    waits = text("SELECT COUNT(*) FROM information_schema.innodb_lock_waits")
    return bool(session.scalar(waits))


def send(settings: Settings, ids: list[int]) -> None:
    """One message for each row, surely: a hint could be lost."""
    publisher = Publisher(settings)
    for row_id in ids:
        publisher.process(row_id, "critical")
    publisher.client.close()


def tickets_of(session: Session) -> list[tuple[int, int]]:
    session.rollback()
    numbers = select(Ticket.order_id, func.count()).group_by(Ticket.order_id)
    return [(row[0], row[1]) for row in session.execute(numbers.order_by(Ticket.order_id))]


def test_a_worker_killed_in_the_middle_of_an_order(
    here: Settings,
    engine: Engine,
    db_session: Session,
    factory: Factory,
    sink: Sink,
    tmp_path: Path,
) -> None:
    order = factory.paid(factory.event(), PLACES)
    with make_session_factory(engine)() as blocker, worker(here, tmp_path) as first:
        # The tickets refer to the order: whoever issues them waits for this lock.
        blocker.get(Order, order.id, with_for_update=True)
        send(here, enqueued(db_session))
        eventually(lambda: somebody_waits(blocker), every=0.3, within=60)
        first.kill()
    assert open_rows(db_session) == 1
    with worker(here, tmp_path), relay(here, tmp_path):
        is_done(db_session, sink, [order])


def test_a_worker_killed_while_it_sends_the_mail(
    here: Settings, db_session: Session, factory: Factory, sink: Sink, tmp_path: Path
) -> None:
    order = factory.paid(factory.event(), PLACES)
    sink.silent = True
    with relay(here, tmp_path):
        with worker(here, tmp_path) as first:
            eventually(lambda: sink.talks, within=60)
            first.kill()
        sink.silent = False
        with worker(here, tmp_path):
            is_done(db_session, sink, [order])


def test_a_pool_process_killed(
    here: Settings,
    engine: Engine,
    db_session: Session,
    factory: Factory,
    sink: Sink,
    tmp_path: Path,
) -> None:
    """Without a relay: the worker itself gives the order to its next process."""
    order = factory.paid(factory.event(), PLACES)
    with make_session_factory(engine)() as blocker, worker(here, tmp_path) as process:
        blocker.get(Order, order.id, with_for_update=True)
        send(here, enqueued(db_session))
        eventually(lambda: somebody_waits(blocker), every=0.3, within=60)
        process.kill_children()
        blocker.rollback()
        eventually(lambda: tickets_of(db_session) == [(order.id, PLACES)], within=60)
        with relay(here, tmp_path):
            is_done(db_session, sink, [order])


def test_redis_forgets_everything(
    here: Settings, db_session: Session, factory: Factory, sink: Sink, tmp_path: Path
) -> None:
    event = factory.event()
    orders = [factory.paid(event, PLACES) for _ in range(4)]
    send(here, enqueued(db_session))
    with redis.Redis.from_url(here.redis_url) as broker:
        assert broker.llen("critical") == len(orders)
        broker.flushall()
    with worker(here, tmp_path), relay(here, tmp_path) as sender:
        is_done(db_session, sink, orders)
        with redis.Redis.from_url(here.redis_url) as broker:
            broker.flushall()  # under a worker that is connected
        orders.append(factory.paid(event, PLACES))
        is_done(db_session, sink, orders)
        assert sender.says("relay.published")


def test_two_relays_and_two_workers_and_each_message_twice(
    here: Settings, db_session: Session, factory: Factory, sink: Sink, tmp_path: Path
) -> None:
    event = factory.event(("Standard", 2500, 100))
    orders = [factory.paid(event, PLACES) for _ in range(10)]
    ids = enqueued(db_session)
    for _ in range(2):
        send(here, ids)
    with (
        worker(here, tmp_path),
        worker(replace(here, host_name="test-b-1"), tmp_path),
        relay(here, tmp_path),
        relay(here, tmp_path),
    ):
        is_done(db_session, sink, orders)


def test_a_relay_stops_at_once_and_a_frozen_redis_does_not_hold_it(
    here: Settings, db_session: Session, factory: Factory, tmp_path: Path
) -> None:
    with redis_server() as server:
        frozen = replace(here, redis_url=f"redis://127.0.0.1:{server.port}/0")
        with relay(frozen, tmp_path) as process:
            factory.paid(factory.event())
            eventually(lambda: process.says("relay.published"), within=60)
            server.freeze()
            factory.paid(factory.event())
            eventually(lambda: process.says("relay.broker_away"), within=60)
            process.terminate()
            assert process.process.wait(timeout=10) == 0
            assert "Traceback" not in process.log.read_text()
