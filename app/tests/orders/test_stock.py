"""Places: never one too many, never one lost."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from tests.factory import Factory

from boxoffice.db import make_session_factory, retrying, transaction
from boxoffice.orders.models import Hold, Order
from boxoffice.orders.services import Choice, expire_holds, mark_paid, reserve
from boxoffice.releases.models import Inventory
from boxoffice.releases.services import NoPlacesError, StockError, give_back, stock

CAPACITY = 12
BUYERS = 4 * CAPACITY


def test_a_stampede_sells_exactly_what_there_is(engine: Engine, factory: Factory) -> None:
    event = factory.event(("Standard", 0, CAPACITY))
    release = event.releases[0]
    choice = Choice(release.id, release.pool_id, 1, 0)
    sessions = make_session_factory(engine)
    gate = threading.Barrier(16)

    def buy(number: int) -> str:
        if number < 16:
            gate.wait()

        def attempt() -> str:
            with transaction(sessions) as session:
                return reserve(
                    session,
                    event_id=event.id,
                    currency="EUR",
                    choices=[choice],
                    key=f"buyer-{number}",
                    hold_seconds=900,
                ).state

        try:
            return retrying(attempt)
        except NoPlacesError:
            return "told"

    with ThreadPoolExecutor(16) as pool:
        answers = Counter(pool.map(buy, range(BUYERS)))
    assert answers == {"held": CAPACITY, "told": BUYERS - CAPACITY}
    with transaction(sessions) as session:
        assert stock(session, release.pool_id).held == CAPACITY
        assert len(session.scalars(select(Order)).all()) == CAPACITY


def test_the_database_itself_refuses_to_oversell(db_session: Session, factory: Factory) -> None:
    pool = factory.event(("Standard", 0, 2)).releases[0].pool_id
    with pytest.raises(DBAPIError, match="no_oversell"):
        db_session.execute(
            text("UPDATE inventory SET sold = 3 WHERE pool_id = :pool"), {"pool": pool}
        )


def test_too_many_are_refused_and_nothing_is_left_behind(
    db_session: Session, factory: Factory
) -> None:
    event = factory.event(("Standard", 0, 3))
    with pytest.raises(NoPlacesError) as refused:
        factory.order(event, 4)
    db_session.rollback()
    assert refused.value.stock.free == 3
    assert db_session.scalars(select(Order)).all() == []


def test_a_full_counter_leads_to_the_next_in_order(db_session: Session, factory: Factory) -> None:
    event = factory.event(("Standard", 0, 1))
    pool = event.releases[0].pool_id
    db_session.add_all(Inventory(pool_id=pool, bucket=b, capacity=2) for b in (1, 2))
    db_session.commit()
    orders = [factory.order(event, quantity) for quantity in (1, 2, 1, 1)]
    holds = db_session.execute(select(Hold.order_id, Hold.bucket).order_by(Hold.order_id)).all()
    assert [tuple(hold) for hold in holds] == [
        (order.id, bucket) for order, bucket in zip(orders, (0, 1, 2, 2), strict=True)
    ]
    with pytest.raises(NoPlacesError):
        factory.order(event, 1)


def test_selling_and_returning_hit_the_counter_that_was_taken(
    db_session: Session, factory: Factory
) -> None:
    event = factory.event(("Standard", 500, 1))
    pool = event.releases[0].pool_id
    db_session.add(Inventory(pool_id=pool, bucket=1, capacity=5))
    db_session.commit()
    factory.order(event, 1, hold_seconds=-1)
    mark_paid(db_session, factory.confirmed(event, 2))
    db_session.commit()
    assert expire_holds(db_session) == 1
    db_session.commit()
    counters = db_session.execute(
        select(Inventory.bucket, Inventory.held, Inventory.sold).order_by(Inventory.bucket)
    ).all()
    assert [tuple(counter) for counter in counters] == [(0, 0, 0), (1, 0, 2)]


def test_returning_what_is_not_held_is_an_error(db_session: Session, factory: Factory) -> None:
    pool = factory.event().releases[0].pool_id
    with pytest.raises(StockError):
        give_back(db_session, pool, 0, 1)
