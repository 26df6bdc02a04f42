import time
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session
from tests.factory import Factory

from boxoffice import cache
from boxoffice.config import Settings
from boxoffice.db import utcnow
from boxoffice.events import services


@pytest.fixture(autouse=True)
def _caches(settings: Settings) -> None:
    cache.configure(settings)


@pytest.mark.parametrize(
    ("title", "slug"),
    [("Élan vital!", "elan-vital"), ("  A -- B  ", "a-b"), ("東京", "event"), ("x" * 99, "x" * 80)],
)
def test_slugs(title: str, slug: str) -> None:
    assert services.slugify(title) == slug


def test_an_event_is_looked_up_in_the_cache(db_session: Session, factory: Factory) -> None:
    event = factory.event(title="Before")
    assert services.lookup(db_session, event.slug)["title"] == "Before"
    event.title = "After"
    db_session.commit()
    assert services.lookup(db_session, event.slug)["title"] == "Before"
    cache.objects.delete(f"event:{event.slug}")
    assert services.lookup(db_session, event.slug)["title"] == "After"


def test_an_event_that_is_not_there_is_not_remembered(
    db_session: Session, factory: Factory
) -> None:
    assert services.lookup(db_session, "soon") is None
    factory.event(slug="soon")
    assert services.lookup(db_session, "soon")


def test_availability_is_never_old(db_session: Session, factory: Factory) -> None:
    """The counts on a page come from a cache, but only for a moment."""
    event = factory.event(("Guest", 0, 5))
    plain = services.lookup(db_session, event.slug)
    pool = event.releases[0].pool_id
    assert services.availability(db_session, plain)[pool].free == 5
    factory.order(event, 2)
    assert services.availability(db_session, plain)[pool].free == 5
    assert services.FRESH <= 2
    time.sleep(services.FRESH + 0.1)
    assert services.availability(db_session, plain)[pool].free == 3


def test_the_home_page_lists_what_is_public_and_to_come(
    db_session: Session, factory: Factory
) -> None:
    now = datetime.now()  # noqa: DTZ005
    factory.event(slug="later", starts_at=now + timedelta(days=9))
    factory.event(slug="sooner", starts_at=now + timedelta(days=1))
    factory.event(slug="over", starts_at=now - timedelta(days=2))
    factory.event(slug="private", public=False)
    assert [event["slug"] for event in services.upcoming(db_session)] == ["sooner", "later"]


def test_sales_are_published_for_two_weeks_before_and_through_their_rush(
    db_session: Session, factory: Factory
) -> None:
    now, tick = utcnow(), timedelta(microseconds=1)
    days, minutes = timedelta(days=14), timedelta(minutes=90)
    factory.event(slug="too-far", sales_open_at=now + days + tick)
    factory.event(slug="far", sales_open_at=now + days)
    factory.event(slug="over", sales_open_at=now - minutes)
    factory.event(slug="ending", sales_open_at=now - minutes + tick)
    factory.event(slug="soon", sales_open_at=now + tick)
    factory.event(slug="private", sales_open_at=now, public=False)
    factory.event(slug="always")
    found = services.on_sales(db_session, now)
    assert [sale["slug"] for sale in found] == ["ending", "soon", "far"]
