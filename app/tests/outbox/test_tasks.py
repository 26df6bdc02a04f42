from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from tests.outbox.processes import environment

from boxoffice import tasking
from boxoffice.celery_app import app
from boxoffice.config import Settings
from boxoffice.db import make_session_factory
from boxoffice.outbox import handlers, tasks  # not the task itself: pytest would look into it
from boxoffice.outbox.handlers import handles
from boxoffice.outbox.models import Outbox
from boxoffice.outbox.services import enqueue
from boxoffice.tasking import Context

KIND = "test.kind"


@pytest.fixture(autouse=True)
def _worker(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process stands in for a worker's."""
    for key, value in environment(settings, tmp_path).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(handlers, "_handlers", dict(handlers._handlers))
    tasking._runtime.cache_clear()
    yield
    tasking.runtime()[1].kw["bind"].dispose()
    tasking._runtime.cache_clear()


@pytest.fixture
def row(db_session: Session) -> Outbox:
    row = enqueue(db_session, KIND, {}, "key")
    db_session.commit()
    return row


def owe(ctx: Context, row: Outbox) -> None:
    """An effect that can be counted: another row."""
    enqueue(ctx.session, "effect", {}, f"effect:{row.id}")


def rows(session: Session, kind: str) -> int:
    session.rollback()
    return session.query(Outbox).filter_by(kind=kind).count()


def test_the_effect_and_the_end_of_the_row_are_one(db_session: Session, row: Outbox) -> None:
    handles(KIND)(owe)
    tasks.process.apply((row.id,), throw=True)
    db_session.refresh(row)
    assert row.done_at is not None
    assert rows(db_session, "effect") == 1


def test_a_message_that_comes_twice_has_one_effect(db_session: Session, row: Outbox) -> None:
    runs = []
    handles(KIND)(lambda _ctx, row: runs.append(row.id))
    for _ in range(3):
        tasks.process.apply((row.id,), throw=True)
    assert runs == [row.id]


def test_a_row_that_another_worker_has_is_left_alone(
    engine: Engine, db_session: Session, row: Outbox
) -> None:
    runs = []
    handles(KIND)(lambda _ctx, row: runs.append(row.id))
    with make_session_factory(engine)() as other:
        other.get(Outbox, row.id, with_for_update=True)
        tasks.process.apply((row.id,), throw=True)
        assert runs == []
    tasks.process.apply((row.id,), throw=True)
    assert runs == [row.id]


def test_a_failure_undoes_the_effect_and_leaves_a_note(db_session: Session, row: Outbox) -> None:
    @handles(KIND)
    def fail(ctx: Context, row: Outbox) -> None:
        owe(ctx, row)
        raise ValueError("no paper")

    with pytest.raises(ValueError, match="no paper"):
        tasks.process.apply((row.id,), throw=True)
    db_session.refresh(row)
    assert row.done_at is None
    assert row.last_error == "ValueError('no paper')"
    assert rows(db_session, "effect") == 0


def test_a_lost_transaction_is_run_again(db_session: Session, row: Outbox) -> None:
    runs = []

    @handles(KIND)
    def deadlock_first(ctx: Context, row: Outbox) -> None:
        runs.append(row.id)
        owe(ctx, row)
        if len(runs) == 1:
            raise OperationalError("", {}, pymysql.OperationalError(1213, "Deadlock found"))

    tasks.process.apply((row.id,))
    db_session.refresh(row)
    assert row.done_at is not None
    assert row.last_error is None
    assert len(runs) == 2
    assert rows(db_session, "effect") == 1


def test_a_kind_of_a_newer_release_waits_for_it(db_session: Session, row: Outbox) -> None:
    with pytest.raises(handlers.UnknownKindError, match=r"test\.kind"):
        tasks.process.apply((row.id,), throw=True)
    db_session.refresh(row)
    assert row.done_at is None


def test_a_row_that_is_gone_is_no_error(clean: None) -> None:
    tasks.process.apply((404,), throw=True)


def test_the_app_names_each_task_it_promises() -> None:
    app.loader.import_default_modules()
    assert {"boxoffice.outbox.process", "boxoffice.watchdog.canary"} <= set(app.tasks)
    assert {"order.paid", "mail.order", "export.requested"} <= set(handlers._handlers)
