import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pymysql
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from boxoffice import db
from boxoffice.config import Settings


def wrapped(code: int, kind: type[Exception] = pymysql.err.OperationalError) -> OperationalError:
    return OperationalError("SELECT 1", {}, kind(code, "…"))


@pytest.mark.parametrize("code", [1213, 1205, 1047, 1180, 1290, 1836, 2006, 2013, 4031])
def test_worth_another_try(code: int) -> None:
    assert db.is_retryable(wrapped(code))
    assert db.is_retryable(pymysql.err.OperationalError(code, "…"))
    assert db.is_unavailable(wrapped(code))


@pytest.mark.parametrize("code", [1062, 1064, 1146, 4025])
def test_not_worth_another_try(code: int) -> None:
    assert not db.is_retryable(wrapped(code))
    assert not db.is_unavailable(wrapped(code))


@pytest.mark.parametrize("code", [1040, 1045, 2003, 2026, 3159])
def test_no_connection_is_not_tried_again_at_once(code: int) -> None:
    assert not db.is_retryable(wrapped(code))
    assert db.is_unavailable(wrapped(code))


def test_a_server_that_goes_in_the_middle_of_an_answer_is_gone() -> None:
    error = pymysql.err.InternalError("Packet sequence number wrong - got 1 expected 2")
    assert db.error_code(error) == 2013
    assert db.is_retryable(OperationalError("SELECT 1", {}, error))
    assert not db.is_retryable(pymysql.err.InternalError("something else"))


def test_an_error_number_of_something_else_means_nothing() -> None:
    assert not db.is_retryable(OSError(2013, "not the database"))
    assert not db.is_retryable(ValueError(1213))


def test_a_retry_runs_the_work_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    answers: Iterator[Exception | str] = iter([wrapped(1213), wrapped(1047), "done"])

    def work() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert db.retrying(work) == "done"
    answers = iter([wrapped(1213)] * 3)
    with pytest.raises(OperationalError):
        db.retrying(work)


def test_a_server_that_does_not_greet_is_given_up_soon(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement may take longer than that."""
    monkeypatch.setattr(db, "GREETING_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = engine.url.set(host="127.0.0.1", port=silent.getsockname()[1])
        waiting = db.make_engine(replace(settings, database_url=url.render_as_string(False)))
        began = time.monotonic()
        with pytest.raises(OperationalError) as error, waiting.connect():
            pass
        assert time.monotonic() - began < db.STATEMENT_SECONDS / 2
        assert db.is_retryable(error.value)
    with db.make_engine(settings).connect() as connection:
        assert connection.execute(text("SELECT SLEEP(1)")).scalar_one() == 0


@pytest.mark.parametrize(
    "statement", ["KILL CONNECTION_ID()", "SIGNAL SQLSTATE '08S01' SET MYSQL_ERRNO = 1047"]
)
def test_a_connection_that_went_bad_is_not_used_again(engine: Engine, statement: str) -> None:
    with engine.connect() as connection:
        before = connection.execute(text("SELECT CONNECTION_ID()")).scalar_one()
        connection.commit()
        with pytest.raises(OperationalError) as error:
            connection.execute(text(statement))
        assert error.value.connection_invalidated
        assert db.is_retryable(error.value)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT CONNECTION_ID()")).scalar_one() != before


def test_a_real_deadlock_is_seen_as_one(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE OR REPLACE TABLE lock_test (id INT PRIMARY KEY, n INT)"))
        connection.execute(text("INSERT INTO lock_test VALUES (1, 0), (2, 0)"))
    gate = threading.Barrier(2)
    errors: list[Exception] = []

    def work(order: tuple[int, int]) -> None:
        try:
            with engine.begin() as connection:
                for number, row in enumerate(order):
                    if number:
                        gate.wait()
                    connection.execute(
                        text("UPDATE lock_test SET n = n + 1 WHERE id = :r"), {"r": row}
                    )
        except OperationalError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(order,)) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE lock_test"))
    assert [db.error_code(error) for error in errors] == [1213]
    assert db.is_retryable(errors[0])


def test_read_committed_in_utc_with_strict_rules(engine: Engine) -> None:
    with engine.connect() as connection:
        row = connection.execute(
            text("SELECT @@tx_isolation, @@time_zone, @@innodb_lock_wait_timeout, @@sql_mode")
        ).one()
    assert row[:3] == ("READ-COMMITTED", "+00:00", 5)
    assert "STRICT_TRANS_TABLES" in row[3]


def test_moments_come_back_as_they_were(db_session: Session) -> None:
    moment = db.utcnow()
    kind = db.UtcDateTime()
    stored = kind.process_bind_param(moment, None)
    assert stored is not None
    assert stored.tzinfo is None
    assert kind.process_result_value(stored, None) == moment
