from xml.etree import ElementTree

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from tests.factory import Factory

from boxoffice.outbox.models import Outbox
from boxoffice.outbox.services import enqueue
from boxoffice.tasking import Context
from boxoffice.tickets.models import Ticket
from boxoffice.tickets.services import issue, qr_svg
from boxoffice.tickets.tasks import issue_tickets


def count(session: Session, table: type) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0


def test_one_ticket_for_each_place(factory: Factory, db_session: Session) -> None:
    order = factory.paid(factory.event(), 3)
    tickets = issue(db_session, order.id)
    assert [ticket.number for ticket in tickets] == [1, 2, 3]
    assert {ticket.release_id for ticket in tickets} == {order.lines[0].release_id}
    assert {ticket.holder_email for ticket in tickets} == {"grace@example.org"}
    assert len({ticket.secret for ticket in tickets}) == 3
    assert min(len(ticket.secret) for ticket in tickets) >= 20


def test_issued_again_they_are_the_same(factory: Factory, db_session: Session) -> None:
    order = factory.paid(factory.event(), 2)
    first = [ticket.secret for ticket in issue(db_session, order.id)]
    db_session.commit()
    assert [ticket.secret for ticket in issue(db_session, order.id)] == first
    assert count(db_session, Ticket) == 2


def test_a_missing_ticket_is_added(factory: Factory, db_session: Session) -> None:
    order = factory.paid(factory.event(), 3)
    db_session.delete(issue(db_session, order.id)[1])
    db_session.flush()
    assert [ticket.number for ticket in issue(db_session, order.id)] == [1, 2, 3]


def test_the_database_refuses_a_second_ticket_for_a_place(
    factory: Factory, db_session: Session
) -> None:
    order = factory.paid(factory.event())
    [ticket] = issue(db_session, order.id)
    again = Ticket(order_id=order.id, release_id=ticket.release_id, number=1, secret="other")
    db_session.add(again)
    with pytest.raises(IntegrityError):
        db_session.flush()


def test_a_paid_order_owes_one_mail(
    factory: Factory, db_session: Session, settings: object
) -> None:
    order = factory.paid(factory.event())
    row = enqueue(db_session, "order.paid", {"order_id": order.id}, f"order.paid:{order.id}")
    for _ in range(2):
        issue_tickets(Context(settings, db_session), row)
    mails = db_session.scalars(select(Outbox).where(Outbox.kind == "mail.order")).all()
    assert [mail.payload for mail in mails] == [{"order_id": order.id}]


def test_a_code_is_an_svg_that_scales() -> None:
    root = ElementTree.fromstring(qr_svg("a-secret"))  # noqa: S314 - our own
    assert root.tag.endswith("svg")
    assert "viewBox" in root.attrib
    assert "width" not in root.attrib
    assert qr_svg("a-secret") != qr_svg("another")
