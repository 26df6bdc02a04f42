"""Orders: hold places, confirm, be paid, expire.

Locks are always taken in the same direction: the order's own rows, then the counters in
ascending order, then COMMIT. Nothing is flushed after a counter has been touched.
"""

import hashlib
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, selectinload

from boxoffice.db import error_code, utcnow
from boxoffice.events.models import Event
from boxoffice.orders.models import Hold, Order, OrderLine, State
from boxoffice.outbox.services import enqueue
from boxoffice.payments import services as payments
from boxoffice.releases import services as stock

ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"  # nothing that is misread aloud
DUPLICATE = 1062


@dataclass(frozen=True)
class Choice:
    release_id: int
    pool_id: int
    quantity: int
    price_cents: int


class RepeatedError(Exception):
    """The same order is being written by another request at this moment: look again."""


class SaleNotOpenError(Exception):
    def __init__(self, opens_at: datetime) -> None:
        self.opens_at = opens_at
        super().__init__(f"the sale opens at {opens_at.isoformat()}")


class HoldExpiredError(Exception):
    def __init__(self, order: Order) -> None:
        self.order = order
        super().__init__(f"the hold of order {order.reference} has expired")


class NotPayableError(Exception):
    def __init__(self, order: Order) -> None:
        self.order = order
        super().__init__(f"order {order.reference} is {order.state}, it cannot be paid")


def idempotency_key(token: str, event_id: int, choices: Iterable[Choice]) -> str:
    """The same form sent again is the same order; another choice of tickets is another one."""
    chosen = sorted((choice.release_id, choice.quantity) for choice in choices)
    return hashlib.sha256(repr((token, event_id, chosen)).encode()).hexdigest()


def reserve(
    session: Session,
    *,
    event_id: int,
    currency: str,
    choices: list[Choice],
    key: str,
    hold_seconds: int,
    now: datetime | None = None,
) -> Order:
    """Hold places: one short transaction, the hot counters last. The caller commits at once."""
    now = now or utcnow()
    known, opens_at = _known_order_and_opening(session, event_id, key)
    if known:
        return known
    if opens_at and opens_at > now:
        raise SaleNotOpenError(opens_at)
    wanted: Counter[int] = Counter()
    for choice in choices:
        wanted[choice.pool_id] += choice.quantity
    order = Order(
        reference="".join(secrets.choice(ALPHABET) for _ in range(16)),
        event_id=event_id,
        idempotency_key=key,
        state=State.HELD,
        total_cents=sum(choice.quantity * choice.price_cents for choice in choices),
        currency=currency,
        created_at=now,
        expires_at=now + timedelta(seconds=hold_seconds),
        lines=[
            OrderLine(release_id=c.release_id, quantity=c.quantity, price_cents=c.price_cents)
            for c in choices
        ],
        holds=[Hold(pool_id=pool, quantity=wanted[pool]) for pool in sorted(wanted)],
    )
    session.add(order)
    try:
        session.flush()
    except IntegrityError as error:
        if error_code(error) == DUPLICATE:
            raise RepeatedError(key) from error
        raise
    for pool_id in sorted(wanted):
        _take(session, order.id, pool_id, wanted[pool_id])
    return order


def _known_order_and_opening(
    session: Session, event_id: int, key: str
) -> tuple[Order | None, datetime | None]:
    """Both by one question, for in a rush each one counts; from the tables, never from a cache."""
    row = session.execute(
        select(Order, Event.sales_open_at)
        .select_from(Event)
        .outerjoin(Order, Order.idempotency_key == key)
        .where(Event.id == event_id)
    ).one()
    return row[0], row[1]


def _take(session: Session, order_id: int, pool_id: int, quantity: int) -> None:
    if stock.take(session, pool_id, quantity):
        return
    for _ in range(stock.WALK):
        bucket = stock.bucket_with(session, pool_id, quantity)
        if bucket is None:
            break
        session.execute(
            update(Hold)
            .where(Hold.order_id == order_id, Hold.pool_id == pool_id)
            .values(bucket=bucket),
            execution_options={"synchronize_session": False},
        )
        if stock.take(session, pool_id, quantity, bucket):
            return
    raise stock.NoPlacesError(pool_id, quantity, stock.stock(session, pool_id))


def find(session: Session, reference: str) -> Order | None:
    return session.scalar(
        select(Order)
        .where(Order.reference == reference)
        .options(joinedload(Order.event), selectinload(Order.lines).joinedload(OrderLine.release))
    )


def lock(session: Session, order_id: int) -> Order:
    """The order as it is now, kept from others until the end of the transaction."""
    return session.scalars(
        select(Order)
        .where(Order.id == order_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def confirm(
    session: Session,
    order: Order,
    *,
    name: str,
    email: str,
    provider: payments.PaymentProvider,
    now: datetime | None = None,
) -> Order:
    """The buyer says who they are. Free orders are paid at once. Twice is harmless."""
    now = now or utcnow()
    order = lock(session, order.id)
    if order.state in (State.AWAITING_PAYMENT, State.PAID):
        return order
    if order.state != State.HELD or order.expires_at is None or order.expires_at <= now:
        raise HoldExpiredError(order)
    order.name, order.email, order.confirmed_at = name, email, now
    if order.total_cents == 0:
        _pay(session, order, now)
        return order
    order.state = State.AWAITING_PAYMENT
    order.expires_at = now + provider.patience
    payments.request_payment(session, provider, order.id, order.total_cents, order.currency)
    return order


def mark_paid(session: Session, order: Order, now: datetime | None = None) -> Order:
    """The money has arrived. Twice is harmless."""
    order = lock(session, order.id)
    if order.state == State.PAID:
        return order
    if order.state != State.AWAITING_PAYMENT:
        raise NotPayableError(order)
    _pay(session, order, now or utcnow())
    return order


def _pay(session: Session, order: Order, now: datetime) -> None:
    order.state, order.paid_at, order.expires_at = State.PAID, now, None
    payments.settle(session, order.id, payments.Status.SUCCEEDED, now)
    enqueue(session, "order.paid", {"order_id": order.id}, f"order.paid:{order.id}")
    holds = list(order.holds)
    session.flush()
    for hold in holds:
        stock.sell(session, hold.pool_id, hold.bucket, hold.quantity)


def expire_holds(session: Session, now: datetime | None = None, limit: int = 100) -> int:
    """Give the places of at most `limit` overdue orders back; how many orders that were.

    Runs on several hosts at once: each takes the rows that no other has locked.
    """
    now = now or utcnow()
    overdue = session.scalars(
        select(Order)
        .where(
            Order.state.in_([State.HELD, State.AWAITING_PAYMENT]),
            Order.expires_at <= now,
        )
        .order_by(Order.id)
        .limit(limit)
        .options(selectinload(Order.holds))
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    back: Counter[tuple[int, int]] = Counter()
    for order in overdue:
        if order.state == State.AWAITING_PAYMENT:
            payments.settle(session, order.id, payments.Status.CANCELLED, now)
        order.state = State.EXPIRED
        for hold in order.holds:
            back[hold.pool_id, hold.bucket] += hold.quantity
    session.flush()
    for (pool_id, bucket), quantity in sorted(back.items()):
        stock.give_back(session, pool_id, bucket, quantity)
    return len(overdue)
