"""A buyer's way through the pages."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from tests.factory import Factory
from webtest import TestApp, TestResponse

from boxoffice.events.models import Event
from boxoffice.orders.models import Order
from boxoffice.releases.services import stock
from boxoffice.tickets.services import issue


def choose(app: TestApp, event: Event, quantity: int = 1, **kw: int) -> TestResponse:
    form = app.get(f"/e/{event.slug}").forms[0]
    form[f"release-{event.releases[0].id}"].force_value(str(quantity))
    return form.submit(**kw)


def details(
    page: TestResponse, name: str = "Grace Hopper", email: str = "grace@example.org"
) -> TestResponse:
    form = page.forms[0]
    form["name"], form["email"] = name, email
    return form.submit()


def test_a_free_ticket_from_the_home_page_to_the_code(
    app: TestApp, factory: Factory, db_session: Session
) -> None:
    event = factory.event(("Guest", 0, 5), title="Open house")
    page = app.get("/").click("Open house")
    form = page.forms[0]
    form[f"release-{event.releases[0].id}"] = "2"
    page = form.submit(status=303).follow()
    assert "2 tickets held for you" in page
    page = details(page).follow()
    assert "Your order is complete" in page
    assert 'http-equiv="refresh"' in page
    order = db_session.scalars(select(Order)).one()
    assert app.get(f"/o/{order.reference}.json").json == {
        "reference": order.reference,
        "state": "paid",
        "places": 2,
        "tickets": 0,
    }
    secrets = [ticket.secret for ticket in issue(db_session, order.id)]
    db_session.commit()
    page = app.get(f"/o/{order.reference}")
    assert page.text.count('<div class="qr"><svg') == 2
    assert "http-equiv" not in page
    ticket = page.click("Open this ticket", index=1)
    assert ticket.request.path == f"/t/{secrets[1]}"
    assert "Grace Hopper" in ticket


def test_a_paid_ticket_says_how_to_pay(app: TestApp, factory: Factory) -> None:
    event = factory.event(("Standard", 1250, 5), payment_note="Cash\nat the <bar>")
    page = details(choose(app, event, 2).follow()).follow()
    assert "pay €25.00" in page
    assert "Cash<br>at the &lt;bar&gt;" in page


def test_sending_the_form_twice_is_one_order(
    app: TestApp, factory: Factory, db_session: Session
) -> None:
    event = factory.event()
    form = app.get(f"/e/{event.slug}").forms[0]
    first, second = form.submit(status=303), form.submit(status=303)
    assert first.location == second.location
    assert stock(db_session, event.releases[0].pool_id).held == 1


def test_confirming_twice_is_harmless(app: TestApp, factory: Factory, db_session: Session) -> None:
    event = factory.event(("Guest", 0, 5))
    page = choose(app, event).follow()
    assert details(page).location == details(page).location
    assert stock(db_session, event.releases[0].pool_id).sold == 1


@pytest.mark.parametrize(
    ("held", "sold", "wanted", "words"),
    [
        (2, 0, 1, "All places are held right now"),
        (0, 2, 1, "Sold out"),
        (0, 1, 2, "Not enough places left"),
    ],
)
def test_no_places_is_said_plainly(
    app: TestApp, factory: Factory, held: int, sold: int, wanted: int, words: str
) -> None:
    event = factory.event(("Guest", 0, 2))
    form = app.get(f"/e/{event.slug}").forms[0]
    if held:
        factory.order(event, held)
    if sold:
        factory.confirmed(event, sold)
    form[f"release-{event.releases[0].id}"] = str(wanted)
    page = form.submit(status=409)
    assert words in page
    assert f'href="/e/{event.slug}"' in page


@pytest.mark.parametrize(
    ("sold", "words"), [(0, "All held"), (1, "Sold out")], ids=["held", "sold"]
)
def test_the_page_says_when_nothing_is_left(
    app: TestApp, factory: Factory, sold: int, words: str
) -> None:
    event = factory.event(("Guest", 0, 1))
    (factory.confirmed if sold else factory.order)(event)
    page = app.get(f"/e/{event.slug}")
    assert words in page
    assert "Continue" not in page


def test_a_hold_that_is_over_offers_to_choose_again(app: TestApp, factory: Factory) -> None:
    event = factory.event()
    order = factory.order(event)
    page = app.get(f"/o/{order.reference}")
    order.expires_at = order.created_at
    factory.session.commit()
    form = page.forms[0]
    form["name"], form["email"] = "Grace", "grace@example.org"
    refused = form.submit(status=409)
    assert "Your hold has ended" in refused
    assert refused.click("Choose tickets again").request.path == f"/e/{event.slug}"


@pytest.mark.parametrize("quantity", ["0", "-1", "one", "11", "²", "9" * 30])
def test_a_strange_number_holds_nothing(
    app: TestApp, factory: Factory, db_session: Session, quantity: str
) -> None:
    event = factory.event(("Standard", 100, 50))
    form = app.get(f"/e/{event.slug}").forms[0]
    form[f"release-{event.releases[0].id}"].force_value(quantity)
    assert 'role="alert"' in form.submit(status=422)
    assert db_session.scalars(select(Order)).all() == []


@pytest.mark.parametrize(
    ("name", "email"),
    [
        ("", "grace@example.org"),
        ("Grace", "grace"),
        ("Grace", "grace@example.org, x@example.org"),
        ("Grace", "gräce@example.org"),
        ("Grace", "a<b@example.org"),
        ("Grace", "a..b@example.org"),
        ("x" * 121, "grace@example.org"),
    ],
)
def test_wrong_details_are_explained_beside_the_field(
    app: TestApp, factory: Factory, name: str, email: str
) -> None:
    order = factory.order(factory.event())
    form = app.get(f"/o/{order.reference}").forms[0]
    form["name"], form["email"] = name, email
    page = form.submit(status=422)
    assert 'class="problem"' in page
    assert page.forms[0]["email"].value == email


def test_what_buyers_type_is_never_markup(app: TestApp, factory: Factory) -> None:
    event = factory.event(("Standard", 100, 5), title="<i>Title</i>")
    page = details(choose(app, event).follow(), name="<script>alert(1)</script>").follow()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<i>" not in page


@pytest.mark.parametrize(
    "path", ["/e/nothing", "/o/nothing", "/o/nothing.json", "/t/nothing", "/x"]
)
def test_an_unknown_address_is_a_plain_404(app: TestApp, path: str) -> None:
    assert "nothing at this address" in app.get(path, status=404)
