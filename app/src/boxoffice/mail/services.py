"""Addresses that get no mail, mails that were given up, and what people can do about both."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.orm import Session

from boxoffice.db import utcnow
from boxoffice.mail.errors import RefusedError, SuppressedError
from boxoffice.mail.models import MailFeedback, MailSent, MailSuppressed, MailUnsent
from boxoffice.orders.models import Order
from boxoffice.outbox.services import reopen

LONGEST_DETAIL = 500
LONGEST_ADDRESS = 190  # of an order; a longer one is none of ours
KEEP_FEEDBACK = timedelta(days=30)
FORGET_BATCH = 500


def key_of(order_id: int) -> str:
    """The dedupe key of an order's mail."""
    return f"mail.order:{order_id}"


def normal(address: str) -> str:
    """As it stands in our tables. Servers that tell upper from lower case are not to be found."""
    return address.strip().lower()


def claim(session: Session, dedupe_key: str) -> bool:
    """True for the first who asks. A second one waits for the first's commit, and gets an error."""
    if session.get(MailSent, dedupe_key):
        return False
    session.add(MailSent(dedupe_key=dedupe_key))
    session.flush()
    return True


def check(session: Session, address: str) -> None:
    """SuppressedError when this address gets no mail."""
    found = session.get(MailSuppressed, normal(address))
    if found:
        raise SuppressedError(f"{found.reason} of {found.at:%Y-%m-%d}: {found.detail}")


def give_up(session: Session, dedupe_key: str, order: Order, error: RefusedError) -> None:
    """Note instead of the claim that this mail did not leave, and why."""
    session.execute(delete(MailSent).where(MailSent.dedupe_key == dedupe_key))
    session.merge(
        MailUnsent(
            dedupe_key=dedupe_key,
            order_id=order.id,
            address=normal(order.email),
            reason=error.reason,
            detail=str(error)[:LONGEST_DETAIL],
            at=utcnow(),
        )
    )
    session.flush()


def suppress(session: Session, address: str, reason: str, detail: str, at: datetime) -> None:
    """No more mail to this address. The newest reason is the one that people see."""
    address = normal(address)
    if not 0 < len(address) <= LONGEST_ADDRESS:
        return
    values = {"reason": reason, "detail": detail[:LONGEST_DETAIL], "at": at}
    statement = insert(MailSuppressed).values(address=address, **values)
    session.execute(statement.on_duplicate_key_update(values))


def first_time(session: Session, message_id: str, kind: str, detail: str) -> bool:
    """Note a message about mails; False when it was noted before. A second one at the same moment
    waits for the first's commit."""
    statement = insert(MailFeedback).prefix_with("IGNORE")
    row = {"message_id": message_id, "kind": kind, "detail": detail[:LONGEST_DETAIL]}
    # a MySQL INSERT IGNORE of a known key changes no row
    return session.execute(statement.values(**row)).rowcount == 1  # type: ignore[attr-defined]


def seen(session: Session, message_id: str) -> bool:
    return session.get(MailFeedback, message_id) is not None


def forget(session: Session, now: datetime) -> None:
    """Delete some messages that are too old to come again."""
    session.execute(
        delete(MailFeedback)
        .where(MailFeedback.received_at < now - KEEP_FEEDBACK)
        .with_dialect_options(mysql_limit=FORGET_BATCH)
        .execution_options(synchronize_session=False)
    )


@dataclass(frozen=True)
class Trouble:
    """Why the buyer may have no mail. `reason`: bounce, complaint or refused."""

    reason: str
    detail: str
    at: datetime


def troubles(session: Session, orders: Iterable[Order]) -> dict[int, Trouble]:
    """By the order's id, of those whose mail needs somebody's eyes."""
    named = {order.id: normal(order.email) for order in orders if order.email}
    if not named:
        return {}
    suppressed = {
        row.address: row
        for row in session.scalars(
            select(MailSuppressed).where(MailSuppressed.address.in_(set(named.values())))
        )
    }
    unsent = {
        row.order_id: row
        for row in session.scalars(
            select(MailUnsent).where(
                MailUnsent.order_id.in_(named), MailUnsent.reason == RefusedError.reason
            )
        )
    }
    found = {}
    for order_id, address in named.items():
        row = suppressed.get(address) or unsent.get(order_id)
        if row:
            found[order_id] = Trouble(row.reason, row.detail, row.at)
    return found


def lift(session: Session, order: Order) -> bool:
    """Mail the buyer again, because an organiser says that the cause is mended.

    What was held back for this address leaves now, and so does this order's own mail when it
    bounced or was refused: it did not arrive. After a complaint it had. Twice is harmless.
    False when there was nothing to lift.
    """
    address = normal(order.email)
    suppressed = session.get(MailSuppressed, address, with_for_update=True)
    if suppressed:
        session.delete(suppressed)
    held = MailUnsent.reason == SuppressedError.reason
    unsent = session.scalars(
        select(MailUnsent)
        .where(
            ((MailUnsent.address == address) & held) | (MailUnsent.order_id == order.id),
        )
        .with_for_update()
    ).all()
    again = {row.dedupe_key: row.order_id for row in unsent}
    for row in unsent:
        session.delete(row)
    if suppressed and suppressed.reason == "bounce":
        sent = session.get(MailSent, key_of(order.id), with_for_update=True)
        if sent:
            session.delete(sent)
            again[sent.dedupe_key] = order.id
    session.flush()
    for key, order_id in sorted(again.items()):
        reopen(session, "mail.order", {"order_id": order_id}, key)
    return bool(suppressed or unsent)
