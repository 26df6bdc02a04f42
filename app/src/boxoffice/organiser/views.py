"""The organiser's list of events, and the form for a new one."""

from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config

from boxoffice.events import services as events
from boxoffice.organiser.forms import EventForm
from boxoffice.releases.services import stocks


@view_config(
    route_name="organiser", request_method="GET", permission="organise", renderer="organiser.html"
)
def index(request: Request) -> dict[str, Any]:
    own = events.of_organiser(request.db, request.identity.id)
    stock = stocks(request.db, [release.pool_id for event in own for release in event.releases])
    rows = []
    for event in own:
        pools = {release.pool_id for release in event.releases}
        known = [stock[pool] for pool in pools if pool in stock]
        sold, capacity = sum(s.sold for s in known), sum(s.capacity for s in known)
        rows.append({"event": event, "sold": sold, "capacity": capacity})
    return {"rows": rows, "organiser": request.identity}


@view_config(
    route_name="new_event",
    request_method=("GET", "POST"),
    permission="organise",
    renderer="new_event.html",
)
def new_event(request: Request) -> Any:
    if request.method == "GET":
        return {"form": EventForm(public=True), "organiser": request.identity}
    form = EventForm(request.POST)
    if form.validate():
        fields = ("title", "venue", "starts_at", "summary", "public", "currency", "payment_note")
        try:
            event = events.create(
                request.db,
                organiser_id=request.identity.id,
                slug=events.slugify(form.slug.data or form.title.data),
                releases=form.new_releases(),
                sales_open_at=form.sales_opening(),
                **{name: form[name].data for name in fields},
            )
        except events.SlugTakenError as taken:
            form.slug.errors = [f"“{taken}” is in use already. Please choose another address."]
        else:
            return HTTPSeeOther(request.route_path("manage", slug=event.slug))
    request.response.status_int = 422
    return {"form": form, "organiser": request.identity}
