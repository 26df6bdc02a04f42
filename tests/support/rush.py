"""A load of several steady clients at once, and a ledger of tasks: what a scale-down or a deploy must not disturb."""

from __future__ import annotations

import threading
import time
import urllib.request
from dataclasses import dataclass
from itertools import count

from .prober import Prober, Report
from .stack import Stack, wait_until


@dataclass(frozen=True)
class Kind:
    path: str
    rate: float  # a second
    timeout: float = 15
    connections: int = 0  # kept alive; 0: each request has one of its own


class Rush:
    """Pages, slow pages and, every `task_every` seconds, a task of `task_seconds`; from entering until leaving."""

    def __init__(self, stack: Stack, kinds: list[Kind], task_every: float = 0, task_seconds: float = 30, first_task: int = 0) -> None:
        self.stack, self.task_every, self.task_seconds = stack, task_every, task_seconds
        self.clients = {kind.path: Prober(stack.url + kind.path, kind.rate, kind.timeout, connections=kind.connections) for kind in kinds}
        self.sent: list[int] = []
        self.refused: list[str] = []
        self._numbers = count(first_task or int(time.time()) % 1_000_000 * 1000)  # the ledger remembers earlier ones
        self._stop = threading.Event()
        self._owing = threading.Thread(target=self._owe, daemon=True)

    def __enter__(self) -> Rush:
        if self.task_every:
            urllib.request.urlopen(f"{self.stack.url}/slow-ledger", timeout=10).read()
            self._owing.start()
        for client in self.clients.values():
            client.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for client in self.clients.values():
            client.__exit__(*exc)
        if self.task_every:
            self._owing.join()

    def _owe(self) -> None:
        while not self._stop.is_set():
            number = next(self._numbers)
            try:
                urllib.request.urlopen(f"{self.stack.url}/slow-task/{number}/{self.task_seconds:g}", timeout=15).read()
                self.sent.append(number)
            except OSError as exc:
                self.refused.append(f"task {number}: {exc}")
            self._stop.wait(self.task_every)

    @property
    def reports(self) -> dict[str, Report]:
        return {path: client.report for path, client in self.clients.items()}

    @property
    def failed(self) -> list[tuple[str, float, str]]:
        return [(path, *problem) for path, report in self.reports.items() for problem in report.failed]

    def settled(self, seconds: float = 240) -> dict[int, tuple[int, int]]:
        """Once every task has ended: number -> (times begun, times ended)."""
        wanted = set(self.sent)
        wait_until(lambda: wanted <= {n for n, (_b, ended) in self.ledger().items() if ended}, "every task has ended", seconds, pause=2)
        return {number: found for number, found in self.ledger().items() if number in wanted}

    def ledger(self) -> dict[int, tuple[int, int]]:
        text = self.stack.query("SELECT GROUP_CONCAT(CONCAT(number, ':', begun, ':', ended)) FROM (SELECT number, SUM(step='begin') AS begun, "
                                "SUM(step='end') AS ended FROM slow_ledger GROUP BY number) AS one")
        rows = [row.split(":") for row in text.split(",")] if text not in ("None", "") else []
        return {int(number): (int(begun), int(ended)) for number, begun, ended in rows}

    def __str__(self) -> str:
        return "; ".join(f"{path}: {report}" for path, report in self.reports.items()) + (f"; {len(self.sent)} tasks" if self.task_every else "")
