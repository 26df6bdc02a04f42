"""Events: look them up (through the caches), create them."""

import re
import unicodedata
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from boxoffice import cache
from boxoffice.db import utcnow
from boxoffice.events.models import Event
from boxoffice.releases.models import Inventory, Pool, Release
from boxoffice.releases.services import Stock, stocks

FRESH = 2  # seconds that pages may be behind: what is on, how many are left
KEPT = 60  # seconds that an event's own data, which does not change, is kept
ANNOUNCED = timedelta(days=14)  # how long before its opening a sale is published
RUSH = timedelta(minutes=90)  # how long after its opening a sale counts as a rush


@dataclass(frozen=True)
class NewRelease:
    name: str
    price_cents: int
    capacity: int
    description: str = ""


class SlugTakenError(Exception):
    pass


def slugify(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:80] or "event"


def create(
    session: Session, *, organiser_id: int, slug: str, releases: list[NewRelease], **fields: Any
) -> Event:
    if session.scalar(select(Event.id).where(Event.slug == slug)):
        raise SlugTakenError(slug)
    event = Event(organiser_id=organiser_id, slug=slug, **fields)
    session.add(event)
    session.flush()
    for position, new in enumerate(releases):
        pool = Pool(event_id=event.id)
        session.add(pool)
        session.flush()
        session.add(Inventory(pool_id=pool.id, bucket=0, capacity=new.capacity, held=0, sold=0))
        session.add(
            Release(
                event_id=event.id,
                pool_id=pool.id,
                position=position,
                name=new.name,
                description=new.description,
                price_cents=new.price_cents,
            )
        )
    session.flush()
    return event


def of_organiser(session: Session, organiser_id: int) -> list[Event]:
    query = select(Event).where(Event.organiser_id == organiser_id).order_by(Event.starts_at.desc())
    return list(session.scalars(query.options(selectinload(Event.releases))))


def own(session: Session, organiser_id: int, slug: str) -> Event | None:
    return session.scalar(
        select(Event)
        .where(Event.organiser_id == organiser_id, Event.slug == slug)
        .options(selectinload(Event.releases))
    )


def upcoming(session: Session, limit: int = 50) -> list[dict[str, Any]]:
    """Public events that have not been over for a day, as plain data for the cache."""

    def ask() -> list[dict[str, Any]]:
        since = datetime.now() - timedelta(days=1)  # noqa: DTZ005 - wall clocks of venues
        query = select(Event).where(Event.public, Event.starts_at > since)
        query = query.order_by(Event.starts_at).limit(limit).options(selectinload(Event.releases))
        return [_plain(event) for event in session.scalars(query)]

    found: list[dict[str, Any]] = cache.fragments.get_or_create(
        "upcoming", ask, expiration_time=FRESH
    )
    return found


def lookup(session: Session, slug: str) -> dict[str, Any] | None:
    """An event and its releases as plain data; from Redis when it is there."""

    def ask() -> dict[str, Any] | None:
        query = select(Event).where(Event.slug == slug).options(selectinload(Event.releases))
        event = session.scalar(query)
        return _plain(event) if event else None

    found: dict[str, Any] | None = cache.objects.get_or_create(
        f"event:{slug}",
        ask,
        expiration_time=KEPT,
        should_cache_fn=lambda value: value is not None,
    )
    return found


def opening_to_come(event: dict[str, Any]) -> datetime | None:
    """When the sale opens; None once it has. The cache keeps the moment, never the answer."""
    # what an older release has put into the cache has no such key
    text = event.get("sales_open_at")
    opens_at = datetime.fromisoformat(text) if text else None
    return opens_at if opens_at and opens_at > utcnow() else None


def on_sales(session: Session, now: datetime | None = None) -> list[dict[str, str]]:
    """The rushes that are coming or going on. Not from a cache: others get ready by it."""
    now = now or utcnow()
    query = (
        select(Event.title, Event.slug, Event.sales_open_at)
        .where(
            Event.public,
            Event.sales_open_at > now - RUSH,
            Event.sales_open_at <= now + ANNOUNCED,
        )
        .order_by(Event.sales_open_at, Event.id)
    )
    rows: Any = session.execute(query)  # the condition leaves no row without a moment
    return [
        {
            "name": title,
            "slug": slug,
            "starts_at": opens_at.isoformat(),
            "ends_at": (opens_at + RUSH).isoformat(),
        }
        for title, slug, opens_at in rows
    ]


def availability(session: Session, event: dict[str, Any]) -> dict[int, Stock]:
    """Stock by pool, at most two seconds old: for pages, never for decisions."""
    pool_ids = [release["pool_id"] for release in event["releases"]]

    def ask() -> list[list[Any]]:
        return [[pool, asdict(stock)] for pool, stock in stocks(session, pool_ids).items()]

    rows = cache.fragments.get_or_create(f"stock:{event['id']}", ask, expiration_time=FRESH)
    return {pool: Stock(**stock) for pool, stock in rows}


def _plain(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "slug": event.slug,
        "title": event.title,
        "summary": event.summary,
        "venue": event.venue,
        "starts_at": event.starts_at.isoformat(),
        "sales_open_at": event.sales_open_at.isoformat() if event.sales_open_at else None,
        "currency": event.currency,
        "releases": [
            {
                "id": release.id,
                "pool_id": release.pool_id,
                "name": release.name,
                "description": release.description,
                "price_cents": release.price_cents,
                "max_per_order": release.max_per_order,
            }
            for release in event.releases
        ],
    }
