import csv
import io

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from tests.factory import Factory

from boxoffice.config import Settings
from boxoffice.exports.models import ExportState
from boxoffice.exports.services import attendees_csv, request_export, safe
from boxoffice.exports.tasks import make_export
from boxoffice.outbox.models import Outbox
from boxoffice.tasking import Context
from boxoffice.tickets.services import issue


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def test_the_attendees_of_the_event_and_of_no_other(factory: Factory, db_session: Session) -> None:
    event, other = factory.event(("Standing, front", 1000, 10)), factory.event()
    order = factory.paid(event, 2)
    for paid in (order, factory.paid(other)):
        issue(db_session, paid.id)
    factory.confirmed(event)  # not paid: no ticket
    header, *lines = read(attendees_csv(db_session, event.id))
    assert header == ["Name", "E-mail", "Release", "Ticket", "Order", "Paid at (UTC)"]
    paid_at = f"{order.paid_at:%Y-%m-%d %H:%M:%S}"
    buyer = ["Grace Hopper", "grace@example.org", "Standing, front"]
    assert lines == [[*buyer, number, order.reference, paid_at] for number in ("1", "2")]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "＝"])  # noqa: RUF001
def test_a_name_is_never_a_formula(factory: Factory, db_session: Session, start: str) -> None:
    order = factory.paid(factory.event())
    [ticket] = issue(db_session, order.id)
    ticket.holder_name = f'{start}HYPERLINK("http://example.org")'
    db_session.flush()
    # newline="": as a spreadsheet would read the cell
    text = attendees_csv(db_session, order.event_id).decode("utf-8-sig")
    [_, line] = list(csv.reader(io.StringIO(text, newline="")))
    assert line[0] == "'" + ticket.holder_name


def test_ordinary_cells_stay_as_they_are() -> None:
    for cell in ("Grace", "O'Hara", "a=b", "Zoë", "", "3"):
        assert safe(cell) == cell


def test_an_export_is_made_once_it_is_asked_for(
    factory: Factory, db_session: Session, settings: Settings
) -> None:
    order = factory.paid(factory.event(slug="jazz"))
    issue(db_session, order.id)
    export = request_export(db_session, order.event_id)
    row = db_session.scalars(select(Outbox).where(Outbox.kind == "export.requested")).one()
    assert export.finished_at is None
    make_export(Context(settings, db_session), row)
    db_session.commit()
    db_session.refresh(export, ["content"])
    assert export.state == ExportState.DONE
    assert export.finished_at is not None
    assert export.filename.startswith("jazz-attendees-")
    assert len(read(export.content or b"")) == 2
