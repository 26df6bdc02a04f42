"""The writer moves: the name leads to another server, and the one of before is a reader or dead."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from webtest import TestApp, TestResponse

from boxoffice import db
from boxoffice.app import create_app
from boxoffice.config import Settings
from boxoffice.db import make_engine, make_session_factory
from boxoffice.outbox.relay import Relay
from tests.cache.proxy import proxy
from tests.database import Database, copy, database
from tests.factory import Factory
from tests.tls import Authority

NAME = "writer.example.test"
POOL = 8
SOON = 4.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Database]:
    with database(Authority(tmp_path_factory.mktemp("tls")), settings.database_url) as server:
        yield server


class Writers:
    """The old one has what the new one (the tests' own server) has, and one name leads to it."""

    def __init__(self, old: Database, settings: Settings, patch: pytest.MonkeyPatch) -> None:
        self.old, self.stack = old, ExitStack()
        new = make_url(settings.database_url)
        self.way = self.stack.enter_context(proxy(old.port, "127.0.0.2"))
        self.stack.enter_context(proxy(new.port or 3306, "127.0.0.3", self.way.port))
        old.say("SET GLOBAL read_only=OFF")
        self.both = settings.database_url, self.string(new.set(port=old.port))
        self.catch_up()
        self.host = "127.0.0.2"
        look_up = socket.getaddrinfo

        def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
            return look_up(self.host if host == NAME else host, *rest, **more)

        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        self.settings = replace(
            settings, database_url=self.string(new.set(host=NAME, port=self.way.port))
        )
        self.engine = make_engine(self.settings)
        self.errors: list[int | None] = []
        event.listen(self.engine, "handle_error", self.note)
        self.app = TestApp(create_app(self.settings, self.engine))

    def catch_up(self) -> None:
        copy(*self.both)

    @staticmethod
    def string(url: Any) -> str:
        found: str = url.render_as_string(hide_password=False)
        return found

    def note(self, context: ExceptionContext) -> None:
        """What a request sees: a connection that is found dead before its use is none of it."""
        if not context.is_pre_ping:
            self.errors.append(db.error_code(context.original_exception))

    def fill(self) -> set[int]:
        """Use as many connections at once as the pool keeps; the servers that they lead to."""
        used: list[Connection] = []
        try:
            for _ in range(POOL):
                used.append(self.engine.connect())  # noqa: PERF401 - those made are closed
            return {one.execute(text("SELECT @@port")).scalar_one() for one in used}
        finally:
            for one in used:
                one.close()

    def move(self) -> None:
        self.host = "127.0.0.3"

    def close(self) -> None:
        self.engine.dispose()
        self.stack.close()


@pytest.fixture
def form(factory: Factory) -> str:
    """The address of an event's page."""
    return f"/e/{factory.event().slug}"


@pytest.fixture
def writers(
    server: Database, settings: Settings, form: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Writers]:
    monkeypatch.setattr(db, "STATEMENT_SECONDS", 1)
    writers = Writers(server, settings, monkeypatch)
    try:
        yield writers
    finally:
        server.thaw()
        writers.close()


@pytest.fixture
def order(writers: Writers, form: str) -> Any:
    """Send the filled form; the pool is full of connections to the old writer."""
    page: TestResponse = writers.app.get(form)
    assert writers.fill() == {writers.old.port}
    return page.forms[0].submit


def held(session: Session) -> int:
    session.rollback()
    found: int = session.execute(text("SELECT SUM(held) FROM inventory")).scalar_one()
    return found


def test_a_writer_that_became_a_reader_is_left_at_once_and_by_all(
    writers: Writers, order: Any, db_session: Session
) -> None:
    writers.old.say("SET GLOBAL read_only=ON")
    writers.move()
    order(status=303)
    assert held(db_session) == 1
    assert writers.fill().isdisjoint({writers.old.port})
    assert writers.errors == [1290]
    assert writers.old.connections() == 0


def test_while_the_name_still_leads_to_the_reader_buyers_are_asked_to_come_back(
    writers: Writers, order: Any, db_session: Session
) -> None:
    writers.old.say("SET GLOBAL read_only=ON")
    assert order(status=503).headers["Retry-After"] == "5"
    assert writers.errors == [1290] * 3  # each try on a new connection
    writers.move()
    order(status=303)
    assert held(db_session) == 1
    assert writers.errors == [1290] * 3


@pytest.mark.parametrize("fault", ["cut", "freeze"])
def test_dead_connections_are_replaced_by_those_to_the_new_writer(
    writers: Writers, order: Any, db_session: Session, fault: str
) -> None:
    writers.way.cut() if fault == "cut" else writers.old.freeze()
    writers.move()
    started = time.monotonic()
    order(status=303)
    assert writers.fill().isdisjoint({writers.old.port})
    assert time.monotonic() - started < SOON  # a silent server is waited for once
    assert (held(db_session), writers.errors) == (1, [])


def test_the_relay_goes_on_with_its_next_step(
    writers: Writers, factory: Factory, settings: Settings
) -> None:
    factory.paid(factory.event())
    factory.session.execute(text("UPDATE outbox SET available_at = created_at"))
    factory.session.commit()
    writers.catch_up()
    assert writers.fill() == {writers.old.port}
    relay = Relay(settings, make_session_factory(writers.engine))
    writers.old.say("SET GLOBAL read_only=ON")
    writers.move()
    with pytest.raises(OperationalError):
        relay.publish_due()
    assert relay.publish_due() == 1
