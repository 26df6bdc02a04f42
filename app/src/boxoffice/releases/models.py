"""Releases (kinds of ticket) and the stock behind them."""

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from boxoffice.db import Base


class Pool(Base):
    """A number of places. Releases that share places share a pool."""

    __tablename__ = "pool"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"))


class Release(Base):
    __tablename__ = "release"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"))
    pool_id: Mapped[int] = mapped_column(ForeignKey("pool.id"))
    position: Mapped[int] = mapped_column(default=0)
    name: Mapped[str] = mapped_column(String(80))
    description: Mapped[str] = mapped_column(String(200), default="")
    price_cents: Mapped[int]
    max_per_order: Mapped[int] = mapped_column(default=10)


class Inventory(Base):
    """The counters. Only ever changed by conditional UPDATEs: never read, computed and written."""

    __tablename__ = "inventory"
    __table_args__ = (
        CheckConstraint("held >= 0 AND sold >= 0 AND held + sold <= capacity", name="no_oversell"),
        Base.__table_args__,
    )

    pool_id: Mapped[int] = mapped_column(ForeignKey("pool.id"), primary_key=True)
    bucket: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    capacity: Mapped[int]
    held: Mapped[int] = mapped_column(default=0)
    sold: Mapped[int] = mapped_column(default=0)
