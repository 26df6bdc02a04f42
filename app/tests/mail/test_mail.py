import smtplib
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from tests.mail.sink import Sink, smtp_sink

from boxoffice.config import Settings
from boxoffice.mail import smtp
from boxoffice.mail.messages import order_message
from boxoffice.mail.models import MailSent, MailUnsent
from boxoffice.mail.tasks import mail_order
from boxoffice.orders.models import Order
from boxoffice.outbox.models import Outbox
from boxoffice.tasking import Context
from boxoffice.tickets.services import issue


@pytest.fixture
def sink() -> Iterator[Sink]:
    with smtp_sink() as sink:
        yield sink


@pytest.fixture
def ctx(settings: Settings, db_session: Session, sink: Sink) -> Context:
    return Context(replace(settings, smtp_port=sink.port), db_session)


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_the_buyer_gets_the_tickets(ctx: Context, order: Order, row: Outbox, sink: Sink) -> None:
    mail_order(ctx, row)
    assert sink.recipients == ["grace@example.org"]
    [mail] = sink.mails
    assert mail["To"] == "Grace Hopper <grace@example.org>"
    assert mail["Subject"] == "Your tickets for Jazz & <b>blues</b>"
    assert mail["Message-ID"] == f"<outbox-{row.id}@example.org>"
    url = f"http://localhost/o/{order.reference}"
    text, html = part(mail, "plain"), part(mail, "html")
    assert url in text
    assert f'href="{url}"' in html
    assert "Jazz & <b>blues</b>" in text
    assert "Jazz &amp; &lt;b&gt;blues&lt;/b&gt;" in html
    assert text.count("The Old Mill") == html.count("The Old Mill") == 1


def test_each_ticket_has_its_code_shown_in_the_html(
    ctx: Context, order: Order, row: Outbox, sink: Sink
) -> None:
    mail_order(ctx, row)
    [mail] = sink.mails
    pictures = [p for p in mail.walk() if p.get_content_type() == "image/png"]
    assert len(pictures) == 2
    html = part(mail, "html")
    for picture in pictures:
        assert picture.get_content().startswith(b"\x89PNG")
        assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in html
    for ticket in issue(ctx.session, order.id):
        assert ticket.secret in part(mail, "plain")


def test_the_same_mail_is_sent_once(ctx: Context, row: Outbox, sink: Sink) -> None:
    mail_order(ctx, row)
    ctx.session.commit()
    mail_order(ctx, row)
    assert len(sink.mails) == 1


def test_a_refused_mail_leaves_no_claim(ctx: Context, row: Outbox, sink: Sink) -> None:
    sink.answer = "451 try later"
    with pytest.raises(smtplib.SMTPDataError):
        mail_order(ctx, row)
    ctx.session.rollback()
    assert ctx.session.scalars(select(MailSent)).all() == []
    sink.answer = "250 accepted"
    mail_order(ctx, row)
    assert len(sink.mails) == 1


@pytest.mark.parametrize("answer", ["550 no such user", "554 no, thank you"])
def test_a_mail_refused_for_good_is_given_up_and_noted(
    ctx: Context, order: Order, row: Outbox, sink: Sink, answer: str
) -> None:
    sink.answer = answer
    mail_order(ctx, row)
    ctx.session.commit()
    unsent = ctx.session.scalars(select(MailUnsent)).one()
    assert (unsent.order_id, unsent.address) == (order.id, "grace@example.org")
    assert (unsent.reason, unsent.detail) == ("refused", f"the mail server answered: {answer}")
    assert ctx.session.scalars(select(MailSent)).all() == []


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (smtplib.SMTPRecipientsRefused({"a": (550, b"no\r\nuser")}), "550 no user"),
        (smtplib.SMTPRecipientsRefused({"a": (450, b"greylisted")}), ""),
        (smtplib.SMTPRecipientsRefused({"a": (550, b"no"), "b": (450, b"wait")}), ""),
        (smtplib.SMTPSenderRefused(553, b"who?", "us"), "553 who?"),
        (smtplib.SMTPConnectError(554, "no service"), ""),  # about the server, not this mail
        (smtplib.SMTPServerDisconnected("gone"), ""),
        (TimeoutError(), ""),
    ],
)
def test_which_answers_of_a_mail_server_are_final(error: Exception, final: str) -> None:
    assert smtp.refusal(error) == final


def test_a_failed_goodbye_is_not_a_failed_mail(
    ctx: Context, row: Outbox, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: smtplib.SMTP) -> None:
        raise TimeoutError

    monkeypatch.setattr(smtplib.SMTP, "quit", broken)
    mail_order(ctx, row)
    assert len(sink.mails) == 1


def test_a_silent_server_is_given_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, clean: None
) -> None:
    import socket

    monkeypatch.setattr(smtp, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(OSError, match="timed out"):
            smtp.send(replace(settings, smtp_port=port), EmailMessage())


def test_a_name_cannot_write_headers(settings: Settings, order: Order) -> None:
    order.name = "Eve\r\nBcc: everybody@example.org"
    order.event.title = "A\nB"
    mail = order_message(settings, order, [], 1)
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Your ticket for A B"
