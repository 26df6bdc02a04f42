"""Makes and commits what a test needs first."""

import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from boxoffice.accounts.models import Organiser
from boxoffice.accounts.services import save_organiser
from boxoffice.db import utcnow
from boxoffice.events.models import Event
from boxoffice.events.services import NewRelease, create
from boxoffice.orders import services as orders
from boxoffice.orders.models import Order
from boxoffice.payments.services import OfflineProvider

PASSWORD = "correct horse battery"


class Factory:
    def __init__(self, session: Session) -> None:
        self.session = session

    def organiser(self, email: str = "ada@example.org") -> Organiser:
        query = select(Organiser).where(Organiser.email == email)
        if not self.session.scalar(query):
            save_organiser(self.session, email, PASSWORD)
            self.session.commit()
        return self.session.scalars(query).one()

    def event(self, *releases: tuple[str, int, int], slug: str = "", **fields: Any) -> Event:
        """Releases as (name, price in cents, capacity)."""
        organiser = fields.pop("organiser", None) or self.organiser()
        new = releases or (("Standard", 2500, 10),)
        event = create(
            self.session,
            organiser_id=organiser.id,
            slug=slug or f"event-{secrets.token_hex(4)}",
            releases=[NewRelease(*release) for release in new],
            **{
                "title": "A concert",
                "starts_at": datetime.now() + timedelta(days=30),  # noqa: DTZ005
                **fields,
            },
        )
        self.session.commit()
        return event

    def order(self, event: Event, quantity: int = 1, key: str = "", **kw: Any) -> Order:
        """Hold `quantity` places of the event's first release."""
        release = event.releases[0]
        order = orders.reserve(
            self.session,
            event_id=event.id,
            currency=event.currency,
            choices=[orders.Choice(release.id, release.pool_id, quantity, release.price_cents)],
            key=key or secrets.token_hex(16),
            **{"hold_seconds": 900, **kw},
        )
        self.session.commit()
        return order

    def confirmed(self, event: Event, quantity: int = 1) -> Order:
        order = orders.confirm(
            self.session,
            self.order(event, quantity),
            name="Grace Hopper",
            email="grace@example.org",
            provider=OfflineProvider(),
            now=utcnow(),
        )
        self.session.commit()
        return order

    def paid(self, event: Event, quantity: int = 1) -> Order:
        order = orders.mark_paid(self.session, self.confirmed(event, quantity))
        self.session.commit()
        return order
