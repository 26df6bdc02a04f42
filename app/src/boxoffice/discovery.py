"""Memcached nodes that come and go: one address is asked, now and then, which nodes there are.

The address answers `config get cluster` with a version and the nodes. A thread asks it, so no
request ever waits for it; whatever goes wrong there, the nodes known last stay in use.
"""

import logging
import os
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pymemcache.client.hash import HashClient

log = logging.getLogger(__name__)

ASK_SECONDS = 2.0  # for the connection and the whole answer
FIRST_SECONDS = 5.0  # between tries while no node is known
LONGEST_ANSWER = 65536  # bytes
# Calls on the nodes of before end within this: each has timeouts of a fraction of a second.
GRACE_SECONDS = 2.0
# A version below the known one is a node that lags behind, unless it stays: then the cluster was
# made anew, and its versions start at 1 again.
LOWER_TIMES = 3

_HEAD = b"CONFIG cluster "
_END = b"END\r\n"
_ANSWER = re.compile(
    rb"CONFIG cluster \d+ \d+\r\n(?P<version>\d{1,18})\n(?P<nodes>[^\r\n]+)\n\r?\nEND\r\n"
)
_NODE = re.compile(r"(?P<host>[A-Za-z0-9.-]+)\|(?P<ip>[0-9A-Fa-f.:]*)\|(?P<port>[0-9]{1,5})")


class DiscoveryError(Exception):
    """The endpoint was reached and gave no list of nodes; the text says what it gave."""


@dataclass(frozen=True)
class Cluster:
    """`nodes`: each as host:port, sorted."""

    version: int
    nodes: tuple[str, ...]


def ask(endpoint: str, seconds: float = ASK_SECONDS) -> Cluster:
    """What `endpoint` (host:port) says now. OSError or DiscoveryError, after `seconds` at most
    (and the time to look up its name)."""
    host, _, port = endpoint.rpartition(":")
    end = time.monotonic() + seconds
    with socket.create_connection((host, int(port)), seconds) as sock:
        sock.sendall(b"config get cluster\r\n")
        answer = b""
        while not answer.endswith(_END):
            # one timeout for all of it: an endpoint may send a byte each second
            sock.settimeout(max(end - time.monotonic(), 0.001))
            part = sock.recv(4096)
            answer += part
            start = answer[: len(_HEAD)]
            if not part or not _HEAD.startswith(start) or len(answer) > LONGEST_ANSWER:
                break
    return parse(answer)


def parse(answer: bytes) -> Cluster:
    """DiscoveryError when the answer is anything but a version and one or more nodes."""
    found = _ANSWER.fullmatch(answer)
    entries = found["nodes"].decode("ascii", "replace").split() if found else []
    nodes = [_NODE.fullmatch(entry) for entry in entries]
    if not found or not nodes or not all(node and 0 < int(node["port"]) < 65536 for node in nodes):
        raise DiscoveryError(f"found {answer[:100]!r}, expected CONFIG cluster and its nodes")
    # The address rather than the name: a request must not wait for a name to be looked up.
    names = {f"{node['ip'] or node['host']}:{node['port']}" for node in nodes if node}
    return Cluster(int(found["version"]), tuple(sorted(names)))


class DiscoveredClient:
    """A HashClient whose nodes follow the cluster. Close it, or its thread asks for ever.

    A changed cluster is a new HashClient, put in place by one assignment: a call on another
    thread goes on with the one it has. Nodes are placed by their address, so the keys of those
    that stay do not move.
    """

    def __init__(
        self,
        endpoint: str,
        make: Callable[[Sequence[str]], HashClient],
        every: float,
        known: Cluster | None = None,
    ) -> None:
        """`every`: seconds from one question to the next, at most. `known`: nodes until then."""
        self.endpoint = endpoint
        self.every = every
        self.cluster = known
        self._make = make
        self._ring = make(known.nodes if known else ())
        self._failing = False
        self._lower: list[int] = []
        self._pid = os.getpid()
        self._stop = threading.Event()
        threading.Thread(target=self._run, name="memcached-discovery", daemon=True).start()

    def get(self, key: str) -> Any:
        return self._ring.get(key)

    def get_many(self, keys: Sequence[str]) -> Any:
        return self._ring.get_many(keys)

    def set_many(self, values: dict[str, bytes], expire: int) -> Any:
        return self._ring.set_many(values, expire=expire)

    def delete(self, key: str) -> Any:
        return self._ring.delete(key)

    def flush_all(self) -> None:
        self._ring.flush_all()

    def close(self) -> None:
        # In a fork the thread is not there, and the event's lock may have been held meanwhile.
        if self._pid == os.getpid():
            self._stop.set()
        self._ring.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            started = time.monotonic()
            self._refresh()
            every = self.every if self.cluster else min(self.every, FIRST_SECONDS)
            # Not all processes at once, and done within `every` also when the answer is slow.
            pause = every * random.uniform(0.8, 0.95)  # noqa: S311
            self._stop.wait(max(pause - (time.monotonic() - started), 0.1))

    def _refresh(self) -> None:
        try:
            found = ask(self.endpoint)
            if self._is_news(found):
                self._use(found)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the known nodes stay
            if not self._failing:
                log.warning("memcached.discovery_failed endpoint=%s error=%r", self.endpoint, exc)
            self._failing = True
        else:
            self._failing = False

    def _is_news(self, found: Cluster) -> bool:
        if self.cluster is None or found.version > self.cluster.version:
            return True
        if found.version == self.cluster.version:
            self._lower = []
            return False
        self._lower.append(found.version)
        return len(self._lower) >= LOWER_TIMES

    def _use(self, found: Cluster) -> None:
        before, same = self._ring, self.cluster and self.cluster.nodes == found.nodes
        if not same:
            self._ring = self._make(found.nodes)
        self.cluster, self._lower = found, []
        if same:
            return
        log.info("memcached.nodes version=%s nodes=%s", found.version, ",".join(found.nodes))
        # Closed later: closing takes also those connections that are in use at this moment.
        self._stop.wait(GRACE_SECONDS)
        before.close()
