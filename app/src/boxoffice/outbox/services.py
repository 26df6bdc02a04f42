"""Enqueue work in the transaction that owes it, and hint at it after the commit."""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from boxoffice.config import Settings
from boxoffice.db import utcnow
from boxoffice.outbox import hints
from boxoffice.outbox.models import Outbox

# The hint after the commit nearly always works: the relay looks at a row only after this.
HINT_GRACE = timedelta(seconds=2)
_REMEMBERED = 10_000
_kinds: OrderedDict[int, str] = OrderedDict()


def enqueue(
    session: Session,
    kind: str,
    payload: dict[str, Any],
    dedupe_key: str,
    delay: timedelta = timedelta(0),
) -> Outbox:
    """Note owed work in the caller's transaction. The same dedupe_key gives the same row.

    Two transactions that race for one key: the later gets an IntegrityError, and its second
    try finds the row. A row with a delay is the relay's: do not hint at it.
    """
    found = session.scalar(select(Outbox).where(Outbox.dedupe_key == dedupe_key))
    if found:
        return found
    row = Outbox(
        kind=kind,
        payload=payload,
        dedupe_key=dedupe_key,
        available_at=utcnow() + max(delay, HINT_GRACE),
    )
    session.add(row)
    session.flush()
    if not delay:
        session.info.setdefault("outbox", []).append(row.id)
        _remember(row.id, kind)
    return row


def reopen(session: Session, kind: str, payload: dict[str, Any], dedupe_key: str) -> Outbox:
    """Owe work once more that was done, as `enqueue` owes it the first time."""
    row = session.scalar(select(Outbox).where(Outbox.dedupe_key == dedupe_key).with_for_update())
    if row is None:  # forgotten long ago
        return enqueue(session, kind, payload, dedupe_key)
    row.done_at = row.sent_at = row.last_error = None
    row.attempts = 0
    row.available_at = utcnow() + HINT_GRACE
    session.flush()
    session.info.setdefault("outbox", []).append(row.id)
    _remember(row.id, kind)
    return row


def enqueued(session: Session) -> list[int]:
    """The rows that this session enqueued, for the hint after its commit; asked for once."""
    ids: list[int] = session.info.pop("outbox", [])
    return ids


def publish_hint(settings: Settings, ids: Iterable[int]) -> None:
    """Tell the workers at once about committed rows. Never raises, never waits.

    A hint may be lost (Redis away, queue full, process ends): the relay sends the row then.
    """
    for row_id in ids:
        hints.put(settings, row_id, queue_for(_kinds.get(row_id, "")))


def queue_for(kind: str) -> str:
    queues = {"order": "critical", "mail": "mail", "export": "exports"}
    return queues.get(kind.partition(".")[0], "default")


def _remember(row_id: int, kind: str) -> None:
    # The hint gets ids only; this spares it a read of the rows that this process just wrote.
    _kinds[row_id] = kind
    while len(_kinds) > _REMEMBERED:
        _kinds.popitem(last=False)
