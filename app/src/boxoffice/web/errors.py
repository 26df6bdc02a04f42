"""Pages for what goes wrong: what happened, in plain words, and what to do next.

No template of these asks the database: it may be what is away.
"""

from typing import Any

import structlog
from pyramid.config import Configurator
from pyramid.exceptions import BadCSRFOrigin, BadCSRFToken
from pyramid.httpexceptions import HTTPMethodNotAllowed, HTTPNotFound
from pyramid.request import Request
from pyramid_retry import is_error_retryable

from boxoffice.db import error_code, is_unavailable
from boxoffice.orders.services import RepeatedError

log = structlog.get_logger()
RETRY_AFTER = 5


def includeme(config: Configurator) -> None:
    config.add_notfound_view(not_found, renderer="error.html", append_slash=False)
    config.add_exception_view(wrong_method, context=HTTPMethodNotAllowed, renderer="error.html")
    for context in (BadCSRFToken, BadCSRFOrigin):
        config.add_exception_view(forged, context=context, renderer="error.html")
    config.add_exception_view(failed, context=Exception, renderer="error.html")


def _page(request: Request, status: int, title: str, text: str) -> dict[str, Any]:
    request.response.status_int = status
    return {"title": title, "text": text, "status": status}


def not_found(_exc: HTTPNotFound, request: Request) -> dict[str, Any]:
    return _page(
        request,
        404,
        "There is nothing at this address",
        "Please check the link: the addresses of orders and tickets are long, "
        "and easily cut off when they are copied.",
    )


def wrong_method(_exc: HTTPMethodNotAllowed, request: Request) -> dict[str, Any]:
    return _page(request, 405, "That does not work here", "Please go back and try again.")


def forged(_exc: Exception, request: Request) -> dict[str, Any]:
    return _page(
        request,
        400,
        "This page was open for too long",
        "Nothing was changed. Please go back, reload the page, and send the form again. "
        "Cookies must be allowed for this site.",
    )


def failed(exc: Exception, request: Request) -> dict[str, Any]:
    if is_unavailable(exc) or isinstance(exc, RepeatedError):
        if not is_error_retryable(request, exc):
            reason = str(getattr(exc, "orig", exc))  # without the statement and its values
            log.warning(
                "database_away", code=error_code(exc), path=request.path_info, reason=reason
            )
        page = _page(
            request,
            503,
            "One moment, please",
            "We could not save this just now. Nothing was lost and nothing was charged: "
            "please try again in a few seconds, you will not be booked twice.",
        )
        request.response.headers["Retry-After"] = str(RETRY_AFTER)
        return {**page, "again": request.url if request.method == "GET" else None}
    log.error("unexpected", path=request.path_info, exc_info=exc)
    return _page(
        request,
        500,
        "Something went wrong on our side",
        "It has been written down. Please try again; you will not be booked twice.",
    )
