"""Mails through SES: a moto server takes them, a fake one says no in the ways that SES does."""

import re
import socket
import subprocess
import sys
import time
from base64 import b64decode
from dataclasses import replace
from email import message_from_bytes, policy
from typing import Any

import boto3
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from tests.mail.aws import REGION, Fake, Moto
from tests.mail.worker import work_off

from boxoffice.config import Settings
from boxoffice.mail import ses
from boxoffice.mail.errors import LaterError, RefusedError
from boxoffice.mail.messages import order_message
from boxoffice.mail.models import MailSent, MailUnsent
from boxoffice.orders.models import Order
from boxoffice.outbox.models import Outbox


def verify(moto: Moto, name: str = "example.org") -> None:
    client = boto3.client("sesv2", region_name=REGION, endpoint_url=moto.url)
    client.create_email_identity(EmailIdentity=name)


def test_the_same_message_goes_out_once(
    working: None, moto: Moto, row: Outbox, order: Order, db_session: Session
) -> None:
    verify(moto)
    order.name = "Zoë Ångström"
    db_session.commit()
    assert work_off(db_session) == ["mail.order"]
    [mail] = moto.mails()
    assert {re.sub(r".*<(.*)>", r"\1", to) for to in mail["destinations"]} == {order.email}
    raw = mail["raw_data"]
    assert raw.isascii()
    read: Any = message_from_bytes(raw.encode(), policy=policy.default)
    assert read["To"] == f"Zoë Ångström <{order.email}>"
    assert read["Message-ID"] == f"<outbox-{row.id}@example.org>"
    assert read["X-Mail-Id"] == f"outbox-{row.id}"
    assert f"/o/{order.reference}" in read.get_body(("plain",)).get_content()
    assert len([p for p in read.walk() if p.get_content_type() == "image/png"]) == 2
    assert db_session.scalars(select(MailSent.dedupe_key)).all() == [row.dedupe_key]
    row.done_at = None  # a message that comes twice
    db_session.commit()
    work_off(db_session)
    assert len(moto.mails()) == 1


def test_an_unverified_sender_is_a_mail_given_up(
    working: None, moto: Moto, row: Outbox, db_session: Session
) -> None:
    work_off(db_session)
    db_session.refresh(row)
    assert row.done_at is not None
    unsent = db_session.scalars(select(MailUnsent)).one()
    assert (unsent.order_id, unsent.reason) == (row.payload["order_id"], "refused")
    assert "MessageRejected" in unsent.detail
    assert "not verified" in unsent.detail
    assert db_session.scalars(select(MailSent)).all() == []


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "TooManyRequestsException"),
        (400, "LimitExceededException"),
        (400, "SendingPausedException"),
    ],
)
def test_a_throttled_mail_stays_owed_and_leaves_later(
    working: None, fake: Fake, row: Outbox, db_session: Session, status: int, code: str
) -> None:
    fake.status, fake.code = status, code
    with pytest.raises(LaterError, match=f"SES answered {code}: says the fake"):
        work_off(db_session)
    assert len(fake.asked) <= ses.ATTEMPTS
    db_session.refresh(row)
    assert row.done_at is None
    assert code in (row.last_error or "")
    assert db_session.scalars(select(MailUnsent)).all() == []
    fake.status = 200
    work_off(db_session)
    db_session.refresh(row)
    assert row.done_at is not None
    assert db_session.scalars(select(MailSent.dedupe_key)).all() == [row.dedupe_key]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("MessageRejected", RefusedError),
        ("MailFromDomainNotVerifiedException", RefusedError),
        ("BadRequestException", RefusedError),
        ("NotFoundException", LaterError),  # the configuration set: mended on our side
        ("AccessDeniedException", LaterError),
        ("SomethingNewException", LaterError),
    ],
)
def test_what_is_final_and_what_is_not(
    by_ses: Settings, fake: Fake, order: Order, code: str, kind: type[Exception]
) -> None:
    fake.status, fake.code = 400, code
    with pytest.raises(kind, match=code):
        ses.send(by_ses, order_message(by_ses, order, [], 1))


def test_what_ses_is_asked(by_ses: Settings, fake: Fake, order: Order) -> None:
    fake.status = 200
    ses.send(by_ses, order_message(by_ses, order, [], 1))
    ses.send(replace(by_ses, ses_configuration_set="shop"), order_message(by_ses, order, [], 1))
    assert [asked.get("ConfigurationSetName") for asked in fake.asked] == [None, "shop"]
    assert [asked["Destination"]["ToAddresses"] for asked in fake.asked] == [[order.email]] * 2
    raw = b64decode(fake.asked[0]["Content"]["Raw"]["Data"])
    assert message_from_bytes(raw)["From"] == by_ses.mail_from


def test_a_silent_ses_is_given_up_soon(
    by_ses: Settings, aws: pytest.MonkeyPatch, order: Order
) -> None:
    aws.setattr(ses, "READ_TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        aws.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        begun = time.monotonic()
        with pytest.raises(LaterError, match="could not be asked"):
            ses.send(by_ses, order_message(by_ses, order, [], 1))
    assert time.monotonic() - begun < 8


def test_without_ses_no_library_of_amazons_is_needed() -> None:
    """They are an extra: a host without them runs all the same."""
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('boto3', 'botocore', 'cryptography')))\n"
        "import boxoffice.app, boxoffice.mail.tasks, boxoffice.mail.hook, boxoffice.cli"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603
