from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from boxoffice.db import Base, UtcDateTime, utcnow
from boxoffice.orders.models import Order
from boxoffice.releases.models import Release


class Ticket(Base):
    __tablename__ = "ticket"
    # Twice issued would be twice sold: the database refuses a second ticket for the same place.
    __table_args__ = (UniqueConstraint("order_id", "number"), Base.__table_args__)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    release_id: Mapped[int] = mapped_column(ForeignKey("release.id"))
    number: Mapped[int]
    secret: Mapped[str] = mapped_column(String(43), unique=True)
    holder_name: Mapped[str] = mapped_column(String(120), default="")
    holder_email: Mapped[str] = mapped_column(String(190), default="")
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    order: Mapped[Order] = relationship()
    release: Mapped[Release] = relationship()
