"""From a bounce to no mail, to an organiser who lifts it, to the mail: hook, worker, page."""

from collections.abc import Callable
from datetime import timedelta

import boto3
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from tests.factory import PASSWORD, Factory
from tests.mail.aws import REGION, Moto
from tests.mail.letters import bounce, complaint, note
from tests.mail.poster import Hook
from tests.mail.worker import work_off
from webtest import TestApp, TestResponse

from boxoffice.db import utcnow
from boxoffice.mail import services
from boxoffice.mail.models import MailFeedback, MailSent, MailSuppressed, MailUnsent
from boxoffice.orders.models import Order
from boxoffice.outbox.models import Outbox

Page = Callable[[], TestResponse]


@pytest.fixture
def account(moto: Moto) -> Moto:
    client = boto3.client("sesv2", region_name=REGION, endpoint_url=moto.url)
    client.create_email_identity(EmailIdentity="example.org")
    return moto


@pytest.fixture
def page(app: TestApp, order: Order) -> Page:
    """The organiser's page of the order's event."""
    form = app.get("/organiser/sign-in").forms[0]
    form["email"], form["password"] = "ada@example.org", PASSWORD
    form.submit(status=303)
    return lambda: app.get(f"/organiser/events/{order.event.slug}")


def press(page: TestResponse) -> TestResponse:
    [form] = [form for form in page.forms.values() if form.action.endswith("/mail")]
    return form.submit(status=303).follow()


def test_a_bounce_stops_mails_until_it_is_lifted(
    working: None, account: Moto, hook: Hook, page: Page, row: Outbox, db_session: Session
) -> None:
    assert "bounced" not in page()
    hook.sign(note(bounce("Grace@example.org")))
    assert work_off(db_session) == ["mail.order"]
    assert account.mails() == []
    db_session.refresh(row)
    assert row.done_at is not None
    unsent = db_session.scalars(select(MailUnsent)).one()
    assert (unsent.reason, unsent.dedupe_key) == ("suppressed", row.dedupe_key)
    assert unsent.detail == "bounce of 2031-03-02: General: smtp; 550 5.1.1 user unknown"
    said = "Mail to this address bounced (2 March 2031, General: smtp; 550 5.1.1 user unknown)"
    assert said in page()

    after = press(page())
    assert "grace@example.org gets mail again" in after
    assert "bounced" not in after
    assert work_off(db_session) == ["mail.order"]
    assert len(account.mails()) == 1
    assert db_session.scalars(select(MailUnsent)).all() == []
    assert db_session.scalars(select(MailSent.dedupe_key)).all() == [row.dedupe_key]


def test_the_mail_that_bounced_is_sent_again_and_the_button_twice_is_one_mail(
    working: None, account: Moto, hook: Hook, page: Page, row: Outbox, db_session: Session
) -> None:
    work_off(db_session)
    hook.sign(note(bounce("grace@example.org")))
    before = page()
    press(before)
    assert work_off(db_session) == ["mail.order"]
    assert "gets mail again" not in press(before)
    assert work_off(db_session) == []
    assert len(account.mails()) == 2


def test_after_a_complaint_no_second_copy_is_sent(
    working: None, account: Moto, hook: Hook, page: Page, row: Outbox, db_session: Session
) -> None:
    work_off(db_session)
    hook.sign(note(complaint("grace@example.org")))
    assert "This address complained about our mail (2 March 2031, abuse)" in page()
    press(page())
    assert work_off(db_session) == []
    assert len(account.mails()) == 1


def test_a_transient_bounce_stops_nothing(
    working: None, account: Moto, hook: Hook, page: Page, row: Outbox, db_session: Session
) -> None:
    hook.sign(note(bounce("grace@example.org", "Transient")))
    work_off(db_session)
    assert len(account.mails()) == 1
    assert "bounced" not in page()


def test_a_refused_mail_is_shown_and_sent_again_once_the_sender_is_verified(
    working: None, moto: Moto, page: Page, row: Outbox, db_session: Session
) -> None:
    work_off(db_session)
    assert "The mail was refused" in page()
    assert "MessageRejected" in page()
    boto3.client("sesv2", region_name=REGION).create_email_identity(EmailIdentity="example.org")
    press(page())
    work_off(db_session)
    assert len(moto.mails()) == 1
    assert "refused" not in page()


def test_what_was_held_back_for_other_orders_of_the_address_leaves_too(
    working: None,
    account: Moto,
    hook: Hook,
    page: Page,
    row: Outbox,
    factory: Factory,
    db_session: Session,
) -> None:
    hook.sign(note(bounce("grace@example.org")))
    other = factory.paid(factory.event(organiser=factory.organiser("eve@example.org")))
    services_row = Outbox(
        kind="mail.order",
        payload={"order_id": other.id},
        dedupe_key=services.key_of(other.id),
        available_at=utcnow(),
    )
    db_session.add(services_row)
    db_session.commit()
    assert len(work_off(db_session)) == 2
    assert account.mails() == []
    press(page())
    assert len(work_off(db_session)) == 2
    assert len(account.mails()) == 2


def test_lifting_wants_a_token_a_sign_in_and_an_own_order(
    app: TestApp, hook: Hook, page: Page, factory: Factory, order: Order, db_session: Session
) -> None:
    hook.sign(note(bounce("grace@example.org")))
    own = f"/organiser/events/{order.event.slug}/orders"
    token = app.get("/organiser").forms[0]["csrf_token"].value
    app.post(f"{own}/{order.reference}/mail", {}, status=400)
    foreign = factory.paid(factory.event(organiser=factory.organiser("eve@example.org")))
    app.post(f"{own}/{foreign.reference}/mail", {"csrf_token": token}, status=404)
    stranger = TestApp(app.app)
    token = stranger.get("/organiser/sign-in").forms[0]["csrf_token"].value
    answer = stranger.post(f"{own}/{order.reference}/mail", {"csrf_token": token}, status=303)
    assert answer.location.endswith("/organiser/sign-in")
    assert db_session.scalar(select(func.count()).select_from(MailSuppressed)) == 1


def test_an_outbox_row_that_was_forgotten_is_owed_anew(
    working: None, account: Moto, hook: Hook, page: Page, row: Outbox, db_session: Session
) -> None:
    work_off(db_session)
    hook.sign(note(bounce("grace@example.org")))
    db_session.delete(db_session.get_one(Outbox, row.id))  # as the relay does after 30 days
    db_session.commit()
    press(page())
    assert work_off(db_session) == ["mail.order"]
    assert len(account.mails()) == 2


def test_the_inbox_forgets_only_what_cannot_come_again(db_session: Session) -> None:
    now = utcnow()
    for message_id, days in (("new", 1), ("old", 31)):
        assert services.first_time(db_session, message_id, "other", "")
        row = db_session.get_one(MailFeedback, message_id)
        row.received_at = now - timedelta(days=days)
    db_session.commit()
    services.forget(db_session, now)
    db_session.commit()
    assert db_session.scalars(select(MailFeedback.message_id)).all() == ["new"]


def test_addresses_that_differ_in_an_accent_are_two(db_session: Session) -> None:
    for address in ("Jose@example.org", "josé@example.org"):
        services.suppress(db_session, address, "bounce", "", utcnow())
    db_session.commit()
    found = set(db_session.scalars(select(MailSuppressed.address)))
    assert found == {"jose@example.org", "josé@example.org"}
