"""The buyer against a shop of canned pages: what it sends, what it repeats, what it says when it is refused."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from ansible_collections.trust.stack.plugins.module_utils import buyer

EVENT = """
<form method="post" action="/e/show/reserve">
  <input type="hidden" name="csrf_token" value="c1"><input type="hidden" name="token" value="t1">
  <label for="release-7">Free
    ticket</label> <select id="release-7" name="release-7"><option>0</option></select>
  <label for="release-8">Gone</label> <span>Sold out</span>
</form>"""
HELD = """
<form action="/sign-out"><input type="hidden" name="csrf_token" value="other"></form>
<form method="post" action="/o/abc"><input type="hidden" name="csrf_token" value="c2">
<input name="name"><input name="email"></form>"""
ORDER = {"reference": "abc", "state": "paid", "places": 2, "tickets": 2}


class FakeShop:
    """Answers each request with the next of the answers for it; the last one stays."""

    def __init__(self):
        self.answers = {}
        self.posted = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                fake.answer(self, "GET")

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fake.posted.append((self.path, {key: value[0] for key, value in parse_qs(body).items()}))
                fake.answer(self, "POST")

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def on(self, request, *answers):
        self.answers[request] = list(answers)

    def answer(self, handler, method):
        answers = self.answers.get(f"{method} {handler.path.split('?')[0]}", [(404, "")])
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        handler.send_response(status)
        if status == 303:
            handler.send_header("Location", body)
            body = ""
        body = body if isinstance(body, str) else json.dumps(body)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body.encode())


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(buyer, "PAUSE", 0.01)
    shop = FakeShop()
    yield shop
    shop.server.shutdown()
    shop.server.server_close()


@pytest.fixture
def shop(fake):
    return buyer.Shop(fake.url, timeout=2)


def test_reserve_sends_what_the_form_holds(fake, shop):
    fake.on("GET /e/show", (200, EVENT))
    fake.on("POST /e/show/reserve", (303, "/o/abc"))
    fake.on("GET /o/abc", (200, HELD))
    assert shop.reserve("show", "Free ticket", 2) == "abc"
    assert fake.posted == [("/e/show/reserve", {"csrf_token": "c1", "token": "t1", "release-7": "2"})]


def test_a_shop_that_is_away_for_a_moment_is_asked_again_with_the_same_form(fake, shop):
    fake.on("GET /e/show", (502, ""), (200, EVENT))
    fake.on("POST /e/show/reserve", (503, ""), (503, ""), (303, "/o/abc"))
    fake.on("GET /o/abc", (200, HELD))
    assert shop.reserve("show", "Free ticket") == "abc"
    assert [form["token"] for _path, form in fake.posted] == ["t1", "t1", "t1"]


def test_a_shop_that_stays_away_is_named(fake):
    fake.on("GET /e/show", (503, ""))
    with pytest.raises(buyer.BuyerError, match=f"{fake.url}/e/show: found status 503, expected the page of event"):
        buyer.Shop(fake.url, timeout=0.1).reserve("show", "Free ticket")


def test_nobody_there_is_named():
    with pytest.raises(buyer.BuyerError, match=r"http://127\.0\.0\.1:1/e/show: found .*refused"):
        buyer.Shop("http://127.0.0.1:1", timeout=0.1).reserve("show", "Free ticket")


def test_an_error_of_the_shop_is_not_repeated(fake, shop):
    fake.on("GET /e/show", (200, EVENT))
    fake.on("POST /e/show/reserve", (500, ""))
    with pytest.raises(buyer.BuyerError, match="found status 500"):
        shop.reserve("show", "Free ticket")
    assert len(fake.posted) == 1


@pytest.mark.parametrize("release", ["Gone", "Free ticket"])
def test_no_places_is_an_error_of_its_own(fake, shop, release):
    fake.on("GET /e/show", (200, EVENT))
    fake.on("POST /e/show/reserve", (409, "Sold out"))
    with pytest.raises(buyer.NoPlacesError, match=f"no places for '{release}'"):
        shop.reserve("show", release)


def test_an_unknown_ticket_lists_those_there_are(fake, shop):
    fake.on("GET /e/show", (200, EVENT))
    with pytest.raises(buyer.BuyerError, match=r"\['Free ticket', 'Gone'\], expected 'VIP'"):
        shop.reserve("show", "VIP")


def test_confirm_uses_the_form_of_the_order(fake, shop):
    fake.on("GET /o/abc", (200, HELD))
    fake.on("POST /o/abc", (303, "/o/abc"))
    fake.on("GET /o/abc.json", (200, ORDER))
    assert shop.confirm("abc", "Grace", "grace@example.org") == "paid"
    assert fake.posted == [("/o/abc", {"csrf_token": "c2", "name": "Grace", "email": "grace@example.org"})]


def test_a_refused_sign_in_says_so(fake, shop):
    form = '<form method="post"><input type="hidden" name="csrf_token" value="c3"></form>'
    fake.on("GET /organiser/sign-in", (200, form))
    fake.on("POST /organiser/sign-in", (422, form), (303, "/organiser"))
    fake.on("GET /organiser", (200, ""))
    with pytest.raises(buyer.BuyerError, match="sign-in was refused"):
        shop.sign_in("ada@example.org", "secret-word")
    shop.sign_in("ada@example.org", "secret-word")
    assert fake.posted[1][1] == {"csrf_token": "c3", "email": "ada@example.org", "password": "secret-word"}


def test_an_event_is_made_only_when_it_is_not_there(fake, shop):
    releases = [{"name": "Free ticket", "price_cents": 0, "capacity": 5}, {"name": "B", "price_cents": 1250, "capacity": 6}]
    fake.on("GET /e/show", (404, ""), (200, EVENT))
    fake.on("GET /organiser/events/new", (200, '<form><input type="hidden" name="csrf_token" value="c4"></form>'))
    fake.on("POST /organiser/events/new", (303, "/organiser/events/show"))
    fake.on("GET /organiser/events/show", (200, ""))
    assert shop.ensure_event("A show", releases, "show") == "show"
    assert shop.ensure_event("A show", releases, "show") == "show"
    ((_path, form),) = fake.posted
    assert (form["title"], form["slug"], form["releases-1-price"], form["releases-1-capacity"]) == (
        "A show",
        "show",
        "12.50",
        "6",
    )


def test_marking_as_paid_twice_is_harmless(fake, shop):
    form = '<form action="/organiser/events/show/orders/abc/paid"><input type="hidden" name="csrf_token" value="c5"></form>'
    fake.on("GET /organiser/events/show", (200, form), (200, form), (200, "paid"))
    fake.on("POST /organiser/events/show/orders/abc/paid", (303, "/organiser/events/show"))
    fake.on("GET /o/abc.json", (200, ORDER))
    shop.mark_paid("show", "abc")
    shop.mark_paid("show", "abc")
    assert len(fake.posted) == 1


def test_waiting_for_tickets_ends_with_them_or_with_a_reason(fake, shop):
    fake.on("GET /o/abc.json", (200, {**ORDER, "tickets": 0}), (200, {**ORDER, "tickets": 1}), (200, ORDER))
    assert shop.wait_until_processed("abc")["tickets"] == 2
    fake.on("GET /o/abc.json", (200, {**ORDER, "tickets": 1}))
    with pytest.raises(buyer.BuyerError, match=r"found 1 tickets, expected 2 \(do workers run\?\)"):
        shop.wait_until_processed("abc", timeout=0.05)


def test_a_page_instead_of_json_is_named(fake, shop):
    fake.on("GET /o/abc.json", (200, "<html>"))
    with pytest.raises(buyer.BuyerError, match=r"abc\.json: found status 200 and no JSON"):
        shop.order("abc")


def test_the_inbox_gives_the_mail_that_fits(fake):
    mail = {"id": 1, "from": "shop", "to": ["a@example.org"], "subject": "Hello", "date": "", "text": ""}
    other = {**mail, "to": ["b@example.org"], "subject": "Your ticket for X"}
    mine = {**mail, "subject": "Your ticket for X"}
    fake.on("GET /messages.json", (200, {"messages": []}), (200, {"messages": [other, mail]}), (200, {"messages": [mail, mine]}))
    inbox = buyer.Inbox(fake.url, timeout=2)
    assert inbox.wait_for("a@example.org", "ticket for X") == mine
    with pytest.raises(buyer.BuyerError, match=r"found \['Hello', 'Your ticket for X'\].*'Nothing'"):
        inbox.wait_for("a@example.org", "Nothing", timeout=0.05)
