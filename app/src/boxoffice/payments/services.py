"""Being paid: the interface a payment provider fills in, and the first provider.

The shape is that of Stripe's PaymentIntents: an intent is created for an amount under an
idempotency key, has a status, and can be cancelled unless it has succeeded.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from boxoffice.db import utcnow
from boxoffice.payments.models import Payment


class Status(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Intent:
    provider_id: str
    status: Status


class PaymentProvider(Protocol):
    name: str
    patience: timedelta  # how long places are kept while the money is on its way

    def create(self, amount_cents: int, currency: str, key: str) -> Intent: ...

    def cancel(self, provider_id: str) -> Intent: ...

    def status(self, provider_id: str) -> Intent: ...


class OfflineProvider:
    """Money moves outside of the shop; the organiser says when it has arrived."""

    name = "offline"
    patience = timedelta(days=7)

    def create(self, amount_cents: int, currency: str, key: str) -> Intent:  # noqa: ARG002
        return Intent(provider_id=key, status=Status.PENDING)

    def cancel(self, provider_id: str) -> Intent:
        return Intent(provider_id=provider_id, status=Status.CANCELLED)

    def status(self, provider_id: str) -> Intent:
        return Intent(provider_id=provider_id, status=Status.PENDING)


def request_payment(
    session: Session, provider: PaymentProvider, order_id: int, amount_cents: int, currency: str
) -> Payment:
    intent = provider.create(amount_cents, currency, key=f"order-{order_id}-1")
    payment = Payment(
        order_id=order_id,
        provider=provider.name,
        provider_id=intent.provider_id,
        state=intent.status,
        amount_cents=amount_cents,
        currency=currency,
    )
    session.add(payment)
    return payment


def settle(session: Session, order_id: int, status: Status, now: datetime | None = None) -> None:
    """Write down how the open payment of an order ended."""
    pending = select(Payment).where(Payment.order_id == order_id, Payment.state == Status.PENDING)
    for payment in session.scalars(pending):
        payment.state = status
        payment.settled_at = now or utcnow()
