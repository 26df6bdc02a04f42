"""A steady client: requests at a fixed rate, whatever becomes of the earlier ones, each on a connection of its own."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from urllib.parse import urlsplit


@dataclass
class Report:
    """What the client saw; times are seconds since it began."""

    sent: int = 0
    failed: list[tuple[float, str]] = field(default_factory=list)
    good: list[float] = field(default_factory=list)
    slowest: float = 0.0

    def longest_gap(self) -> float:
        """Longest time between two requests that went well."""
        good = sorted(self.good)
        return max((b - a for a, b in pairwise(good)), default=0.0)

    def __str__(self) -> str:
        return f"{self.sent} requests, {len(self.failed)} failed, longest gap {self.longest_gap():.2f} s, slowest answer {self.slowest:.2f} s"


class Prober:
    """GETs one page at `rate` a second from entering until leaving; then `report` is complete.

    With `connections` the requests share so many, which are kept alive; else each has one of its own.
    """

    def __init__(self, url: str, rate: float = 20, timeout: float = 10, connections: int = 0) -> None:
        parts = urlsplit(url)
        self.host, self.path = parts.netloc, parts.path or "/"
        self.rate, self.timeout = rate, timeout
        self.connections = connections
        self.report = Report()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._open: list[threading.Thread] = []

    def __enter__(self) -> Prober:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        self._thread.join()
        for thread in self._open:
            thread.join()

    def _run(self) -> None:
        if self.connections:
            self._open = [threading.Thread(target=self._keep, args=(one,), daemon=True) for one in range(self.connections)]
            for thread in self._open:
                thread.start()
            return
        number = 0
        while not self._stop.wait(max(0.0, self._began + number / self.rate - time.monotonic())):
            number += 1
            thread = threading.Thread(target=self._one, daemon=True)
            thread.start()
            self._open = [t for t in self._open if t.is_alive()] + [thread]

    def _keep(self, one: int) -> None:
        """One connection's share of the rate; it is opened anew only after a failure."""
        pause = self.connections / self.rate
        connection = http.client.HTTPConnection(self.host, timeout=self.timeout)
        number = 0
        while not self._stop.wait(max(0.0, self._began + (number + one / self.connections) * pause - time.monotonic())):
            number += 1
            self._ask(connection, {})
        connection.close()

    def _one(self) -> None:
        connection = http.client.HTTPConnection(self.host, timeout=self.timeout)
        self._ask(connection, {"Connection": "close"})
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, headers: dict[str, str]) -> None:
        began = time.monotonic()
        problem = ""
        try:
            connection.request("GET", self.path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                problem = f"status {answer.status}"
        except (OSError, http.client.HTTPException) as exc:
            problem = f"{type(exc).__name__}: {exc}"
            connection.close()
        ended = time.monotonic()
        with self._lock:
            self.report.sent += 1
            if problem:
                self.report.failed.append((began - self._began, problem))
            else:
                self.report.good.append(ended - self._began)
                self.report.slowest = max(self.report.slowest, ended - began)
