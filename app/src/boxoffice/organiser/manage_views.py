"""One event, as its organiser sees it."""

from typing import Any

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import exception_view_config, view_config
from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from boxoffice.events import services as events
from boxoffice.events.models import Event
from boxoffice.exports.models import Export
from boxoffice.exports.services import request_export
from boxoffice.mail import services as mail
from boxoffice.orders import services as orders
from boxoffice.orders.models import Order, OrderLine, State
from boxoffice.releases.services import stocks

SHOWN = 200  # orders on the page; the export has all


def _event(request: Request) -> Event:
    event = events.own(request.db, request.identity.id, request.matchdict["slug"])
    if event is None:
        raise HTTPNotFound
    return event


@view_config(
    route_name="manage", request_method="GET", permission="organise", renderer="manage.html"
)
def manage(request: Request) -> dict[str, Any]:
    event = _event(request)
    confirmed = (Order.event_id == event.id, Order.confirmed_at.is_not(None))
    shown = request.db.scalars(
        select(Order)
        .where(*confirmed)
        .order_by(Order.id.desc())
        .limit(SHOWN)
        .options(selectinload(Order.lines).joinedload(OrderLine.release))
    ).all()
    income = request.db.scalar(
        select(func.sum(Order.total_cents)).where(*confirmed, Order.state == State.PAID)
    )
    exports = request.db.scalars(
        select(Export).where(Export.event_id == event.id).order_by(Export.id.desc()).limit(5)
    ).all()
    return {
        "event": event,
        "organiser": request.identity,
        "stock": stocks(request.db, [release.pool_id for release in event.releases]),
        "orders": shown,
        "troubles": mail.troubles(request.db, shown),
        "total": request.db.scalar(select(func.count()).select_from(Order).where(*confirmed)),
        "income": int(income or 0),
        "exports": exports,
        "busy": any(export.finished_at is None for export in exports),
        "note": "".join(request.session.pop_flash()),
    }


def _order(request: Request, event: Event) -> Order:
    order = orders.find(request.db, request.matchdict["reference"])
    if order is None or order.event_id != event.id:
        raise HTTPNotFound
    return order


@view_config(route_name="mark_paid", request_method="POST", permission="organise")
def mark_paid(request: Request) -> HTTPSeeOther:
    event = _event(request)
    order = _order(request, event)
    orders.mark_paid(request.db, order)
    request.session.flash(f"{order.name}’s order is paid. The tickets are on their way.")
    return HTTPSeeOther(request.route_path("manage", slug=event.slug))


@view_config(route_name="mail_again", request_method="POST", permission="organise")
def mail_again(request: Request) -> HTTPSeeOther:
    event = _event(request)
    order = _order(request, event)
    if mail.lift(request.db, order):
        request.session.flash(f"{order.email} gets mail again.")
    return HTTPSeeOther(request.route_path("manage", slug=event.slug))


@exception_view_config(orders.NotPayableError, renderer="error.html")
def not_payable(exc: orders.NotPayableError, request: Request) -> dict[str, Any]:
    request.response.status_int = 409
    return {
        "status": 409,
        "title": "This order cannot be marked as paid",
        "text": f"It is {exc.order.state}: its places have gone back on sale. "
        "Please ask the buyer to order again, or return the money.",
    }


@view_config(route_name="export", request_method="POST", permission="organise")
def export(request: Request) -> HTTPSeeOther:
    event = _event(request)
    request_export(request.db, event.id)
    return HTTPSeeOther(request.route_path("manage", slug=event.slug, _anchor="attendees"))


@view_config(route_name="download", request_method="GET", permission="organise")
def download(request: Request) -> Response:
    event = _event(request)
    found = request.db.get(Export, int(request.matchdict["id"]))
    if found is None or found.event_id != event.id or found.content is None:
        raise HTTPNotFound
    return Response(
        body=found.content,
        content_type="text/csv",
        charset="utf-8",
        content_disposition=f'attachment; filename="{found.filename}"',
    )
