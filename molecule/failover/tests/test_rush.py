"""200 buyers at once for 50 places."""

from __future__ import annotations

import sys
import threading
import time

from support.buyers import Buyers
from support.stack import Stack

PLACES, CROWD = 50, 200


def event(stack: Stack, title: str) -> str:
    shop = stack.shop()
    shop.sign_in(*stack.organiser)
    return shop.ensure_event(title, [{"name": "Standing", "price_cents": 0, "capacity": PLACES}], title.lower().replace(" ", "-"))


def test_rush_sells_every_place_once(stack: Stack) -> None:
    stack.wait_until_whole()
    buyers = Buyers(stack, event(stack, f"Rush {int(time.time())}"), f"rush-{int(time.time())}")
    outcome = buyers.rush(CROWD)
    print(f"\n    rush: {outcome}", file=sys.stderr)
    assert len(outcome.confirmed) == PLACES
    assert len(outcome.told) == CROWD - PLACES, outcome
    assert outcome.broken == []
    buyers.wait_for_mails(outcome.confirmed)
    assert buyers.sold() == PLACES


def test_rush_while_the_writer_dies(stack: Stack) -> None:
    """Some may be told to try again; nobody who read "confirmed" may be without a ticket, and no place is sold twice."""
    stack.wait_until_whole()
    buyers = Buyers(stack, event(stack, f"Rush at night {int(time.time())}"), f"night-{int(time.time())}")
    writer = stack.database_writer()
    killer = threading.Timer(0.7, stack.power_off, [writer])
    killer.start()
    outcome = buyers.rush(CROWD)
    killer.join()
    print(f"\n    rush, {writer} off: {outcome}", file=sys.stderr)
    assert 0 < len(outcome.confirmed) <= PLACES
    buyers.wait_for_mails(outcome.confirmed, seconds=180)
    assert buyers.sold() <= PLACES
    stack.power_on(writer)
    stack.wait_until_whole()
