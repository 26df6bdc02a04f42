"""The organiser's pages."""

from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from tests.factory import PASSWORD, Factory
from webtest import TestApp, TestResponse

from boxoffice.accounts.models import Login
from boxoffice.events.models import Event
from boxoffice.exports.models import Export
from boxoffice.organiser import forms
from boxoffice.outbox.models import Outbox


def sign_in(app: TestApp, email: str = "ada@example.org", password: str = PASSWORD) -> TestResponse:
    form = app.get("/organiser/sign-in").forms[0]
    form["email"], form["password"] = email, password
    return form.submit(status="*")


@pytest.fixture
def organiser(app: TestApp, factory: Factory) -> TestApp:
    factory.organiser()
    sign_in(app)
    return app


@pytest.mark.parametrize(
    ("email", "password"),
    [("ada@example.org", "wrong"), ("nobody@example.org", PASSWORD), ("", "")],
)
def test_a_wrong_sign_in_is_refused(
    app: TestApp, factory: Factory, db_session: Session, email: str, password: str
) -> None:
    factory.organiser()
    page = sign_in(app, email, password)
    assert page.status_int == 422
    assert 'role="alert"' in page
    assert db_session.scalars(select(Login)).all() == []


def test_pages_want_a_sign_in(app: TestApp, factory: Factory) -> None:
    event = factory.event()
    for path in ("", "/events/new", f"/events/{event.slug}", f"/events/{event.slug}/exports/1"):
        assert app.get(f"/organiser{path}", status=303).location.endswith("/organiser/sign-in")


def test_signing_out_ends_the_login_on_the_server(organiser: TestApp, db_session: Session) -> None:
    cookie = organiser.cookies["boxoffice"]
    organiser.get("/organiser").forms[0].submit(status=303)
    assert db_session.scalars(select(Login)).all() == []
    organiser.set_cookie("boxoffice", cookie)  # somebody kept a copy
    organiser.get("/organiser", status=303)


def test_a_new_event_goes_on_sale(organiser: TestApp, db_session: Session) -> None:
    form = organiser.get("/organiser").click("New event", index=0).forms[1]
    form["title"], form["starts_at"] = "Élan vital!", "2031-05-06T19:30"
    form["releases-0-name"], form["releases-0-price"] = "Standard", "12.5"
    form["releases-0-capacity"] = "40"
    form["releases-1-name"], form["releases-1-capacity"] = "Guest", "3"
    page = form.submit(status=303).follow()
    assert "Élan vital!" in page
    event = db_session.scalars(select(Event)).one()
    assert event.slug == "elan-vital"
    assert [(r.name, r.price_cents) for r in event.releases] == [("Standard", 1250), ("Guest", 0)]
    assert "Only 3 left" in organiser.get("/e/elan-vital")
    assert "Élan vital!" in organiser.get("/")


def test_an_incomplete_event_is_explained(organiser: TestApp, factory: Factory) -> None:
    factory.event(slug="taken")
    form = organiser.get("/organiser/events/new").forms[1]
    assert "What is the event called?" in form.submit(status=422)
    form["title"], form["starts_at"], form["slug"] = "x", "2031-05-06T19:30", "taken"
    assert "at least one kind of ticket" in form.submit(status=422)
    form["releases-0-name"] = "Standard"
    assert "How many places" in form.submit(status=422)
    form["releases-0-capacity"] = "3"
    assert "in use already" in form.submit(status=422)


def new_event(organiser: TestApp, opens: str, zone: str | None) -> TestResponse:
    """Send a complete form; without a zone the field is as the page has it."""
    form = organiser.get("/organiser/events/new").forms[1]
    form["title"], form["starts_at"] = "Opening", "2031-05-06T19:30"
    form["releases-0-name"], form["releases-0-capacity"] = "Standard", "40"
    form["sales_open_at"] = opens
    if zone is not None:
        form["sales_zone"] = zone
    return form.submit(status="*")


@pytest.mark.parametrize(
    ("opens", "zone", "moment"),
    [
        ("", None, None),
        ("", "nowhere", None),
        ("2031-05-01T10:00", None, "2031-05-01T10:00:00+00:00"),
        ("2031-05-01T10:00", " Europe/Berlin ", "2031-05-01T08:00:00+00:00"),
        ("2031-03-30T01:59", "Europe/Berlin", "2031-03-30T00:59:00+00:00"),
        ("2031-03-30T03:00", "Europe/Berlin", "2031-03-30T01:00:00+00:00"),
        # shown twice when the clocks are put back: nobody comes too late for the first
        ("2031-10-26T02:30", "Europe/Berlin", "2031-10-26T00:30:00+00:00"),
    ],
)
def test_an_opening_is_kept_as_a_moment(
    organiser: TestApp, db_session: Session, opens: str, zone: str | None, moment: str | None
) -> None:
    assert new_event(organiser, opens, zone).status_int == 303
    kept = db_session.scalars(select(Event.sales_open_at)).one()
    assert kept == (datetime.fromisoformat(moment) if moment else None)


def test_an_opening_is_on_the_pages(organiser: TestApp) -> None:
    page = new_event(organiser, "2091-05-01T10:00", "Europe/Berlin").follow()
    assert "On sale from Tuesday 1 May 2091, 08:00 UTC" in page
    assert "Tuesday 1 May 2091, 08:00 UTC" in organiser.get("/e/opening")


@pytest.mark.parametrize(
    ("opens", "zone", "words"),
    [
        ("2031-03-30T02:00", "Europe/Berlin", "The clocks there skip this time"),
        ("2031-03-30T02:59", "Europe/Berlin", "The clocks there skip this time"),
        ("0001-01-01T00:00", "Asia/Tokyo", "The clocks there skip this time"),
        ("9999-12-31T23:59", "America/New_York", "The clocks there skip this time"),
        ("2031-05-01T10:00", "", "Which time zone is that?"),
        ("2031-05-01T10:00", "Europe/Atlantis", "Which time zone is that?"),
        ("2031-05-01T10:00", "Europe", "Which time zone is that?"),
        ("2031-05-01T10:00", "../etc/passwd", "Which time zone is that?"),
        ("2031-05-01T10:00", "/etc/passwd", "Which time zone is that?"),
        ("2031-05-01T10:00", "\0", "Which time zone is that?"),
        ("2031-05-01T10:00", "ü" * 60, "Which time zone is that?"),
        ("2031-05-01T10:00", "x" * 65, "64 characters"),
        ("soon", "UTC", "Not a valid"),
    ],
)
def test_an_opening_that_never_comes_is_refused(
    organiser: TestApp, db_session: Session, opens: str, zone: str, words: str
) -> None:
    page = new_event(organiser, opens, zone)
    assert page.status_int == 422
    assert words in page
    assert page.forms[1]["sales_open_at"].value == opens
    assert db_session.scalars(select(Event)).all() == []


def test_a_folder_of_zones_is_no_zone(organiser: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """So says Python 3.11 of “Europe” where the zones come from the package tzdata."""

    def look(name: str) -> None:
        raise IsADirectoryError(name)

    monkeypatch.setattr(forms, "ZoneInfo", look)
    page = new_event(organiser, "2031-05-01T10:00", "Europe")
    assert page.status_int == 422
    assert "Which time zone is that?" in page


def test_a_form_without_the_opening_sells_at_once(organiser: TestApp, db_session: Session) -> None:
    form = organiser.get("/organiser/events/new").forms[1]
    form["title"], form["starts_at"] = "As ever", "2031-05-06T19:30"
    form["releases-0-name"], form["releases-0-capacity"] = "Standard", "40"
    absent = ("sales_open_at", "sales_zone")
    fields = [field for field in form.submit_fields() if field[0] not in absent]
    organiser.post("/organiser/events/new", fields, status=303)
    assert db_session.scalars(select(Event.sales_open_at)).all() == [None]
    assert "Continue" in organiser.get("/e/as-ever")


def test_marking_as_paid_from_the_list_of_orders(
    organiser: TestApp, factory: Factory, db_session: Session
) -> None:
    event = factory.event(("Standard", 2500, 5))
    order = factory.confirmed(event, 2)
    page = organiser.get(f"/organiser/events/{event.slug}")
    form = next(form for form in page.forms.values() if form.action.endswith("/paid"))
    page = form.submit(status=303).follow()
    form.submit(status=303)  # twice is harmless
    assert "is paid" in page
    assert "€50.00" in page
    db_session.refresh(order)
    assert order.state == "paid"
    assert db_session.scalars(select(Outbox.kind)).all() == ["order.paid"]


def test_an_expired_order_cannot_be_marked_as_paid(
    organiser: TestApp, factory: Factory, db_session: Session
) -> None:
    event = factory.event(("Standard", 2500, 5))
    order = factory.confirmed(event)
    page = organiser.get(f"/organiser/events/{event.slug}")
    form = next(form for form in page.forms.values() if form.action.endswith("/paid"))
    order.state = "expired"
    db_session.commit()
    assert "cannot be marked as paid" in form.submit(status=409)


def test_an_export_is_asked_for_and_fetched(
    organiser: TestApp, factory: Factory, db_session: Session
) -> None:
    event = factory.event()
    page = organiser.get(f"/organiser/events/{event.slug}")
    form = next(form for form in page.forms.values() if form.action.endswith("/exports"))
    page = form.submit(status=303).follow()
    assert "Being made" in page
    export = db_session.scalars(select(Export)).one()
    assert db_session.scalars(select(Outbox.kind)).all() == ["export.requested"]
    organiser.get(f"/organiser/events/{event.slug}/exports/{export.id}", status=404)
    export.content, export.filename = b"Name\r\n", "list.csv"
    export.finished_at, export.state = export.created_at, "done"
    db_session.commit()
    found = organiser.get(f"/organiser/events/{event.slug}").click("list.csv")
    assert found.body == b"Name\r\n"
    assert 'filename="list.csv"' in found.headers["Content-Disposition"]


def test_other_organisers_events_are_not_there(organiser: TestApp, factory: Factory) -> None:
    event = factory.event(organiser=factory.organiser("eve@example.org"), title="Secret")
    assert "Secret" not in organiser.get("/organiser")
    organiser.get(f"/organiser/events/{event.slug}", status=404)
    order = factory.confirmed(event)
    token = organiser.get("/organiser").forms[0]["csrf_token"].value
    for path in (f"orders/{order.reference}/paid", "exports"):
        organiser.post(f"/organiser/events/{event.slug}/{path}", {"csrf_token": token}, status=404)
