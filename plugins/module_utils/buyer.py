# Copyright (c) Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Buys tickets at the box office the way a browser does, with nothing but the standard library.

Requests are repeated, within the time given, while the shop is not there (no connection, 502,
503, 504): the shop books the same form once however often it is sent.
"""

from __future__ import annotations

import http.client
import http.cookiejar
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta
from html.parser import HTMLParser

AWAY = (502, 503, 504)
PAUSE = 0.3

# The event by which a stack is checked; it is not shown on the home page.
CHECK_TITLE, CHECK_SLUG = "Stack check", "stack-check"
FREE, PAID = "Free ticket", "Paid ticket"
CHECK_RELEASES = [
    {"name": FREE, "price_cents": 0, "capacity": 1_000_000},
    {"name": PAID, "price_cents": 2500, "capacity": 1_000_000},
]


class BuyerError(Exception):
    """Says the address, what came back, and what was expected."""

    def __init__(self, url, found, expected):
        self.url, self.found, self.expected = url, found, expected
        super().__init__(f"{url}: found {found}, expected {expected}")


class NoPlacesError(BuyerError):
    """The shop said that it has no places (left)."""


class Page:
    def __init__(self, url, status, text):
        self.url, self.status, self.text = url, status, text
        self.path = urllib.parse.urlsplit(url).path

    def json(self):
        try:
            return json.loads(self.text)
        except ValueError as error:
            raise BuyerError(self.url, f"status {self.status} and no JSON", "JSON") from error

    def form(self, ending):
        """The fields of the form whose action ends so; None when there is none."""
        forms = _Forms()
        forms.feed(self.text)
        for form in forms.found:
            action = urllib.parse.urljoin(self.url, form["action"])
            if urllib.parse.urlsplit(action).path.endswith(ending):
                return {**form, "action": action}
        return None


class _Forms(HTMLParser):
    """Reads forms: their hidden fields, and which label belongs to which field."""

    def __init__(self):
        super().__init__()
        self.found = []
        self._label = None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.found.append({"action": attrs.get("action") or "", "hidden": {}, "labels": {}, "names": []})
        elif not self.found:
            return
        elif tag == "input" and attrs.get("type") == "hidden":
            self.found[-1]["hidden"][attrs["name"]] = attrs.get("value") or ""
        elif tag in ("input", "select", "textarea") and attrs.get("name"):
            self.found[-1]["names"].append(attrs["name"])
        elif tag == "label":
            self._label = [attrs.get("for"), ""]

    def handle_data(self, data):
        if self._label:
            self._label[1] += data

    def handle_endtag(self, tag):
        if tag == "label" and self._label:
            field, text = self._label
            self.found[-1]["labels"][" ".join(text.split())] = field
            self._label = None


class _Client:
    def __init__(self, base_url, timeout):
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        # straight to the shop: a proxy would hide which of its parts answers
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        )

    def request(self, url, data=None, expect=(200,), what=None):
        """GET, or POST when there is data; again while nobody is there."""
        url = urllib.parse.urljoin(self.base_url + "/", url)
        body = urllib.parse.urlencode(data).encode() if data is not None else None
        end = time.monotonic() + self.timeout
        while True:
            found = self._once(url, body, max(1.0, min(10.0, end - time.monotonic())))
            if isinstance(found, Page) and found.status in expect:
                return found
            away = not isinstance(found, Page) or found.status in AWAY
            if not away or time.monotonic() + PAUSE >= end:
                seen = f"status {found.status}" if isinstance(found, Page) else repr(found)
                raise BuyerError(url, seen, what or f"status {' or '.join(map(str, expect))}")
            time.sleep(PAUSE)

    def _once(self, url, body, timeout):
        try:
            with self._opener.open(urllib.request.Request(url, body), timeout=timeout) as answer:
                return Page(answer.geturl(), answer.status, answer.read().decode("utf-8", "replace"))
        except urllib.error.HTTPError as error:
            with error:
                return Page(error.geturl(), error.code, error.read().decode("utf-8", "replace"))
        except (OSError, http.client.HTTPException) as error:
            return error


class Shop(_Client):
    """The box office, as a buyer and as its organiser."""

    def __init__(self, base_url, timeout=30.0):
        super().__init__(base_url, timeout)

    def sign_in(self, email, password):
        page = self.request("/organiser/sign-in", what="the organiser's sign-in page")
        form = self._form(page, "")
        data = {**form["hidden"], "email": email, "password": password}
        page = self.request(page.url, data, expect=(200, 422))
        if page.path != "/organiser":
            raise BuyerError(page.url, "the sign-in was refused", "the e-mail and password of an organiser")

    def ensure_event(self, title, releases, slug):
        """The event's slug; it is made when it is not there. Releases: name, price_cents, capacity."""
        if self.request(f"/e/{slug}", expect=(200, 404)).status == 200:
            return slug
        page = self.request("/organiser/events/new")
        if page.path == "/organiser/sign-in":
            raise BuyerError(page.url, "not signed in", "sign_in() before ensure_event()")
        start = datetime.now() + timedelta(days=365)
        data = {
            **self._form(page, "")["hidden"],
            "title": title,
            "slug": slug,
            "starts_at": start.strftime("%Y-%m-%dT20:00"),
            "currency": "EUR",
        }
        for number, release in enumerate(releases):
            data[f"releases-{number}-name"] = release["name"]
            data[f"releases-{number}-price"] = f"{release['price_cents'] / 100:.2f}"
            data[f"releases-{number}-capacity"] = str(release["capacity"])
        page = self.request(page.url, data, expect=(200, 422))
        # a repeated request may meet the event that its first try has made
        if page.status == 422 and self.request(f"/e/{slug}", expect=(200, 404)).status != 200:
            raise BuyerError(page.url, "the form was refused (422)", f"a new event {slug}")
        return slug

    def reserve(self, slug, release, quantity=1):
        """Hold places; the order's reference."""
        page = self.request(f"/e/{slug}", what=f"the page of event {slug}")
        form = page.form(f"/e/{slug}/reserve")
        field = form and form["labels"].get(release)
        if not field:
            raise BuyerError(page.url, f"tickets {sorted(form['labels']) if form else []}", f"{release!r}")
        if field not in form["names"]:
            raise NoPlacesError(page.url, f"no places for {release!r}", f"{quantity} places")
        page = self.request(
            form["action"], {**form["hidden"], field: str(quantity)}, expect=(200, 409), what="an order"
        )
        if page.status == 409:
            raise NoPlacesError(page.url, f"no places for {release!r} (409)", f"{quantity} places")
        if not page.path.startswith("/o/"):
            raise BuyerError(page.url, f"status {page.status}", "to be sent to the order's page")
        return page.path.rsplit("/", 1)[1]

    def confirm(self, reference, name, email):
        page = self.request(f"/o/{reference}", what="the order's page")
        form = page.form(f"/o/{reference}")
        if form is None:
            raise BuyerError(page.url, "no form for the buyer's details", "an order that is still held")
        page = self.request(form["action"], {**form["hidden"], "name": name, "email": email})
        state = self.order(reference)["state"]
        if state not in ("paid", "awaiting_payment"):
            raise BuyerError(page.url, f"order state {state}", "paid or awaiting_payment")
        return state

    def order(self, reference):
        return self.request(f"/o/{reference}.json", what="the order's state").json()

    def mark_paid(self, slug, reference):
        page = self.request(f"/organiser/events/{slug}", what="the organiser's page of the event")
        form = page.form(f"/orders/{reference}/paid")
        if form is not None:
            self.request(form["action"], form["hidden"])
        state = self.order(reference)["state"]
        if state != "paid":
            raise BuyerError(page.url, f"order {reference} is {state}", "paid")

    def wait_until_processed(self, reference, timeout=None):
        """Until every place has its ticket; the order."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            order = self.order(reference)
            if 0 < order["places"] <= order["tickets"]:
                return order
            if time.monotonic() >= end:
                url = f"{self.base_url}/o/{reference}.json"
                raise BuyerError(url, f"{order['tickets']} tickets", f"{order['places']} (do workers run?)")
            time.sleep(PAUSE)

    def _form(self, page, ending):
        form = page.form(ending or page.path)
        if form is None:
            raise BuyerError(page.url, "no form", "a form")
        return form


class Inbox(_Client):
    """The mail sink's browsable inbox."""

    def __init__(self, base_url, timeout=30.0):
        super().__init__(base_url, timeout)

    def messages(self, to):
        found = self.request(f"/messages.json?{urllib.parse.urlencode({'to': to})}").json()
        return [message for message in found.get("messages", []) if to in message["to"]]

    def wait_for(self, to, subject_contains="", timeout=None):
        """The first mail to this address whose subject contains the text."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            messages = self.messages(to)
            for message in messages:
                if subject_contains in message["subject"]:
                    return message
            if time.monotonic() >= end:
                found = [message["subject"] for message in messages] or "no mail"
                expected = f"a mail to {to} with {subject_contains!r} in its subject"
                raise BuyerError(f"{self.base_url}/messages.json", found, expected)
            time.sleep(PAUSE)
