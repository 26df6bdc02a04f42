"""Buyers of tickets: one at a time, or a crowd. Each behaves as a person with a browser does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.trust.stack.plugins.module_utils.buyer import BuyerError, NoPlacesError

from support.stack import Stack

RELEASE = "Standing"


@dataclass
class Outcome:
    """How a crowd fared."""

    confirmed: list[str] = field(default_factory=list)   # references of orders that their buyers saw confirmed
    told: list[str] = field(default_factory=list)        # plainly told that there are no places
    away: list[str] = field(default_factory=list)        # told to try again later (502, 503, 504, no connection)
    broken: list[str] = field(default_factory=list)      # anything else

    def __str__(self) -> str:
        text = f"{len(self.confirmed)} confirmed, {len(self.told)} told there are no places, {len(self.away)} asked to come again"
        return text + (f", {len(self.broken)} broken: {self.broken[:3]}" if self.broken else "")


class Buyers:
    """Buyers of one release of one event, with addresses that no other test uses."""

    def __init__(self, stack: Stack, event: str, name: str) -> None:
        self.stack, self.event, self.name = stack, event, name
        self.addresses: dict[str, str] = {}   # reference to e-mail

    def buy(self, number: int, timeout: float = 60) -> str:
        """Reserve and confirm one ticket; the order's reference."""
        shop = self.stack.shop(timeout)
        reference = shop.reserve(self.event, RELEASE)
        email = f"{self.name}-{number}@example.org"
        shop.confirm(reference, f"Buyer {number}", email)
        self.addresses[reference] = email
        return reference

    def confirm(self, count: int) -> list[str]:
        return [self.buy(number) for number in range(count)]

    def rush(self, crowd: int, timeout: float = 60) -> Outcome:
        """All at once: nobody sends the first request before everybody stands ready."""
        outcome, ready = Outcome(), threading.Barrier(crowd)

        def one(number: int) -> None:
            ready.wait()
            try:
                outcome.confirmed.append(self.buy(number, timeout))
            except NoPlacesError as exc:
                outcome.told.append(str(exc))
            except BuyerError as exc:
                away = any(word in str(exc.found) for word in ("502", "503", "504", "Error", "error", "timed out"))
                (outcome.away if away else outcome.broken).append(str(exc))

        with ThreadPoolExecutor(crowd) as pool:
            list(pool.map(one, range(crowd)))
        return outcome

    def wait_for_mails(self, references: list[str], seconds: float = 120) -> None:
        """Until each of these orders has its ticket and exactly one mail."""
        shop, inbox = self.stack.shop(), self.stack.inbox()
        for reference in references:
            shop.wait_until_processed(reference, timeout=seconds)
        for reference in references:
            email = self.addresses[reference]
            inbox.wait_for(email, timeout=seconds)
        for reference in references:
            mails = inbox.messages(self.addresses[reference])
            assert len(mails) == 1, f"order {reference}: {len(mails)} mails to {self.addresses[reference]}, expected exactly one"

    def sold(self) -> int:
        """Places of the event that are sold, counted in the database by its tickets."""
        query = (
            "select count(*) from ticket join orders on orders.id = ticket.order_id join event on event.id = orders.event_id "
            f"where event.slug = '{self.event}'"
        )
        return int(self.stack.query(query))


def buy_one(stack: Stack, event: str, name: str, seconds: float = 60) -> str:
    """Buy one ticket, whatever is broken just now, and see its one mail; the reference."""
    buyers = Buyers(stack, event, name)
    reference = buyers.buy(0, timeout=seconds)
    buyers.wait_for_mails([reference], seconds)
    return reference
