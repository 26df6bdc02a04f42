"""What tickets are sold for."""

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from boxoffice.db import Base, UtcDateTime, utcnow
from boxoffice.releases.models import Release


class Event(Base):
    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    organiser_id: Mapped[int] = mapped_column(ForeignKey("organiser.id"))
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    title: Mapped[str] = mapped_column(String(120))
    summary: Mapped[str] = mapped_column(Text, default="")
    venue: Mapped[str] = mapped_column(String(160), default="")
    # the clock on the wall at the venue: it is only ever shown, never computed with
    starts_at: Mapped[datetime] = mapped_column(DateTime)
    # a moment, the same for everybody; without one the event is on sale from the start
    sales_open_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    public: Mapped[bool] = mapped_column(default=True)
    currency: Mapped[str] = mapped_column(String(3), default="EUR")
    payment_note: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    releases: Mapped[list[Release]] = relationship(order_by=Release.position)
