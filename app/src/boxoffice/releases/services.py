"""Stock: taking, returning and selling places, each by one conditional UPDATE.

Every function here must be the last thing its transaction does before COMMIT: the counter
is the hottest row there is, and its lock is kept until then.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import CursorResult, Update, func, select, update
from sqlalchemy.orm import Session

from boxoffice.releases.models import Inventory, Release

WALK = 16  # times to look for another counter before giving up


@dataclass(frozen=True)
class Stock:
    capacity: int
    held: int
    sold: int

    @property
    def free(self) -> int:
        return self.capacity - self.held - self.sold


class NoPlacesError(Exception):
    """Not enough free places; says how things stand."""

    def __init__(self, pool_id: int, wanted: int, stock: Stock) -> None:
        self.pool_id = pool_id
        self.wanted = wanted
        self.stock = stock
        super().__init__(f"pool {pool_id}: wanted {wanted}, {stock}")


class StockError(Exception):
    """A counter does not match the holds: a bug, never a busy moment."""


def take(session: Session, pool_id: int, quantity: int, bucket: int = 0) -> bool:
    """Hold places on one counter; False when it has too few."""
    statement = (
        update(Inventory)
        .where(
            Inventory.pool_id == pool_id,
            Inventory.bucket == bucket,
            Inventory.held + Inventory.sold + quantity <= Inventory.capacity,
        )
        .values(held=Inventory.held + quantity)
    )
    return _run(session, statement) == 1


def bucket_with(session: Session, pool_id: int, quantity: int) -> int | None:
    """The first counter, in order, that seems to have room: a hint, take() decides."""
    return session.scalar(
        select(Inventory.bucket)
        .where(
            Inventory.pool_id == pool_id,
            Inventory.capacity - Inventory.held - Inventory.sold >= quantity,
        )
        .order_by(Inventory.bucket)
        .limit(1)
    )


def sell(session: Session, pool_id: int, bucket: int, quantity: int) -> None:
    _move(session, pool_id, bucket, quantity, sold=Inventory.sold + quantity)


def give_back(session: Session, pool_id: int, bucket: int, quantity: int) -> None:
    _move(session, pool_id, bucket, quantity)


def _move(session: Session, pool_id: int, bucket: int, quantity: int, **values: Any) -> None:
    statement = (
        update(Inventory)
        .where(Inventory.pool_id == pool_id, Inventory.bucket == bucket, Inventory.held >= quantity)
        .values(held=Inventory.held - quantity, **values)
    )
    if _run(session, statement) != 1:
        raise StockError(f"pool {pool_id} bucket {bucket}: fewer than {quantity} places are held")


def _run(session: Session, statement: Update) -> int:
    result = session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount


def stock(session: Session, pool_id: int) -> Stock:
    return stocks(session, [pool_id])[pool_id]


def stocks(session: Session, pool_ids: Iterable[int]) -> dict[int, Stock]:
    rows = session.execute(
        select(
            Inventory.pool_id,
            func.sum(Inventory.capacity),
            func.sum(Inventory.held),
            func.sum(Inventory.sold),
        )
        .where(Inventory.pool_id.in_(list(pool_ids)))
        .group_by(Inventory.pool_id)
    )
    return {row[0]: Stock(int(row[1]), int(row[2]), int(row[3])) for row in rows}


def release_of_pool(session: Session, pool_id: int) -> Release | None:
    return session.scalar(select(Release).where(Release.pool_id == pool_id).limit(1))
