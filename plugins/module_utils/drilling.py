# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a drill has shown: how long nobody could buy, and whether an order was lost. Pure; all times are seconds from the fault, before it negative."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

SHARE = 0.99995  # of a quarter that the shop is to be there
QUARTER = 90 * 86400
BUDGET = QUARTER * (1 - SHARE)  # 388.8 seconds
RARE = 3  # so many problems are quoted


@dataclass(frozen=True)
class Try:
    """One request of a page, or one order from the event's page to its confirmation."""

    begun: float
    ended: float
    problem: str = ""  # empty: it went well
    reference: str = ""
    email: str = ""


@dataclass(frozen=True)
class Ledger:
    """What became of the orders that were confirmed to their buyers."""

    confirmed: int
    lost: Sequence[str] = ()  # references: not there any more, or not paid
    without_ticket: Sequence[str] = ()
    without_mail: Sequence[str] = ()
    mailed_twice: Sequence[str] = ()


@dataclass
class Drill:
    """Everything that was seen."""

    target: str
    how: str
    least: float  # seconds that buyers are watched at least
    quiet: float  # seconds without a problem after which it is over
    limit: float  # seconds after which it has failed
    pages: list[Try] = field(default_factory=list)
    orders: list[Try] = field(default_factory=list)
    timeline: list[tuple[float, str]] = field(default_factory=list)
    over: float | None = None  # when it was over; None: not within the limit


def longest_gap(tries: Iterable[Try], since: float, until: float) -> tuple[float, float]:
    """(seconds, when it began) of the longest time without a success that reaches into this time; counts from the last success before it."""
    ends = sorted(one.ended for one in tries if not one.problem and one.ended <= until)
    before = [end for end in ends if end <= since]
    marks = [*(before[-1:] or [since]), *(end for end in ends if end > since), until]
    return max(((b - a, a) for a, b in pairwise(marks)), default=(0.0, since))


def settled(drill: Drill, now: float, since: float, waits_since: float) -> bool:
    """Whether, `since` the last blow, enough time has gone by, and of late all bought without a problem. Who waits longest does so `waits_since`."""
    late = now - drill.quiet
    if now - since < drill.least or waits_since < late:
        return False
    orders = [one for one in drill.orders if one.ended > late]
    return bool(orders) and not any(one.problem for one in (*orders, *(one for one in drill.pages if one.ended > late)))


def outage(tries: Sequence[Try], until: float) -> tuple[float, float]:
    """(seconds, when it began) in which nobody succeeded, beyond what is usual between two successes."""
    usual, _when = longest_gap(tries, min((one.begun for one in tries), default=0.0), 0.0)
    gap, when = longest_gap(tries, 0.0, until)
    return max(0.0, gap - usual), when


def faults(drill: Drill, ledger: Ledger) -> list[str]:
    """Why the drill has failed; empty when it has passed."""
    found = []
    if drill.over is None:
        found.append(f"buyers could not buy again within {drill.limit:.0f} s")
    for what, names in (("was lost", ledger.lost), ("has no ticket", ledger.without_ticket), ("has no mail", ledger.without_mail)):
        if names:
            shown = ", ".join(names[:RARE]) + (", ..." if len(names) > RARE else "")
            found.append(f"{len(names)} of {ledger.confirmed} confirmed orders: each {what} ({shown})")
    return found


def summary(drill: Drill, ledger: Ledger, until: float) -> dict[str, Any]:
    """The figures, as they are kept: seconds, and numbers of requests and orders."""
    away, began = outage(drill.orders, until)
    pages, _began = outage(drill.pages, until)
    bad = faults(drill, ledger)
    return {
        "drill": drill.target, "how": drill.how, "verdict": "failed" if bad else "passed", "why": bad,
        "seconds_without_orders": round(away, 1), "from_second": round(began, 1) if away else 0.0, "seconds_without_pages": round(pages, 1),
        "percent_of_budget": round(100 * max(away, pages) / BUDGET, 2),
        "slowest_order": round(max((one.ended - one.begun for one in drill.orders if not one.problem), default=0.0), 1),
        "orders": ledger.confirmed, "orders_refused": sum(bool(one.problem) for one in drill.orders),
        "pages": len(drill.pages), "pages_failed": sum(bool(one.problem) for one in drill.pages),
        "lost": len(ledger.lost), "without_ticket": len(ledger.without_ticket), "without_mail": len(ledger.without_mail),
        "mailed_twice": len(ledger.mailed_twice),
    }  # fmt: skip


def text(drill: Drill, figures: dict[str, Any]) -> list[str]:
    """The report, line by line."""
    problems = [f"{one.problem} at {one.ended:.1f} s" for one in (*drill.pages, *drill.orders) if one.problem]
    away, pages = figures["seconds_without_orders"], figures["seconds_without_pages"]
    missing = [f"{words} {figures[words.replace(' ', '_')]}" for words in ("lost", "without ticket", "without mail", "mailed twice")]
    lines = [
        f"Pages    {figures['pages']} asked for, {figures['pages_failed']} failed; {pages} s without one",
        f"Orders   {figures['orders']} confirmed, {figures['orders_refused']} refused; {away} s without one; slowest buyer {figures['slowest_order']} s",
        f"Ledger   {', '.join(missing)}",
        f"Budget   {figures['percent_of_budget']} % of the {BUDGET:.1f} s that {SHARE * 100:.3f} % leave in a quarter",
    ]
    if problems:
        lines.append(f"Refused  {'; '.join(problems[:RARE])}{f'; and {len(problems) - RARE} more' if len(problems) > RARE else ''}")
    return [*lines, f"Verdict  {figures['verdict']}{': ' if figures['why'] else ''}{'; '.join(figures['why'])}"]
