"""The life of an order."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from tests.factory import Factory

from boxoffice.db import make_session_factory, transaction, utcnow
from boxoffice.orders import services
from boxoffice.orders.models import Order, State
from boxoffice.outbox.models import Outbox
from boxoffice.payments.models import Payment
from boxoffice.payments.services import OfflineProvider
from boxoffice.releases.services import Stock, stock

BUYER = {"name": "Grace Hopper", "email": "grace@example.org", "provider": OfflineProvider()}


def kinds(session: Session) -> list[str]:
    return list(session.scalars(select(Outbox.kind)))


def test_the_same_key_is_the_same_order(db_session: Session, factory: Factory) -> None:
    event = factory.event()
    first, second = factory.order(event, 2, key="k"), factory.order(event, 2, key="k")
    assert first.reference == second.reference
    assert stock(db_session, event.releases[0].pool_id).held == 2


def test_the_same_key_at_the_same_moment_holds_once(engine: Engine, factory: Factory) -> None:
    event = factory.event()
    release = event.releases[0]
    sessions = make_session_factory(engine)
    gate = threading.Barrier(4)
    found: list[str] = []

    def attempt() -> None:
        with transaction(sessions) as session:
            session.scalar(select(Order))  # a connection, before the start
            gate.wait()
            choices = [services.Choice(release.id, release.pool_id, 1, 2500)]
            order = services.reserve(
                session,
                event_id=event.id,
                currency="EUR",
                choices=choices,
                key="twice",
                hold_seconds=900,
            )
        found.append(order.reference)

    def again() -> None:
        try:
            attempt()
        except services.RepeatedError:
            with transaction(sessions) as session:
                found.extend(session.scalars(select(Order.reference)))

    threads = [threading.Thread(target=again) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    with transaction(sessions) as session:
        assert stock(session, release.pool_id).held == 1


def test_nothing_is_held_before_the_sale_opens(db_session: Session, factory: Factory) -> None:
    opens_at = utcnow() + timedelta(minutes=1)
    event = factory.event(sales_open_at=opens_at)
    with pytest.raises(services.SaleNotOpenError) as refused:
        factory.order(event, now=opens_at - timedelta(microseconds=1))
    assert refused.value.opens_at == opens_at
    assert db_session.scalars(select(Order)).all() == []
    assert factory.order(event, now=opens_at).state == State.HELD
    assert stock(db_session, event.releases[0].pool_id).held == 1


def test_another_choice_with_the_same_form_is_another_order() -> None:
    one, two = services.Choice(1, 1, 1, 0), services.Choice(1, 1, 2, 0)
    assert services.idempotency_key("t", 1, [one]) == services.idempotency_key("t", 1, [one])
    assert services.idempotency_key("t", 1, [one]) != services.idempotency_key("t", 1, [two])


def test_a_free_order_is_paid_at_once(db_session: Session, factory: Factory) -> None:
    event = factory.event(("Free", 0, 5))
    order = factory.confirmed(event, 2)
    assert order.state == State.PAID
    assert stock(db_session, event.releases[0].pool_id) == Stock(capacity=5, held=0, sold=2)
    row = db_session.scalars(select(Outbox)).one()
    assert (row.kind, row.payload) == ("order.paid", {"order_id": order.id})
    assert row.dedupe_key == f"order.paid:{order.id}"


def test_confirming_twice_is_harmless(db_session: Session, factory: Factory) -> None:
    event = factory.event(("Free", 0, 5))
    order = factory.confirmed(event)
    services.confirm(db_session, order, **{**BUYER, "name": "Somebody Else"})
    db_session.commit()
    assert order.name == "Grace Hopper"
    assert stock(db_session, event.releases[0].pool_id).sold == 1
    assert kinds(db_session) == ["order.paid"]


def test_an_order_with_a_price_waits_for_its_money(db_session: Session, factory: Factory) -> None:
    event = factory.event(("Standard", 2500, 5))
    order = factory.confirmed(event, 2)
    assert order.state == State.AWAITING_PAYMENT
    assert order.expires_at is not None
    assert order.expires_at > utcnow() + timedelta(days=6)
    assert kinds(db_session) == []
    payment = db_session.scalars(select(Payment)).one()
    assert (payment.state, payment.amount_cents) == ("pending", 5000)


def test_marking_as_paid_twice_is_harmless(db_session: Session, factory: Factory) -> None:
    event = factory.event(("Standard", 2500, 5))
    order = factory.paid(event, 2)
    services.mark_paid(db_session, order)
    db_session.commit()
    assert order.state == State.PAID
    assert stock(db_session, event.releases[0].pool_id) == Stock(capacity=5, held=0, sold=2)
    assert kinds(db_session) == ["order.paid"]
    assert db_session.scalars(select(Payment.state)).all() == ["succeeded"]


def test_what_was_not_confirmed_cannot_be_paid(db_session: Session, factory: Factory) -> None:
    with pytest.raises(services.NotPayableError):
        services.mark_paid(db_session, factory.order(factory.event()))


def test_a_hold_that_is_over_cannot_be_confirmed(db_session: Session, factory: Factory) -> None:
    order = factory.order(factory.event(), hold_seconds=-1)
    with pytest.raises(services.HoldExpiredError):
        services.confirm(db_session, order, **BUYER)
    db_session.rollback()
    assert order.state == State.HELD  # the sweeper's to change


def test_expiry_gives_back_what_is_overdue_and_nothing_else(
    db_session: Session, factory: Factory
) -> None:
    event = factory.event(("Standard", 2500, 10))
    pool = event.releases[0].pool_id
    late, fresh = factory.order(event, 2, hold_seconds=-1), factory.order(event, 3)
    waiting, paid = factory.confirmed(event, 1), factory.paid(event, 1)
    assert services.expire_holds(db_session) == 1
    db_session.commit()
    assert [order.state for order in (late, fresh, waiting, paid)] == [
        "expired",
        "held",
        "awaiting_payment",
        "paid",
    ]
    assert stock(db_session, pool) == Stock(capacity=10, held=4, sold=1)
    assert services.expire_holds(db_session, utcnow() + timedelta(days=8)) == 2
    db_session.commit()
    assert stock(db_session, pool) == Stock(capacity=10, held=0, sold=1)
    assert "cancelled" in db_session.scalars(select(Payment.state)).all()


def test_two_sweepers_share_the_work(engine: Engine, factory: Factory) -> None:
    event = factory.event(("Standard", 0, 10))
    for _ in range(4):
        factory.order(event, hold_seconds=-1)
    sessions = make_session_factory(engine)
    with transaction(sessions) as first, transaction(sessions) as second:
        taken = first.scalars(select(Order).limit(3).with_for_update()).all()
        assert len(taken) == 3
        assert services.expire_holds(second) == 1  # what the other has locked is skipped
