"""Is the process alive (/health); how are the things it needs (/status)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from sqlalchemy import Connection, func, select, text

from boxoffice import cache
from boxoffice.db import utcnow
from boxoffice.outbox.models import Outbox
from boxoffice.watchdog.models import WorkerHeartbeat


def includeme(config: Configurator) -> None:
    config.add_route("health", "/health")
    config.add_route("status", "/status")
    config.add_view(health, route_name="health", request_method="GET")
    config.add_view(status, route_name="status", request_method="GET", renderer="json")


def health(_request: Request) -> Response:
    """The process can serve. Deliberately asks nobody else: see the load balancer's check."""
    return Response("ok\n", content_type="text/plain")


def status(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = {"host": request.registry.boxoffice.host_name}
    found["redis"] = _try(lambda: _cache(cache.objects))
    found["memcached"] = _try(lambda: _cache(cache.fragments))
    try:
        with request.registry.engine.connect() as connection:
            found |= {"database": "ok", **_work(connection)}
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        found |= {"database": type(error).__name__, "heartbeats": {}, "outbox": {}}
    if found["database"] != "ok":
        request.response.status_int = 503
    return found


def _work(connection: Connection) -> dict[str, Any]:
    connection.execute(text("SELECT 1"))
    now = utcnow()

    def age(moment: datetime | None) -> float | None:
        return round((now - moment).total_seconds(), 1) if moment else None

    beats = connection.execute(select(WorkerHeartbeat.host, WorkerHeartbeat.executed_at))
    waiting = connection.execute(
        select(func.count(), func.min(Outbox.created_at)).where(Outbox.done_at.is_(None))
    ).one()
    return {
        "heartbeats": {host: age(at) for host, at in beats},
        "outbox": {"waiting": waiting[0], "oldest_seconds": age(waiting[1])},
    }


def _cache(region: Any) -> str:
    moment = utcnow().isoformat()
    region.set("status", moment)
    return "ok" if region.get("status") == moment else "away"


def _try(question: Callable[[], str]) -> str:
    try:
        return question()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return type(error).__name__
