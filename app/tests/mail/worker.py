"""This process stands in for a worker's: outbox rows are worked off as its task does it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from tests.outbox.processes import environment

from boxoffice import tasking
from boxoffice.config import Settings
from boxoffice.mail import tasks as mail_tasks
from boxoffice.outbox import tasks
from boxoffice.outbox.models import Outbox

assert mail_tasks  # its import makes the handler of mails known


@contextmanager
def worker(settings: Settings, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    values = environment(settings, folder)
    values |= {"MAIL_BACKEND": settings.mail_backend, "AWS_REGION": settings.aws_region}
    for key, value in values.items():
        patch.setenv(key, value)
    tasking._runtime.cache_clear()
    try:
        yield
    finally:
        tasking.runtime()[1].kw["bind"].dispose()
        tasking._runtime.cache_clear()


def work_off(session: Session) -> list[str]:
    """Do all owed mails; the kinds of what was done."""
    session.rollback()
    query = select(Outbox).where(Outbox.done_at.is_(None), Outbox.kind.like("mail.%"))
    rows = [(row.id, row.kind) for row in session.scalars(query.order_by(Outbox.id))]
    session.rollback()
    try:
        for row_id, _kind in rows:
            tasks.process.apply((row_id,), throw=True)
    finally:
        session.expire_all()
    return [kind for _row_id, kind in rows]
