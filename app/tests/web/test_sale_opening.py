"""Before a sale opens, and after."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from tests.factory import Factory
from webtest import TestApp

from boxoffice.db import utcnow
from boxoffice.events import services as events
from boxoffice.events.models import Event
from boxoffice.orders import services as orders
from boxoffice.orders.models import Order
from boxoffice.releases.services import stock


def set_clock(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Moves what decides about sales; what the caches hold stays as fresh as it is."""
    for module in (events, orders):
        monkeypatch.setattr(module, "utcnow", lambda: moment)


def in_an_hour() -> datetime:
    return utcnow().replace(microsecond=0) + timedelta(hours=1)


def order_fields(app: TestApp, factory: Factory, event: Event) -> dict[str, str]:
    """What a buyer's form sends: from another event's page, whose sale is open."""
    form = app.get(f"/e/{factory.event().slug}").forms[0]
    return {
        "csrf_token": form["csrf_token"].value,
        "token": form["token"].value,
        f"release-{event.releases[0].id}": "1",
    }


def test_before_the_opening_the_page_says_when_it_is(app: TestApp, factory: Factory) -> None:
    opens_at = datetime.fromisoformat("2091-05-06T18:30:00+00:00")
    page = app.get(f"/e/{factory.event(sales_open_at=opens_at).slug}")
    assert "Sale opens" in page
    assert "Sunday 6 May 2091, 18:30 UTC" in page
    assert 'datetime="2091-05-06T18:30:00+00:00"' in page
    assert not page.forms
    assert "Continue" not in page


def test_before_the_opening_an_order_is_refused(
    app: TestApp, factory: Factory, db_session: Session
) -> None:
    opens_at = in_an_hour()
    event = factory.event(sales_open_at=opens_at)
    fields = order_fields(app, factory, event)
    page = app.post(f"/e/{event.slug}/reserve", fields, status=409)
    assert "The sale has not opened yet" in page
    assert opens_at.strftime("%H:%M UTC") in page
    assert f'href="/e/{event.slug}"' in page
    assert db_session.scalars(select(Order)).all() == []
    assert stock(db_session, event.releases[0].pool_id).held == 0


def test_the_sale_opens_on_the_dot_although_the_page_is_cached(
    app: TestApp, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens_at = in_an_hour()
    event = factory.event(sales_open_at=opens_at)
    fields = order_fields(app, factory, event)
    path = f"/e/{event.slug}"
    assert "Sale opens" in app.get(path)
    set_clock(monkeypatch, opens_at - timedelta(microseconds=1))
    assert "Sale opens" in app.get(path)
    app.post(f"{path}/reserve", fields, status=409)
    set_clock(monkeypatch, opens_at)
    page = app.get(path)
    assert "Sale opens" not in page
    assert "held for you" in page.forms[0].submit(status=303).follow()
    app.post(f"{path}/reserve", fields, status=303)


def test_a_sale_that_has_opened_is_like_any_other(app: TestApp, factory: Factory) -> None:
    event = factory.event(sales_open_at=utcnow() - timedelta(days=1))
    page = app.get(f"/e/{event.slug}")
    assert "Sale opens" not in page
    assert "held for you" in page.forms[0].submit(status=303).follow()


def test_the_page_reads_what_an_older_release_has_cached(
    app: TestApp, factory: Factory, db_session: Session
) -> None:
    event = factory.event()
    plain = events.lookup(db_session, event.slug)
    assert plain
    del plain["sales_open_at"]
    events.cache.objects.set(f"event:{event.slug}", plain)
    assert "Continue" in app.get(f"/e/{event.slug}")


def test_coming_sales_are_told_to_anybody(app: TestApp, factory: Factory) -> None:
    opens_at = in_an_hour()
    event = factory.event(title="Élan <vital>", sales_open_at=opens_at)
    found = app.get("/on-sales.json")
    assert found.json == {
        "on_sales": [
            {
                "name": "Élan <vital>",
                "slug": event.slug,
                "starts_at": opens_at.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
                "ends_at": (opens_at + timedelta(minutes=90)).strftime("%Y-%m-%dT%H:%M:%S+00:00"),
            }
        ]
    }
    assert found.content_type == "application/json"
    assert found.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in found.headers


def test_coming_sales_are_never_from_a_cache(app: TestApp, factory: Factory) -> None:
    assert app.get("/on-sales.json").json == {"on_sales": []}
    factory.event(sales_open_at=in_an_hour())
    assert len(app.get("/on-sales.json").json["on_sales"]) == 1


def test_coming_sales_are_read_only(app: TestApp) -> None:
    app.post("/on-sales.json", {}, status=404)
