"""Issue tickets, find them, and draw their codes."""

import io
import secrets

import segno
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from boxoffice.orders.models import Order
from boxoffice.tickets.models import Ticket


def issue(session: Session, order_id: int) -> list[Ticket]:
    """One ticket for each place of the order. Called again it adds only what is missing."""
    order = session.get_one(Order, order_id)
    places = [line.release_id for line in order.lines for _ in range(line.quantity)]
    present = {ticket.number for ticket in of_order(session, order_id)}
    for number, release_id in enumerate(places, start=1):
        if number in present:
            continue
        session.add(
            Ticket(
                order_id=order_id,
                release_id=release_id,
                number=number,
                secret=secrets.token_urlsafe(16),
                holder_name=order.name,
                holder_email=order.email,
            )
        )
    session.flush()
    return of_order(session, order_id)


def of_order(session: Session, order_id: int) -> list[Ticket]:
    return list(
        session.scalars(
            select(Ticket)
            .where(Ticket.order_id == order_id)
            .order_by(Ticket.number)
            .options(joinedload(Ticket.release))
        )
    )


def qr_svg(text: str) -> str:
    """The code as an SVG element that stands in a page and takes the size its style gives it."""
    svg = segno.make_qr(text, error="m").svg_inline(scale=4, omitsize=True)
    return str(svg)


def qr_png(text: str) -> bytes:
    out = io.BytesIO()
    segno.make_qr(text, error="m").save(out, kind="png", scale=6)
    return out.getvalue()
