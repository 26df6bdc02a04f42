"""One ticket, to be shown at the door."""

from typing import Any

from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.view import view_config
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from boxoffice.orders.models import Order
from boxoffice.tickets.models import Ticket
from boxoffice.tickets.services import qr_svg


@view_config(route_name="ticket", request_method="GET", renderer="ticket.html")
def ticket(request: Request) -> dict[str, Any]:
    found = request.db.scalar(
        select(Ticket)
        .where(Ticket.secret == request.matchdict["secret"])
        .options(joinedload(Ticket.release), joinedload(Ticket.order).joinedload(Order.event))
    )
    if found is None:
        raise HTTPNotFound
    return {"ticket": found, "event": found.order.event, "qr": qr_svg(found.secret)}
