"""Two cache regions: `objects` in Redis (through Sentinel), `fragments` in Memcached.

A cache is a help, never a need: with its servers dead or frozen a region answers "not there",
soon. Values are JSON, for whoever can write to a cache must not be able to run code here.
"""

import hashlib
import json
import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import redis
from dogpile.cache import make_region, register_backend
from dogpile.cache.api import NO_VALUE, BytesBackend, CantDeserializeException
from dogpile.cache.backends.null import NullLock
from pymemcache.client.hash import HashClient
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from boxoffice.celery_app import redis_tls, sentinel_kwargs
from boxoffice.config import Settings
from boxoffice.discovery import Cluster, DiscoveredClient

log = logging.getLogger(__name__)
T = TypeVar("T")

REDIS_DB = 1
# Redis evicts only keys that carry a time to live: every cached value does.
KEEP_SECONDS = 3600
REDIS_TIMEOUT = 0.25
SENTINEL_TIMEOUT = 0.2
MEMCACHED_TIMEOUT = 0.2
MEMCACHED_DEAD_SECONDS = 30
PAUSE = 2.0  # after a failure the store is left alone for so long
LONGEST_KEY = 200


class Breaker:
    """After a failure: a pause without tries, then one caller tries while the others still wait."""

    def __init__(self, pause: float = PAUSE, clock: Callable[[], float] = time.monotonic) -> None:
        self.pause = pause
        self.clock = clock
        self.closed_at: float | None = None

    @property
    def is_open(self) -> bool:
        return self.closed_at is not None and self.clock() < self.closed_at

    def call(self, fn: Callable[[], T], default: T) -> T:
        if self.is_open:
            return default
        if self.closed_at is not None:
            self.closed_at = self.clock() + self.pause
        try:
            result = fn()
        except Exception as exc:  # noqa: BLE001 - whatever the store says, the page must be made
            self.closed_at = self.clock() + self.pause
            log.warning("cache.failed error=%r", exc)
            return default
        self.closed_at = None
        return result


class Store(ABC, BytesBackend):
    """A dogpile backend that cannot raise. It has no distributed lock: a lock can hang."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.client = arguments["client"]
        self.breaker = Breaker()

    @abstractmethod
    def read(self, keys: Sequence[str]) -> list[bytes | None]: ...

    @abstractmethod
    def write(self, values: Mapping[str, bytes]) -> None: ...

    @abstractmethod
    def remove(self, keys: Sequence[str]) -> None: ...

    def get_mutex(self, key: str) -> Any:  # noqa: ARG002
        # None is dogpile's lock among this process's threads: one of them makes the value. With
        # the store away there is no value to wait for, and they must not queue up.
        return NullLock() if self.breaker.is_open else None

    def get_serialized(self, key: str) -> Any:
        return self.get_serialized_multi([key])[0]

    def get_serialized_multi(self, keys: Iterable[str]) -> list[Any]:
        wanted = list(keys)
        nothing: list[bytes | None] = [None] * len(wanted)
        found = self.breaker.call(lambda: self.read(wanted), nothing)
        return [value if _is_ours(value) else NO_VALUE for value in found]

    def set_serialized(self, key: str, value: bytes) -> None:
        self.set_serialized_multi({key: value})

    def set_serialized_multi(self, mapping: Mapping[str, bytes]) -> None:
        self.breaker.call(lambda: self.write(mapping), None)

    def delete(self, key: str) -> None:
        self.delete_multi([key])

    def delete_multi(self, keys: Iterable[str]) -> None:
        wanted = list(keys)
        self.breaker.call(lambda: self.remove(wanted), None)


class RedisStore(Store):
    def read(self, keys: Sequence[str]) -> list[bytes | None]:
        with self.fresh_pool():
            return list(self.client.mget(keys))

    def write(self, values: Mapping[str, bytes]) -> None:
        with self.fresh_pool(), self.client.pipeline(transaction=False) as pipe:
            for key, value in values.items():
                pipe.set(key, value, ex=KEEP_SECONDS)
            pipe.execute()

    def remove(self, keys: Sequence[str]) -> None:
        with self.fresh_pool():
            self.client.delete(*keys)

    @contextmanager
    def fresh_pool(self) -> Iterator[None]:
        """A connection that failed, or whose server is the primary no more, takes the idle ones
        along: they lead to the same place, and each would cost a pause of its own."""
        try:
            yield
        except (redis.ConnectionError, redis.TimeoutError, redis.ReadOnlyError):
            self.client.connection_pool.disconnect(inuse_connections=False)
            raise


class MemcachedStore(Store):
    # The client itself keeps a dead node out of the ring: it neither raises nor asks it again soon.
    def read(self, keys: Sequence[str]) -> list[bytes | None]:
        if len(keys) == 1:
            return [self.client.get(keys[0])]
        found = self.client.get_many(keys)
        return [found.get(key) for key in keys]

    def write(self, values: Mapping[str, bytes]) -> None:
        self.client.set_many(dict(values), expire=KEEP_SECONDS)

    def remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.client.delete(key)


def redis_client(settings: Settings) -> redis.Redis:
    """A client of the cache's database on the present master, with one short try for each step."""
    options: dict[str, Any] = {
        "socket_timeout": REDIS_TIMEOUT,
        "socket_connect_timeout": REDIS_TIMEOUT,
        "retry": Retry(NoBackoff(), 0),
    }
    if settings.redis_url:
        parsed = redis.connection.parse_url(settings.redis_url)
        own = {"db": REDIS_DB, **redis_tls(settings), **options}
        return redis.Redis.from_pool(redis.ConnectionPool(**{**parsed, **own}))
    sentinel = Sentinel(
        settings.redis_sentinels,
        sentinel_kwargs=sentinel_kwargs(settings, timeout=SENTINEL_TIMEOUT),
        password=settings.redis_password or None,
        db=REDIS_DB,
        **options,
    )
    client: redis.Redis = sentinel.master_for(settings.redis_master)
    return client


def memcached_client(
    settings: Settings, known: Cluster | None = None
) -> HashClient | DiscoveredClient:
    """`known`: nodes to begin with, where an endpoint is asked for them."""
    if settings.memcached_discovery:
        every = settings.memcached_discovery_seconds
        return DiscoveredClient(settings.memcached_discovery, _memcached_ring, every, known)
    return _memcached_ring(settings.memcached)


def _memcached_ring(nodes: Sequence[str]) -> HashClient:
    return HashClient(
        nodes,
        connect_timeout=MEMCACHED_TIMEOUT,
        timeout=MEMCACHED_TIMEOUT,
        no_delay=True,
        use_pooling=True,  # a connection for each thread
        ignore_exc=True,
        retry_attempts=0,
        dead_timeout=MEMCACHED_DEAD_SECONDS,
    )


def configure(settings: Settings, known: Cluster | None = None) -> None:
    """Point the regions at their servers. Before this they are empty and forget everything."""
    global _settings  # noqa: PLW0603
    _settings = settings
    _point(objects, "boxoffice.redis", redis_client(settings))
    if settings.memcached or settings.memcached_discovery:
        _point(fragments, "boxoffice.memcached", memcached_client(settings, known))
    else:
        _point(fragments, "dogpile.cache.null", None)


def _point(region: Any, backend: str, client: Any) -> None:
    if region.is_configured and isinstance(region.backend, Store):
        region.backend.client.close()
    region.configure(backend, arguments={"client": client}, replace_existing_backend=True)


def _after_fork() -> None:
    # Two processes on one connection would read each other's answers.
    if _settings is not None:
        client = getattr(fragments.backend, "client", None)
        known = client.cluster if isinstance(client, DiscoveredClient) else None
        configure(_settings, known)


def _key(key: str) -> str:
    plain = key.isascii() and key.isprintable() and " " not in key and len(key) <= LONGEST_KEY
    return f"bo1:{key}" if plain else f"bo1:{hashlib.sha256(key.encode()).hexdigest()}"


def _is_ours(value: bytes | None) -> bool:
    return isinstance(value, bytes) and value.startswith(b"{") and b"|" in value


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _load(value: bytes) -> Any:
    try:
        return json.loads(value)
    except ValueError as exc:
        raise CantDeserializeException from exc


_settings: Settings | None = None
register_backend("boxoffice.redis", __name__, "RedisStore")
register_backend("boxoffice.memcached", __name__, "MemcachedStore")
objects = make_region("objects", key_mangler=_key, serializer=_dump, deserializer=_load)
fragments = make_region("fragments", key_mangler=_key, serializer=_dump, deserializer=_load)
for _region in (objects, fragments):
    _point(_region, "dogpile.cache.null", None)
os.register_at_fork(after_in_child=_after_fork)
