"""Redis behind one address with TLS: its primary is replaced, and the same processes go on."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from tests.cache.proxy import proxy
from tests.cache.servers import Server, eventually, free_port, redis_server
from tests.factory import Factory
from tests.mail.sink import Sink, smtp_sink
from tests.outbox.processes import relay, worker
from tests.tls import Authority

from boxoffice import cache
from boxoffice.config import Settings
from boxoffice.outbox.models import Outbox
from boxoffice.outbox.publisher import Publisher
from boxoffice.outbox.services import enqueued, publish_hint

PASSWORD = "only for tests: !&#$^<>-/@:%?"
LOGIN = ("--requirepass", PASSWORD, "--masterauth", PASSWORD, "--repl-diskless-sync-delay", "0")
REFUSED = "CERTIFICATE_VERIFY_FAILED"
AGAIN = 10.0  # seconds until all works on the new primary


class Pair:
    """A primary, its replica, and one address that leads to the primary."""

    def __init__(self, stack: ExitStack, folder: Path, settings: Settings, sink: Sink) -> None:
        self.sink = sink
        self.authority = Authority(folder)
        self.tls_ports = (free_port(), free_port())
        self.one = self.server(stack, 0)
        self.two = self.server(stack, 1)
        self.say(self.two, "REPLICAOF", "127.0.0.1", self.one.port)
        eventually(self.is_linked)
        self.proxy = stack.enter_context(proxy(self.tls_ports[0]))
        self.settings = replace(
            settings, redis_url=self.url(), redis_ca_file=str(self.authority.ca)
        )

    def url(self, host: str = "127.0.0.1") -> str:
        return f"rediss://:{quote(PASSWORD, safe='')}@{host}:{self.proxy.port}/0"

    def server(self, stack: ExitStack, number: int) -> Server:
        """The port with TLS is for the app, the plain one for replication and the test."""
        tls: list[object] = ["--tls-port", self.tls_ports[number], "--tls-auth-clients", "no"]
        tls += ["--tls-cert-file", self.authority.certificate]
        tls += ["--tls-key-file", self.authority.key, "--tls-ca-cert-file", self.authority.ca]
        return stack.enter_context(redis_server(*LOGIN, *map(str, tls)))

    def say(self, server: Server, *words: object) -> Any:
        with redis.Redis(port=server.port, password=PASSWORD) as client:
            return client.execute_command(*words)

    def is_linked(self) -> bool:
        return bool(self.say(self.two, "INFO", "replication")["master_link_status"] == "up")

    def fail_over(self, fault: str) -> None:
        """The old primary lives on as a replica, or answers nothing any more."""
        if fault == "freeze":
            self.one.freeze()
        self.say(self.two, "REPLICAOF", "NO", "ONE")
        self.proxy.target = self.tls_ports[1]
        if fault == "demote":
            self.say(self.one, "REPLICAOF", "127.0.0.1", self.two.port)


@pytest.fixture
def pair(settings: Settings, tmp_path: Path, clean: None) -> Iterator[Pair]:
    with ExitStack() as stack, smtp_sink() as sink:
        pair = Pair(stack, tmp_path, replace(settings, smtp_port=sink.port), sink)
        cache.configure(pair.settings)
        yield pair
        cache.configure(settings)


def work_is_done(session: Session) -> bool:
    session.rollback()
    waiting = select(func.count()).select_from(Outbox).where(Outbox.done_at.is_(None))
    return not session.scalar(waiting)


def remembers(value: str) -> bool:
    return bool(cache.objects.set("key", value) or cache.objects.get("key") == value)


@pytest.mark.parametrize("fault", ["demote", "freeze"])
def test_worker_hints_and_cache_go_on_with_the_new_primary(
    pair: Pair, factory: Factory, db_session: Session, tmp_path: Path, fault: str
) -> None:
    event = factory.event(("Standard", 2500, 100))

    def order() -> None:
        factory.paid(event)
        publish_hint(pair.settings, enqueued(db_session))

    with worker(pair.settings, tmp_path) as process, relay(pair.settings, tmp_path):
        order()
        eventually(lambda: work_is_done(db_session), within=60)
        assert remembers("before")
        pair.fail_over(fault)
        order()
        eventually(lambda: remembers("after"), within=AGAIN)
        eventually(lambda: work_is_done(db_session), within=AGAIN)
        order()
        eventually(lambda: work_is_done(db_session), within=AGAIN)
        assert len(pair.sink.mails) == 3
        assert process.process.poll() is None


def test_a_demoted_primary_costs_one_failure_however_many_connections_there_are(
    pair: Pair,
) -> None:
    pool = cache.objects.backend.client.connection_pool
    connections = [pool.get_connection() for _ in range(8)]
    for connection in connections:
        pool.release(connection)
    pair.fail_over("demote")
    with pytest.raises(redis.ReadOnlyError):
        cache.objects.backend.write({"key": b"value"})
    for _ in connections:
        cache.objects.backend.write({"key": b"value"})


def test_publishing_fails_once_on_a_demoted_primary(pair: Pair) -> None:
    publisher = Publisher(pair.settings)
    publisher.canary("host", expires=60)
    # a primary acknowledges before its replica has it
    eventually(lambda: pair.say(pair.two, "LLEN", "canary.host") == 1)
    pair.fail_over("demote")
    with pytest.raises(Exception, match="the primary has moved"):
        publisher.canary("host", expires=60)
    publisher.canary("host", expires=60)
    assert pair.say(pair.two, "LLEN", "canary.host") == 2


@pytest.mark.parametrize("wrong", ["ca", "no ca", "name"])
def test_a_server_that_cannot_prove_who_it_is_gets_no_password(
    pair: Pair, tmp_path: Path, wrong: str
) -> None:
    changes = {
        "ca": {"redis_ca_file": str(Authority(tmp_path, "stranger").ca)},
        "no ca": {"redis_ca_file": ""},
        "name": {"redis_url": pair.url("localhost")},
    }
    refused = replace(pair.settings, **changes[wrong])
    with cache.redis_client(refused) as client, pytest.raises(redis.ConnectionError, match=REFUSED):
        client.ping()
    with pytest.raises(Exception, match=REFUSED):
        Publisher(refused).canary("host", expires=60)
