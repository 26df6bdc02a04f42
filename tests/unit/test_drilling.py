"""What a drill makes of what its buyers saw."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.trust.stack.plugins.action.drill import ActionModule, DrillError
from ansible_collections.trust.stack.plugins.module_utils import faults
from ansible_collections.trust.stack.plugins.module_utils.drill_watch import Watch, audit
from ansible_collections.trust.stack.plugins.module_utils.drilling import BUDGET, Drill, Ledger, Try, longest_gap, outage, settled, summary, text


def tries(*ends: float, problem: str = "") -> list[Try]:
    return [Try(end - 0.2, end, problem) for end in ends]


def drill(**words: Any) -> Drill:
    return Drill("database-a-1", "power", least=20, quiet=8, limit=180, **words)


def test_the_budget_is_a_quarter_s() -> None:
    assert round(BUDGET, 1) == 388.8


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([-2, -1, 5, 6], (6, -1)),  # from the last success before
        ([1, 2], (8, 2)),  # and up to the end
        ([], (10, 0)),
        ([-1, 12], (11, -1)),  # what came after the end does not count
    ],
)
def test_the_longest_gap(ends: list[float], expected: tuple[float, float]) -> None:
    assert longest_gap(tries(*ends), 0.0, 10.0) == expected


def test_a_refused_try_is_no_success() -> None:
    assert longest_gap([*tries(-1, 9), *tries(3, problem="503")], 0.0, 10.0) == (10, -1)


def test_what_is_usual_between_two_successes_is_no_outage() -> None:
    usual = tries(-3, -2, -1, 0, 1, 2, 3, 4)
    assert outage(usual, 4.5)[0] == 0.0
    assert outage(tries(-3, -2, -1, 5, 6), 6.5) == (5.0, -1)  # six seconds, of which one is usual


def test_it_is_over_when_all_have_bought_for_a_while() -> None:
    orders = tries(13, 15, 17, 19)
    assert settled(drill(orders=orders), 20.0, 0.0, 19.5)
    assert not settled(drill(orders=orders), 19.9, 0.0, 19.5)  # not long enough
    assert not settled(drill(orders=orders), 30.0, 15.0, 29.5)  # nor since the last blow
    assert not settled(drill(orders=orders), 20.0, 0.0, 11.0)  # one still waits
    assert not settled(drill(orders=tries(11)), 20.0, 0.0, 20.0)  # nobody came
    assert not settled(drill(orders=[*orders, *tries(13, problem="500")]), 20.0, 0.0, 19.5)
    assert not settled(drill(orders=orders, pages=tries(13, problem="timed out")), 20.0, 0.0, 19.5)
    assert settled(drill(orders=orders, pages=tries(11, problem="timed out")), 20.0, 0.0, 19.5)


def test_the_report_says_how_much_of_the_budget_that_was() -> None:
    seen = drill(orders=tries(-2, -1, 0, 39.88, 41), pages=[*tries(-1, 0), *tries(0, 1, 2, 3, 4, 5, problem="timed out"), *tries(41)], over=41.0)
    figures = summary(seen, Ledger(5), 41.0)
    assert figures["seconds_without_orders"] == 38.9
    assert figures["percent_of_budget"] == 10.29  # the pages' 40 s: they were away for longer
    assert (figures["verdict"], figures["pages_failed"], figures["orders"]) == ("passed", 6, 5)
    said = "\n".join(text(seen, figures))
    assert "10.29 % of the 388.8 s that 99.995 % leave in a quarter" in said
    assert "timed out at 0.0 s; timed out at 1.0 s; timed out at 2.0 s; and 3 more" in said


@pytest.mark.parametrize(
    ("ledger", "over", "expected"),
    [
        (Ledger(9), 30.0, []),
        (Ledger(9, mailed_twice=["a"]), 30.0, []),  # told, and no reason to call it lost
        (Ledger(9), None, ["buyers could not buy again within 180 s"]),
        (Ledger(9, lost=["a", "b"]), 30.0, ["2 of 9 confirmed orders: each was lost (a, b)"]),
        (Ledger(9, without_ticket=list("abcd")), 30.0, ["4 of 9 confirmed orders: each has no ticket (a, b, c, ...)"]),
        (Ledger(9, without_mail=["a"]), 30.0, ["1 of 9 confirmed orders: each has no mail (a)"]),
    ],
)
def test_what_makes_it_fail(ledger: Ledger, over: float | None, expected: list[str]) -> None:
    figures = summary(drill(orders=tries(1), over=over), ledger, 2.0)
    assert (figures["why"], figures["verdict"]) == (expected, "failed" if expected else "passed")


class Shop:
    """Event page, orders and inbox, from memory. `orders` is what the shop says of each, `mails` how many each address has."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.mails: dict[str, int] = {}
        self.away = threading.Event()
        self.lock = threading.Lock()
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shop.answer(self, {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                shop.answer(self, {key: value[0] for key, value in parse_qs(body).items()})

            def log_message(self, *_words: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        path, query = urlsplit(handler.path).path, parse_qs(urlsplit(handler.path).query)
        status, said = self.page(path, query, form) if not self.away.is_set() else (503, "")
        handler.send_response(status)
        if status == 303:
            handler.send_header("Location", said)
        handler.end_headers()
        handler.wfile.write(said.encode())

    def page(self, path: str, query: dict[str, list[str]], form: dict[str, str]) -> tuple[int, str]:
        if path == "/messages.json":
            to = query["to"][0]
            return 200, json.dumps({"messages": [{"to": [to], "subject": "Your ticket: Stack check"}] * self.mails.get(to, 0)})
        if path == "/e/show":
            return 200, '<form action="/e/show/reserve"><label for="r-1">Free ticket</label> <select name="r-1" id="r-1"></select></form>'
        if path == "/e/show/reserve":
            with self.lock:
                reference = f"o{len(self.orders)}"
                self.orders[reference] = {"state": "held", "places": 1, "tickets": 0}
            return 303, f"/o/{reference}"
        order = self.orders.get(path.removesuffix(".json").rpartition("/")[2])
        if order is None:
            return 404, ""
        if path.endswith(".json"):
            return 200, json.dumps(order)
        if form:
            order |= {"state": "paid", "tickets": 1}
        return 200, f'<form action="{path}"><input name="email"></form>'


@pytest.fixture
def shop() -> Iterator[Shop]:
    one = Shop()
    yield one
    one.server.shutdown()
    one.server.server_close()


def test_buyers_buy_and_the_times_count_from_the_fault(shop: Shop) -> None:
    seen = Drill("app-a-1", "power", least=0.5, quiet=0.4, limit=10)
    with Watch(seen, shop.url, "show", rate=20) as watch:
        watch.happened("all is well")
        while len(seen.orders) < 4:
            time.sleep(0.02)
        shop.away.set()
        watch.fault()
        threading.Timer(0.6, shop.away.clear).start()
        while not settled(seen, watch.now(), 0.0, watch.waits_since()):
            assert watch.now() < 10
            time.sleep(0.02)
        until = watch.now()
    assert seen.timeline[0][0] < 0
    assert any(one.ended < 0 for one in seen.orders)
    seconds, began = outage(seen.orders, until)
    assert 0.2 < seconds < 5
    assert began <= 0.1
    assert [one for one in seen.orders if one.problem] == []  # a buyer's browser asks again while nobody is there
    assert {"503" in one.problem for one in seen.pages if one.problem} == {True}
    assert {one.reference for one in seen.orders} == set(shop.orders)


def test_the_ledger_finds_what_is_not_as_it_was_confirmed(shop: Shop) -> None:
    shop.orders |= {name: {"state": "paid", "places": 1, "tickets": 1} for name in ("good", "silent", "twice")}
    shop.orders |= {"unpaid": {"state": "held", "places": 1, "tickets": 0}, "empty": {"state": "paid", "places": 1, "tickets": 0}}
    shop.mails = {"good@x": 1, "twice@x": 2, "empty@x": 1}
    names = ("good", "silent", "twice", "unpaid", "empty", "gone")
    orders = [Try(0, 1, reference=name, email=f"{name}@x") for name in names]
    refused = Try(0, 1, "500", reference="refused", email="refused@x")
    found = audit(shop.url, shop.url, [*orders, refused], "Stack check", patience=1)
    assert found == Ledger(6, lost=["unpaid", "gone"], without_ticket=["empty"], without_mail=["silent"], mailed_twice=["twice"])
    assert audit(shop.url, "", orders[:2], "Stack check", patience=1) == Ledger(2)  # nobody can read the mails


def test_a_frozen_service_keeps_its_connections_and_goes_on() -> None:
    assert faults.signal("worker", "freeze") == (
        "systemctl kill --kill-whom=all --signal=STOP boxoffice-worker boxoffice-relay boxoffice-watchdog")
    assert faults.signal("database", "thaw") == "systemctl kill --kill-whom=all --signal=CONT mariadb"


def test_nothing_fails_where_buyers_could_not_buy_before(shop: Shop) -> None:
    """Else the drill would show somebody else's failure, and add its own."""
    action = ActionModule.__new__(ActionModule)
    seen = Drill("app-a-1", "power", least=1, quiet=1, limit=2)
    with Watch(seen, shop.url, "show", rate=20) as watch:
        action.baseline(watch, 0.3)  # all is well
    shop.away.set()
    with pytest.raises(DrillError, match=r"nothing was done, for buyers could not buy before it: http.*503"), Watch(seen, shop.url, "show", rate=20) as watch:
        action.baseline(watch, 0.3)
