"""Ask for an export, and make one."""

import csv
import io
from collections.abc import Iterable
from itertools import chain

from sqlalchemy import select
from sqlalchemy.orm import Session

from boxoffice.exports.models import Export
from boxoffice.orders.models import Order
from boxoffice.outbox.services import enqueue
from boxoffice.releases.models import Release
from boxoffice.tickets.models import Ticket

HEADER = ("Name", "E-mail", "Release", "Ticket", "Order", "Paid at (UTC)")
# A spreadsheet runs a cell that begins so, full-width forms too.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001


def request_export(session: Session, event_id: int) -> Export:
    """Note the wish; a worker makes the file."""
    export = Export(event_id=event_id)
    session.add(export)
    session.flush()
    enqueue(session, "export.requested", {"export_id": export.id}, f"export.requested:{export.id}")
    return export


def attendees_csv(session: Session, event_id: int) -> bytes:
    """The tickets of an event, one a line; UTF-8 with the mark that spreadsheets look for."""
    rows = session.execute(
        select(
            Ticket.holder_name,
            Ticket.holder_email,
            Release.name,
            Ticket.number,
            Order.reference,
            Order.paid_at,
        )
        .join(Order, Ticket.order_id == Order.id)
        .join(Release, Ticket.release_id == Release.id)
        .where(Order.event_id == event_id)
        .order_by(Ticket.id)
    )
    lines = (
        (name, email, release, str(number), reference, f"{paid:%Y-%m-%d %H:%M:%S}" if paid else "")
        for name, email, release, number, reference, paid in rows
    )
    return to_csv(chain([HEADER], lines))


def to_csv(lines: Iterable[Iterable[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(
        [safe(cell) for cell in line] for line in lines
    )
    return out.getvalue().encode("utf-8-sig")


def safe(cell: str) -> str:
    """A buyer's name is theirs to choose: as text it stays text."""
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA) else cell
