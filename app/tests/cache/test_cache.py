import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from dogpile.cache import CacheRegion
from tests.cache.servers import eventually, memcached_server, redis_server

from boxoffice import cache
from boxoffice.cache import Breaker
from boxoffice.config import Settings

# A frozen cache costs a page a fraction of a second; without a bound it would cost it for ever.
SOON = 2.0


@pytest.fixture(autouse=True)
def _restore(settings: Settings) -> Iterator[None]:
    cache.configure(settings)
    yield
    cache.configure(settings)


@pytest.fixture(params=["objects", "fragments"])
def region(request: pytest.FixtureRequest, clean: None) -> object:
    return getattr(cache, request.param)


def answers(region: object, made: str, known: str) -> None:
    """Every call that pages make, each soon and without an error."""
    calls = [
        lambda: region.get_or_create("key", lambda: made) in (made, known),
        lambda: region.set("key", made) is None,
        lambda: region.delete("key") is None,
        lambda: len(region.get_multi(["key", "other"])) == 2,
    ]
    for call in calls:
        started = time.monotonic()
        assert call()
        assert time.monotonic() - started < SOON


def test_a_value_is_made_once_and_then_remembered(region: object) -> None:
    made = []
    for _ in range(3):
        got = region.get_or_create("a key, with blanks and ümlauts", lambda: made.append(1) or [1])
        assert got == [1]
    assert made == [1]


def test_each_region_has_its_own_values(clean: None) -> None:
    cache.objects.set("key", "object")
    cache.fragments.set("key", "fragment")
    assert cache.objects.get("key") == "object"
    assert cache.fragments.get("key") == "fragment"


def test_every_redis_key_may_be_evicted_and_the_brokers_database_is_left_alone(
    settings: Settings, clean: None
) -> None:
    cache.objects.set("key", 1)
    cache.objects.set_multi({"one": 1, "two": 2})
    client = cache.redis_client(settings)
    assert set(client.info("keyspace")) == {"db1"}
    assert [key for key in client.scan_iter() if client.ttl(key) <= 0] == []
    client.close()


def test_foreign_bytes_are_no_value(settings: Settings, clean: None) -> None:
    client = cache.redis_client(settings)
    for foreign in (b"", b"\x80\x04.", b"{}|\x80\x04.", b"{}|{"):
        client.set("bo1:key", foreign)
        assert cache.objects.get_or_create("key", lambda: "made") == "made"
    client.close()


def test_redis_frozen_killed_and_back(settings: Settings, clean: None) -> None:
    with redis_server() as server:
        cache.configure(replace(settings, redis_url=f"redis://127.0.0.1:{server.port}/0"))
        cache.objects.set("key", "known")
        server.freeze()
        answers(cache.objects, "made", "known")
        server.thaw()
        time.sleep(cache.PAUSE)
        cache.objects.set("key", "known")
        assert cache.objects.get("key") == "known"
        server.kill()
        answers(cache.objects, "made", "known")


def knows(region: CacheRegion, keys: list[str]) -> bool:
    region.set_multi(dict.fromkeys(keys, "known"))
    return region.get_multi(keys) == ["known"] * len(keys)


def test_memcached_frozen_and_killed(settings: Settings, clean: None) -> None:
    with memcached_server() as one, memcached_server() as two:
        nodes = (f"127.0.0.1:{one.port}", f"127.0.0.1:{two.port}")
        cache.configure(replace(settings, memcached=nodes))
        keys = [f"key{n}" for n in range(20)]
        one.freeze()
        started = time.monotonic()
        cache.fragments.set_multi(dict.fromkeys(keys, "known"))
        answers(cache.fragments, "made", "known")
        assert time.monotonic() - started < SOON
        eventually(lambda: knows(cache.fragments, keys))  # the other node takes over the whole ring
        two.kill()
        answers(cache.fragments, "made", "known")


def test_a_frozen_sentinel_does_not_hold_a_page(settings: Settings, clean: None) -> None:
    with redis_server() as silent:
        silent.freeze()
        sentinels = (("127.0.0.1", silent.port),) * 3
        cache.configure(
            replace(settings, redis_url="", redis_master="stack", redis_sentinels=sentinels)
        )
        answers(cache.objects, "made", "known")


def test_without_configuration_the_regions_are_empty() -> None:
    # a new process: this one is configured
    code = (
        "from boxoffice import cache\n"
        "for region in (cache.objects, cache.fragments):\n"
        "    region.set('key', 1)\n"
        "    assert region.get_or_create('key', lambda: 2) == 2\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603


def test_a_forked_process_has_connections_of_its_own(clean: None) -> None:
    cache.fragments.set("key", "known")
    # a write waits for no answer: only after this can another connection see it
    eventually(lambda: cache.fragments.get("key") == "known", within=5)
    parents = cache.fragments.backend.client
    child = os.fork()
    if child == 0:
        same = cache.fragments.backend.client is parents
        os._exit(1 if same or cache.fragments.get("key") != "known" else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert cache.fragments.get("key") == "known"


def test_the_breaker_pauses_then_lets_one_try() -> None:
    now = [0.0]
    breaker = Breaker(pause=2, clock=lambda: now[0])
    tries = []

    def fail() -> str:
        tries.append(now[0])
        raise OSError

    assert breaker.call(fail, "default") == "default"
    now[0] = 1.9
    assert breaker.call(fail, "default") == "default"
    now[0] = 2.1
    # while the one tries, the others wait no more than before
    assert breaker.call(lambda: breaker.call(fail, "others"), "default") == "others"
    assert tries == [0.0]
    assert not breaker.is_open
