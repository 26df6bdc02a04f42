import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import redis
from kombu.exceptions import OperationalError
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from tests.cache.servers import eventually, free_port, redis_server

from boxoffice.config import Settings
from boxoffice.db import utcnow
from boxoffice.outbox import hints
from boxoffice.outbox.models import Outbox
from boxoffice.outbox.publisher import Publisher
from boxoffice.outbox.services import enqueue, enqueued, publish_hint, queue_for


@pytest.fixture
def broker(settings: Settings, clean: None) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.redis_url) as client:
        yield client


# A row that this process did not write: it knows no kind of it, so the queue is the default one.
FOREIGN = 10**12


def hinted(settings: Settings, row_id: int, broker: redis.Redis, queue: str) -> bool:
    """Hints may be lost, by design: until it is there, hint again."""
    publish_hint(settings, [row_id])
    hints._hinter(settings).waiting.join()
    return bool(broker.llen(queue))


def test_one_key_is_one_row(db_session: Session) -> None:
    first = enqueue(db_session, "mail.order", {"order_id": 1}, "mail.order:1")
    again = enqueue(db_session, "mail.order", {"order_id": 2}, "mail.order:1")
    assert again is first
    assert again.payload == {"order_id": 1}
    assert db_session.scalar(select(func.count()).select_from(Outbox)) == 1


def test_work_is_owed_only_when_the_transaction_commits(db_session: Session) -> None:
    enqueue(db_session, "mail.order", {}, "mail.order:1")
    db_session.rollback()
    assert db_session.scalars(select(Outbox)).all() == []


def test_new_rows_are_for_the_hint_and_delayed_ones_for_the_relay(db_session: Session) -> None:
    now = enqueue(db_session, "mail.order", {}, "one")
    later = enqueue(db_session, "mail.order", {}, "two", delay=timedelta(minutes=5))
    enqueue(db_session, "mail.order", {}, "one")
    assert enqueued(db_session) == [now.id]
    assert enqueued(db_session) == []
    assert later.available_at > utcnow() + timedelta(minutes=4)


@pytest.mark.parametrize(
    ("kind", "queue"),
    [
        ("order.paid", "critical"),
        ("mail.order", "mail"),
        ("export.requested", "exports"),
        ("other", "default"),
        ("", "default"),
    ],
)
def test_each_kind_has_its_queue(kind: str, queue: str) -> None:
    assert queue_for(kind) == queue


def test_a_hint_reaches_the_queue_of_its_kind(
    db_session: Session, settings: Settings, broker: redis.Redis
) -> None:
    rows = [enqueue(db_session, kind, {}, kind) for kind in ("order.paid", "export.requested")]
    db_session.commit()
    for row, queue in zip(rows, ("critical", "exports"), strict=True):
        eventually(lambda: hinted(settings, row.id, broker, queue))  # noqa: B023 - called at once
    assert broker.llen("default") == 0


def test_hints_are_published_again_after_a_flush_of_redis(
    settings: Settings, broker: redis.Redis
) -> None:
    eventually(lambda: hinted(settings, FOREIGN, broker, "default"))
    broker.flushall()
    eventually(lambda: hinted(settings, FOREIGN, broker, "default"))


def test_a_frozen_redis_costs_a_request_nothing(settings: Settings) -> None:
    with redis_server() as server:
        frozen = replace(settings, redis_url=f"redis://127.0.0.1:{server.port}/0")
        publish_hint(frozen, [FOREIGN])
        eventually(lambda: redis.Redis.from_url(frozen.redis_url).llen("default"))
        server.freeze()
        started = time.monotonic()
        for row_id in range(hints.QUEUE_SIZE * 3):
            publish_hint(frozen, [FOREIGN + row_id])
        # three thousand requests together; one publish alone would wait for two seconds
        assert time.monotonic() - started < 1.5


def test_a_dead_redis_opens_the_breaker_and_a_new_one_closes_it(settings: Settings) -> None:
    with redis_server() as server:
        port = server.port
        dead = replace(settings, redis_url=f"redis://127.0.0.1:{port}/0")
        server.kill()
        publish_hint(dead, [FOREIGN])
        hinter = hints._hinter(dead)
        eventually(lambda: hinter.resume_at > time.monotonic())
        publish_hint(dead, range(FOREIGN, FOREIGN + 10))
        assert hinter.waiting.empty()
    with redis_server(port=port):
        client = redis.Redis(port=port)
        eventually(lambda: publish_hint(dead, [FOREIGN]) or client.llen("default"))
        client.close()


def test_nothing_that_a_hint_meets_is_raised(settings: Settings) -> None:
    publish_hint(replace(settings, redis_url="nonsense://"), [FOREIGN])


def test_a_publisher_tries_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """kombu's default is to sleep and try again, which would hold the relay and the watchdog."""
    slept: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", slept.append)
    nowhere = replace(settings, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(OperationalError):
        Publisher(nowhere).process(FOREIGN, "default")
    assert slept == []
