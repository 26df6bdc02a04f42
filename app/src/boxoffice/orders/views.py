"""From choosing tickets to having them."""

from typing import Any

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.request import Request
from pyramid.view import exception_view_config, view_config

from boxoffice.db import utcnow
from boxoffice.events import services as events
from boxoffice.events.views import page as event_page
from boxoffice.orders import services
from boxoffice.orders.forms import BuyerForm, FormError, check_token, read_choices
from boxoffice.orders.models import Order, State
from boxoffice.releases.services import NoPlacesError
from boxoffice.tickets.services import of_order, qr_svg
from boxoffice.web.render import moment

AWAITING = State.AWAITING_PAYMENT


@view_config(route_name="reserve", request_method="POST", renderer="event.html")
def reserve(request: Request) -> Any:
    event = events.lookup(request.db, request.matchdict["slug"])
    if event is None:
        raise HTTPNotFound
    token = request.POST.get("token", "")
    try:
        choices = read_choices(event, request.POST)
        check_token(token)
    except FormError as problem:
        request.response.status_int = 422
        return event_page(request, event, problem=str(problem))
    order = services.reserve(
        request.db,
        event_id=event["id"],
        currency=event["currency"],
        choices=choices,
        key=services.idempotency_key(token, event["id"], choices),
        hold_seconds=request.registry.boxoffice.hold_seconds,
    )
    return HTTPSeeOther(request.route_path("order", reference=order.reference))


@exception_view_config(NoPlacesError, route_name="reserve", renderer="no_places.html")
def no_places(exc: NoPlacesError, request: Request) -> dict[str, Any]:
    """Said without asking the database again: this page is shown when everybody comes at once."""
    request.response.status_int = 409
    request.response.headers["Retry-After"] = "30"
    return {"slug": request.matchdict["slug"], "stock": exc.stock, "wanted": exc.wanted}


@exception_view_config(services.SaleNotOpenError, route_name="reserve", renderer="error.html")
def not_open(exc: services.SaleNotOpenError, request: Request) -> dict[str, Any]:
    """Said without the database, for the same reason."""
    request.response.status_int = 409
    return {
        "status": 409,
        "title": "The sale has not opened yet",
        "text": f"It opens {moment(exc.opens_at)} UTC. Nothing was held for you yet.",
        "again": request.route_path("event", slug=request.matchdict["slug"]),
    }


def _order(request: Request) -> Order:
    order = services.find(request.db, request.matchdict["reference"])
    if order is None:
        raise HTTPNotFound
    return order


@view_config(route_name="order", request_method="GET", renderer="order.html")
def order(request: Request) -> dict[str, Any]:
    return _page(_order(request), request, BuyerForm())


@view_config(route_name="order", request_method="POST", renderer="order.html")
def confirm(request: Request) -> Any:
    order = _order(request)
    form = BuyerForm(request.POST)
    if not form.validate():
        request.response.status_int = 422
        return _page(order, request, form)
    services.confirm(
        request.db,
        order,
        name=form.name.data,
        email=form.email.data,
        provider=request.registry.payment_provider,
    )
    return HTTPSeeOther(request.route_path("order", reference=order.reference))


@exception_view_config(services.HoldExpiredError, renderer="order.html")
def too_late(_exc: services.HoldExpiredError, request: Request) -> dict[str, Any]:
    request.response.status_int = 409
    return _page(_order(request), request, BuyerForm())


@view_config(route_name="order_json", request_method="GET", renderer="json")
def order_json(request: Request) -> dict[str, Any]:
    order = _order(request)
    return {
        "reference": order.reference,
        "state": order.state,
        "places": order.places,
        "tickets": len(of_order(request.db, order.id)),
    }


def _page(order: Order, request: Request, form: BuyerForm) -> dict[str, Any]:
    left = int((order.expires_at - utcnow()).total_seconds()) if order.expires_at else 0
    held = order.state == State.HELD and left > 0
    tickets = of_order(request.db, order.id) if order.state == State.PAID else []
    waiting = order.state == State.PAID and len(tickets) < order.places
    # without any script the page asks again by itself: when tickets may be there, when money
    # may have come, and when the hold is over (not earlier: somebody is typing)
    refresh = 3 if waiting else left + 1 if held else 30 if order.state == AWAITING else 0
    return {
        "order": order,
        "event": order.event,
        "form": form,
        "held": held,
        "over": order.state in (State.EXPIRED, State.CANCELLED)
        or (order.state == State.HELD and not held),
        "seconds_left": left,
        "tickets": tickets,
        "qr_svg": qr_svg,
        "waiting": waiting,
        "refresh": refresh,
    }
