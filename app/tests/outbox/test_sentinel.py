"""The master of the Redis pair dies: the replica takes over, and the same processes go on."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from redis.sentinel import MasterNotFoundError, Sentinel
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from tests.cache.servers import Server, eventually, redis_server, sentinel
from tests.factory import Factory
from tests.mail.sink import Sink, smtp_sink
from tests.outbox.processes import relay, worker

from boxoffice import cache
from boxoffice.celery_app import sentinel_kwargs
from boxoffice.config import Settings
from boxoffice.outbox.models import Outbox
from boxoffice.outbox.services import enqueued, publish_hint

PASSWORD = "only for tests: /@:%"
LOGIN = ("--requirepass", PASSWORD, "--masterauth", PASSWORD)


class Group:
    """A master, its replica and three voters."""

    def __init__(self, stack: ExitStack, folder: Path, settings: Settings, sink: Sink) -> None:
        self.sink = sink
        self.master = stack.enter_context(redis_server(*LOGIN))
        self.replica = stack.enter_context(
            redis_server(*LOGIN, "--replicaof", f"127.0.0.1 {self.master.port}")
        )
        eventually(self.replica_is_linked)
        self.voters = [
            stack.enter_context(sentinel(folder, self.master.port, n, PASSWORD)) for n in range(3)
        ]
        # The first voter goes with the master, as on one host; it is asked first.
        self.settings = replace(
            settings,
            redis_url="",
            redis_master="stack",
            redis_sentinels=tuple(("127.0.0.1", voter.port) for voter in self.voters),
            redis_password=PASSWORD,
        )
        eventually(self.voters_know_each_other)

    def replica_is_linked(self) -> bool:
        with redis.Redis(port=self.replica.port, password=PASSWORD) as client:
            return bool(client.info("replication").get("master_link_status") == "up")

    def voters_know_each_other(self) -> bool:
        def known(voter: Server) -> bool:
            with redis.Redis(port=voter.port) as client:
                master = client.sentinel_master("stack")
            return bool(master["num-other-sentinels"] == 2 and master["num-slaves"] == 1)

        return all(map(known, self.voters))

    def replica_leads(self) -> bool:
        asked = Sentinel(
            self.settings.redis_sentinels, sentinel_kwargs=sentinel_kwargs(self.settings)
        )
        try:
            return bool(asked.discover_master("stack")[1] == self.replica.port)
        except MasterNotFoundError:  # the voters have not agreed yet
            return False
        finally:
            asked.close()


@pytest.fixture
def group(settings: Settings, tmp_path: Path, clean: None) -> Iterator[Group]:
    with ExitStack() as stack, smtp_sink() as sink:
        group = Group(stack, tmp_path, replace(settings, smtp_port=sink.port), sink)
        cache.configure(group.settings)
        yield group
        cache.configure(settings)


def work_is_done(session: Session) -> bool:
    session.rollback()
    waiting = select(func.count()).select_from(Outbox).where(Outbox.done_at.is_(None))
    return not session.scalar(waiting)


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_worker_relay_hints_and_cache_follow_the_new_master(
    group: Group, factory: Factory, db_session: Session, tmp_path: Path, fault: str
) -> None:
    event = factory.event(("Standard", 2500, 100))

    def order() -> None:
        factory.paid(event)
        publish_hint(group.settings, enqueued(db_session))

    with worker(group.settings, tmp_path) as process, relay(group.settings, tmp_path):
        order()
        cache.objects.set("key", "before")
        assert cache.objects.get("key") == "before"
        eventually(lambda: work_is_done(db_session), within=60)
        getattr(group.master, fault)()
        getattr(group.voters[0], fault)()
        order()
        eventually(group.replica_leads)
        eventually(lambda: work_is_done(db_session), within=90)
        order()
        eventually(lambda: work_is_done(db_session), within=60)
        eventually(lambda: cache.objects.set("key", "after") or cache.objects.get("key") == "after")
        assert len(group.sink.mails) == 3
        assert process.process.poll() is None
