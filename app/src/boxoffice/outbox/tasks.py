"""The one task behind all outbox rows: do the work and close the row, in one transaction."""

import logging

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from boxoffice.db import is_unavailable, utcnow
from boxoffice.outbox.handlers import handler
from boxoffice.outbox.models import Outbox
from boxoffice.outbox.publisher import PROCESS
from boxoffice.tasking import Context, task

log = logging.getLogger(__name__)


@task(PROCESS)
def process(ctx: Context, outbox_id: int) -> None:
    try:
        work(ctx, outbox_id)
    except Exception as exc:
        if not is_unavailable(exc):
            _note_error(ctx.session, outbox_id, exc)
        raise


def work(ctx: Context, outbox_id: int) -> bool:
    """Do an open row's work; False when there is nothing to do here.

    A row that is done, or locked by somebody who is doing it, is left alone: a message may come
    twice, its effect must not. If the other one fails, the relay sends the row again.
    """
    row = ctx.session.scalar(
        select(Outbox)
        .where(Outbox.id == outbox_id, Outbox.done_at.is_(None))
        .with_for_update(skip_locked=True)
    )
    if row is None:
        log.info("outbox.skipped row=%s", outbox_id)
        return False
    # Closed first, so that between an effect outside the database and the commit lies no statement.
    row.done_at = utcnow()
    row.last_error = None
    ctx.session.flush()
    handler(row.kind)(ctx, row)
    return True


def _note_error(session: Session, outbox_id: int, error: Exception) -> None:
    """Leave a trace for people, once the failed work's transaction has let go of the row."""
    try:
        session.rollback()
        note = update(Outbox).where(Outbox.id == outbox_id).values(last_error=repr(error)[:2000])
        session.execute(note)
        session.commit()
    except Exception as exc:  # noqa: BLE001 - only a note
        log.warning("outbox.note_failed row=%s error=%r", outbox_id, exc)
