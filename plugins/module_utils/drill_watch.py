# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Buyers who buy and a reader who reads while something fails, and the ledger of what was confirmed to them."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from .buyer import FREE, BuyerError, Inbox, Shop
from .direct import opened
from .drilling import Drill, Ledger, Try

PAGES = 10  # a second
PAGE_PATIENCE = 3.0  # seconds; who waits longer for a page has gone
MOST = 300  # customers who wait at once
ASKING = 8  # how many look into the ledger at once


class Watch:
    """A context manager: within it customers come at a steady rate, whatever becomes of those before them. `fault()` says from where the times count."""

    def __init__(self, drill: Drill, shop_url: str, slug: str, rate: float) -> None:
        self.drill, self.shop_url, self.slug, self.rate = drill, shop_url.rstrip("/"), slug, rate
        self.run = uuid.uuid4().hex[:8]
        self._zero = time.monotonic()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._waiting: dict[int, float] = {}  # customer: when he came, by the clock
        self._pool = ThreadPoolExecutor(MOST)
        self._gates = [threading.Thread(target=self._come, args=words, daemon=True) for words in ((rate, self._buy), (PAGES, self._page))]

    def __enter__(self) -> Watch:
        for gate in self._gates:
            gate.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Waits for who is still buying: what he is told counts. The limit ends that."""
        self._ended.set()
        for gate in self._gates:
            gate.join()
        self._pool.shutdown(wait=True)

    def now(self) -> float:
        return time.monotonic() - self._zero

    def waits_since(self) -> float:
        """When he came who waits longest; now when nobody waits."""
        with self._lock:
            return min(self._waiting.values(), default=time.monotonic()) - self._zero

    def fault(self) -> None:
        """Time counts from here."""
        with self._lock:
            passed = self.now()
            self._zero += passed
            for kept in (self.drill.pages, self.drill.orders):
                kept[:] = [replace(one, begun=one.begun - passed, ended=one.ended - passed) for one in kept]
            self.drill.timeline[:] = [(at - passed, what) for at, what in self.drill.timeline]

    def happened(self, what: str) -> float:
        at = self.now()
        self.drill.timeline.append((at, what))
        return at

    def _come(self, rate: float, what: Callable[[int], None]) -> None:
        number, began = 0, time.monotonic()
        while not self._ended.wait(max(0.0, began + number / rate - time.monotonic())):
            number += 1
            self._pool.submit(what, number)

    def _note(self, kept: list[Try], began: float, problem: str, reference: str = "", email: str = "") -> None:
        """`began` by the clock, for what counts as zero may change meanwhile."""
        with self._lock:
            kept.append(Try(began - self._zero, self.now(), problem, reference, email))

    def _buy(self, number: int) -> None:
        email = f"drill-{self.run}-{number}@check.example.org"
        began, reference, problem = time.monotonic(), "", ""
        with self._lock:
            self._waiting[number] = began
        try:
            shop = Shop(self.shop_url, self.drill.limit)
            reference = shop.reserve(self.slug, FREE)
            shop.confirm(reference, f"Drill {self.run}", email)
        except BuyerError as exc:
            problem = str(exc)
        self._note(self.drill.orders, began, problem, reference, email)
        with self._lock:
            del self._waiting[number]

    def _page(self, _number: int) -> None:
        began, problem = time.monotonic(), ""
        try:
            with opened(f"{self.shop_url}/e/{self.slug}", timeout=PAGE_PATIENCE) as answer:
                answer.read()
        except (OSError, ValueError) as exc:
            problem = f"{self.shop_url}/e/{self.slug}: {exc}"
        self._note(self.drill.pages, began, problem)


def audit(shop_url: str, inbox_url: str, orders: Iterable[Try], title: str, patience: float) -> Ledger:
    """Look for each order that was confirmed: is it paid, has it a ticket, and (where mails can be read) one mail."""
    confirmed = [one for one in orders if not one.problem]
    end = time.monotonic() + patience

    def left() -> float:
        return max(1.0, end - time.monotonic())

    def one_order(order: Try) -> str:
        try:
            shop = Shop(shop_url, left())
            if shop.order(order.reference)["state"] != "paid":
                return "lost"
        except BuyerError:
            return "lost"
        try:
            shop.wait_until_processed(order.reference, left())
        except BuyerError:
            return "without_ticket"
        return ""

    def mails(order: Try) -> str:
        inbox = Inbox(inbox_url, left())
        try:
            inbox.wait_for(order.email, title, left())
        except BuyerError:
            return "without_mail"
        return "mailed_twice" if len(inbox.messages(order.email)) > 1 else ""

    found = _sorted_by(one_order, confirmed)
    if inbox_url:
        lost = {*found.get("lost", ()), *found.get("without_ticket", ())}
        found |= _sorted_by(mails, [one for one in confirmed if one.reference not in lost])
    found.pop("", None)
    return Ledger(len(confirmed), **found)


def _sorted_by(judge: Callable[[Try], str], orders: Iterable[Try]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    orders = list(orders)
    with ThreadPoolExecutor(ASKING) as pool:
        for order, word in zip(orders, pool.map(judge, orders), strict=True):
            found.setdefault(word, []).append(order.reference)
    return found
