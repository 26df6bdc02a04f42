"""Orders: what somebody holds, is about to pay, or has bought."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from boxoffice.db import Base, UtcDateTime, utcnow
from boxoffice.events.models import Event
from boxoffice.releases.models import Release


class State(StrEnum):
    HELD = "held"
    AWAITING_PAYMENT = "awaiting_payment"
    PAID = "paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Order(Base):
    __tablename__ = "orders"
    __table_args__ = (Index(None, "state", "expires_at"), Base.__table_args__)

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(String(32), unique=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"))
    idempotency_key: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(20), default=State.HELD)
    name: Mapped[str] = mapped_column(String(120), default="")
    email: Mapped[str] = mapped_column(String(190), default="")
    total_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    event: Mapped[Event] = relationship()
    lines: Mapped[list["OrderLine"]] = relationship(
        back_populates="order", order_by="OrderLine.release_id"
    )
    holds: Mapped[list["Hold"]] = relationship(order_by="Hold.pool_id")

    @property
    def places(self) -> int:
        return sum(line.quantity for line in self.lines)


class OrderLine(Base):
    __tablename__ = "order_line"

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("release.id"), primary_key=True)
    quantity: Mapped[int]
    price_cents: Mapped[int]

    order: Mapped[Order] = relationship(back_populates="lines")
    release: Mapped[Release] = relationship()


class Hold(Base):
    """Which counter an order's places were taken from, so that exactly that one gets them back.

    No foreign key to inventory: checking it would lock the hot row early.
    """

    __tablename__ = "order_hold"

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    pool_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    bucket: Mapped[int] = mapped_column(default=0)
    quantity: Mapped[int]
