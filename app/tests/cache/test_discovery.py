"""Memcached nodes come and go while pages are made."""

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

import pytest
from pymemcache.client.base import Client
from pymemcache.client.hash import HashClient
from pymemcache.client.rendezvous import RendezvousHash
from tests.cache.endpoint import Endpoint, endpoint
from tests.cache.servers import Server, eventually, memcached_server

from boxoffice import cache
from boxoffice.config import Settings
from boxoffice.discovery import (
    LOWER_TIMES,
    Cluster,
    DiscoveredClient,
    DiscoveryError,
    ask,
    parse,
)

KEYS = [f"key{n}" for n in range(60)]
VALUES = dict.fromkeys(KEYS, "known")
SOON = 2.0


class Group:
    """Three nodes, an endpoint that tells of the first two, and the settings to use them."""

    def __init__(self, stack: ExitStack, settings: Settings) -> None:
        self.nodes: list[Server] = [stack.enter_context(memcached_server()) for _ in range(3)]
        self.endpoint: Endpoint
        self.endpoint, address = stack.enter_context(endpoint())
        self.says(1, 0, 1)
        self.settings = replace(
            settings,
            memcached=(),
            memcached_discovery=address,
            memcached_discovery_seconds=1,
        )

    def says(self, version: int, *nodes: int) -> None:
        self.endpoint.says(version, [self.nodes[node].port for node in nodes])

    def names(self, *nodes: int) -> tuple[str, ...]:
        return tuple(sorted(f"127.0.0.1:{self.nodes[node].port}" for node in nodes))

    def uses(self, *nodes: int) -> bool:
        return known() == self.names(*nodes)

    def asked_again(self, times: int = 2) -> None:
        """More questions came: the first of them may have been under way before."""
        before = self.endpoint.asked
        eventually(lambda: self.endpoint.asked >= before + times)


def known() -> tuple[str, ...]:
    cluster = cache.fragments.backend.client.cluster
    return cluster.nodes if cluster else ()


@pytest.fixture
def group(settings: Settings, clean: None) -> Iterator[Group]:
    with ExitStack() as stack:
        group = Group(stack, settings)
        cache.configure(group.settings)
        eventually(lambda: group.uses(0, 1))
        yield group
        cache.configure(settings)


@pytest.fixture
def visitors(group: Group, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Some threads make pages all the time; neither they nor the cache may see an error."""
    errors: list[BaseException] = []
    ended = threading.Event()

    def visit(number: int) -> None:
        while not ended.wait(0.005):
            try:
                key = f"visitor{number}-{time.monotonic_ns() % 20}"
                assert cache.fragments.get_or_create(key, lambda: "page") == "page"
                cache.fragments.get_multi(KEYS)
            except BaseException as error:  # noqa: BLE001 - the test shows it
                errors.append(error)

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    with caplog.at_level(logging.WARNING, "boxoffice.cache"):
        yield
        ended.set()
        for thread in threads:
            thread.join()
    assert errors == []
    assert [record for record in caplog.records if record.name == "boxoffice.cache"] == []


def found() -> set[str]:
    values = cache.fragments.get_multi(KEYS)
    return {key for key, value in zip(KEYS, values, strict=True) if value == "known"}


def remember_all() -> None:
    cache.fragments.set_multi(VALUES)
    # a write waits for no answer, and the question may go by another connection
    eventually(lambda: found() == set(KEYS), within=5)


def test_a_new_node_is_used_and_the_others_keep_their_keys(group: Group, visitors: None) -> None:
    remember_all()
    group.says(2, 0, 1, 2)
    eventually(lambda: group.uses(0, 1, 2))
    ring = RendezvousHash(list(group.names(0, 1, 2)))
    new = group.names(2)[0]
    stay = {key for key in KEYS if ring.get_node(f"bo1:{key}") != new}
    assert stay != set(KEYS)
    assert found() == stay
    remember_all()
    with_new = Client(("127.0.0.1", group.nodes[2].port), timeout=2)
    assert int(with_new.stats()[b"curr_items"]) >= len(KEYS) - len(stay)
    with_new.close()


def test_a_removed_node_is_not_asked_any_more(group: Group, visitors: None) -> None:
    remember_all()
    group.says(2, 0)
    eventually(lambda: group.uses(0))
    time.sleep(0.5)  # the calls that were under way
    client = Client(("127.0.0.1", group.nodes[1].port), timeout=2)
    before = client.stats()
    remember_all()
    after = client.stats()
    client.close()
    assert after[b"cmd_get"] == before[b"cmd_get"]
    assert after[b"cmd_set"] == before[b"cmd_set"]


def test_a_node_that_died_is_replaced(group: Group, visitors: None) -> None:
    group.nodes[0].kill()
    eventually(lambda: cache.fragments.set_multi(VALUES) or found() == set(KEYS))  # the other node
    group.says(2, 1, 2)
    eventually(lambda: group.uses(1, 2))
    remember_all()


@pytest.mark.parametrize("mood", ["silent", "slow", "closed", "garbage"])
def test_a_bad_endpoint_leaves_the_nodes_and_holds_nobody(
    group: Group, visitors: None, mood: str
) -> None:
    remember_all()
    group.endpoint.mood = mood
    group.says(2, 2)
    group.asked_again()
    started = time.monotonic()
    assert found() == set(KEYS)
    assert time.monotonic() - started < SOON
    assert group.uses(0, 1)
    group.endpoint.mood = "fine"
    eventually(lambda: group.uses(2))


def test_a_version_that_does_not_grow_changes_nothing(group: Group) -> None:
    group.says(1, 2)
    group.asked_again(LOWER_TIMES + 2)
    assert group.uses(0, 1)


def test_a_cluster_made_anew_is_taken_after_a_while(group: Group) -> None:
    group.says(7, 0, 1, 2)
    eventually(lambda: group.uses(0, 1, 2))
    group.says(2, 2)
    group.asked_again(LOWER_TIMES - 1)
    assert group.uses(0, 1, 2)
    eventually(lambda: group.uses(2))


def test_nothing_is_known_until_the_endpoint_speaks(group: Group) -> None:
    group.endpoint.mood = "silent"
    started = time.monotonic()
    cache.configure(group.settings)
    assert cache.fragments.get_or_create("key", lambda: "made") == "made"
    assert time.monotonic() - started < SOON
    assert known() == ()
    group.endpoint.mood = "fine"
    eventually(lambda: group.uses(0, 1))


def child_follows(group: Group) -> int:
    """0 when all was well. Nothing may leave it: the child would go on as a second pytest."""
    try:
        remember_all()
        assert group.uses(0, 1)
        eventually(lambda: group.uses(1, 2), within=10)
    except BaseException:  # noqa: BLE001
        return 1
    return 0


def test_a_forked_process_starts_with_the_nodes_and_asks_for_itself(group: Group) -> None:
    group.endpoint.mood = "silent"
    group.asked_again()
    child = os.fork()
    if child == 0:
        os._exit(child_follows(group))
    time.sleep(1)
    group.says(2, 1, 2)
    group.endpoint.mood = "fine"
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_nodes_that_cannot_be_used_do_not_end_the_questions(group: Group) -> None:
    asked: list[object] = []

    def make(nodes: Sequence[str]) -> HashClient:
        if nodes:
            asked.append(nodes)
        if len(asked) == 1:
            raise ValueError(nodes)
        return HashClient(nodes)

    client = DiscoveredClient(group.settings.memcached_discovery, make, 0.2)
    eventually(lambda: client.cluster and client.cluster.nodes == group.names(0, 1))
    client.close()


def test_a_closed_client_asks_no_more(group: Group) -> None:
    client = cache.memcached_client(group.settings)
    assert isinstance(client, DiscoveredClient)
    threads = [t for t in threading.enumerate() if t.name == "memcached-discovery"]
    client.close()
    eventually(
        lambda: sum(t.name == "memcached-discovery" for t in threading.enumerate())
        == len(threads) - 1
    )


def test_the_whole_answer_has_one_bound() -> None:
    with endpoint() as (given, address):
        given.mood = "slow"
        given.says(1, [11211] * 20)
        started = time.monotonic()
        with pytest.raises(OSError, match="timed out"):
            ask(address, 0.5)
        assert time.monotonic() - started < SOON


def test_an_answer_is_read_as_the_service_writes_it() -> None:
    said = (
        b"CONFIG cluster 0 134\r\n12\n"
        b"stack.0001.use1.cache.example.org|10.82.235.120|11211 "
        b"stack.0002.use1.cache.example.org||11211\n\r\nEND\r\n"
    )
    nodes = ("10.82.235.120:11211", "stack.0002.use1.cache.example.org:11211")
    assert parse(said) == Cluster(12, nodes)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"12\n\n",
        b"12\n \n",
        b"x\nh|10.0.0.1|11211\n",
        b"-1\nh|10.0.0.1|11211\n",
        b"12\nh|10.0.0.1\n",
        b"12\nh|10.0.0.1|0\n",
        b"12\nh|10.0.0.1|99999\n",
        b"12\nh|10.0.0.1|11211 nonsense\n",
        b"12\nh |10.0.0.1|11211\n",
        b"12\n\xff|10.0.0.1|11211\n",
    ],
)
def test_nonsense_is_no_cluster(body: bytes) -> None:
    with pytest.raises(DiscoveryError, match="expected CONFIG cluster"):
        parse(b"CONFIG cluster 0 9\r\n" + body + b"\r\nEND\r\n")
