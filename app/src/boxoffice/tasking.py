"""Binds tasks to the database: each run gets its own context, session and transaction."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Any

from celery import Task
from sqlalchemy.orm import Session, sessionmaker

from boxoffice.celery_app import app
from boxoffice.config import Settings, load_settings
from boxoffice.db import is_unavailable, make_engine, make_session_factory, transaction
from boxoffice.outbox.services import enqueued, publish_hint
from boxoffice.tables import import_models

MAX_RETRIES = 5


@dataclass(frozen=True)
class Context:
    """What a task works with; it ends with the task."""

    settings: Settings
    session: Session


@contextmanager
def context() -> Iterator[Context]:
    """One transaction. What it enqueued is published after the commit, as a hint."""
    settings, factory = runtime()
    with transaction(factory) as session:
        yield Context(settings, session)
    publish_hint(settings, enqueued(session))


def runtime() -> tuple[Settings, sessionmaker[Session]]:
    return _runtime(os.getpid())


@lru_cache(maxsize=1)
def _runtime(pid: int) -> tuple[Settings, sessionmaker[Session]]:  # noqa: ARG001
    # Keyed by process: a connection made before a fork must not be shared with the child.
    import_models()
    settings = load_settings(os.environ)
    return settings, make_session_factory(make_engine(settings))


def task(name: str, max_retries: int = MAX_RETRIES) -> Callable[[Callable[..., None]], Task]:
    """A Celery task whose function gets a Context first, inside its transaction.

    When the database is not to be had, the task comes again after a short pause. Any other
    error rolls back and ends the run; for outbox rows the relay brings it again.
    """

    def register(function: Callable[..., None]) -> Task:
        @wraps(function)
        def run(self: Task, *args: Any, **kwargs: Any) -> None:
            try:
                with context() as ctx:
                    function(ctx, *args, **kwargs)
            except Exception as exc:
                if not is_unavailable(exc):
                    raise
                raise self.retry(exc=exc, countdown=pause(self.request.retries)) from exc

        options = {"name": name, "max_retries": max_retries, "default_retry_delay": 1}
        return app.task(bind=True, **options)(run)

    return register


def pause(retries: int) -> float:
    """Seconds before a next try: soon, then slower, never in step with the others."""
    return float(min(0.3 * 2**retries, 8) * random.uniform(0.5, 1.5))  # noqa: S311
