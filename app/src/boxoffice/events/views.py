"""Public pages: the list of events, one event with its tickets, the sales that will open."""

import secrets
from typing import Any

from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.view import view_config

from boxoffice.events import services


@view_config(route_name="home", request_method="GET", renderer="home.html")
def home(request: Request) -> dict[str, Any]:
    return {"events": services.upcoming(request.db)}


@view_config(route_name="event", request_method="GET", renderer="event.html")
def event(request: Request) -> dict[str, Any]:
    found = services.lookup(request.db, request.matchdict["slug"])
    if found is None:
        raise HTTPNotFound
    return page(request, found)


@view_config(route_name="on_sales", request_method="GET", renderer="json")
def on_sales(request: Request) -> dict[str, Any]:
    """For machines, which start instances before a rush."""
    return {"on_sales": services.on_sales(request.db)}


def page(request: Request, event: dict[str, Any], problem: str = "") -> dict[str, Any]:
    """The event page; a fresh token each time, so that a form sent twice is one order."""
    return {
        "event": event,
        "opens_at": services.opening_to_come(event),
        "stock": services.availability(request.db, event),
        "token": secrets.token_urlsafe(24),
        "problem": problem,
        "chosen": request.POST,
    }
