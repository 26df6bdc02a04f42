"""One session and one transaction for each request, run again when the database asks for it."""

import random
import time
from typing import Any

import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid_retry import IBeforeRetry, mark_error_retryable
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.orm import Session

from boxoffice.db import CONFLICT, error_code, is_retryable
from boxoffice.mail import hook
from boxoffice.orders.services import RepeatedError
from boxoffice.outbox.services import enqueued, publish_hint


def includeme(config: Configurator) -> None:
    mark_error_retryable(RepeatedError)
    event.listen(config.registry.engine, "handle_error", _mark_retryable)
    config.add_request_method(_session, "db", reify=True)
    config.add_subscriber(_pause, IBeforeRetry)


def attempts(request: Request) -> int | None:
    """Health pages answer with what they see at the first look. And before a request that may be
    tried again all of its body is kept: not that of one which is refused for its head."""
    if request.path_info == hook.PATH and hook.unreadable(request):
        return 1
    return 1 if request.path_info in ("/health", "/status") else None


def _session(request: Request) -> Session:
    session: Session = request.registry.session_factory()
    zope.sqlalchemy.register(session, transaction_manager=request.tm)
    settings = request.registry.boxoffice

    def hint(committed: bool) -> None:
        """Tell the workers at once; when this is lost, the relay tells them a little later."""
        if committed:
            publish_hint(settings, enqueued(session))

    request.tm.get().addAfterCommitHook(hint)
    # an error page can open it again after the transaction has ended
    request.add_finished_callback(lambda _request: session.close())
    return session


def _mark_retryable(context: ExceptionContext) -> None:
    error = context.sqlalchemy_exception
    if error is not None and is_retryable(error):
        mark_error_retryable(error)


def _pause(before_retry: Any) -> None:
    """Give a conflict a moment, and a moving writer a little longer."""
    code = error_code(before_retry.exception)
    low, high = (0.02, 0.1) if code is None or code in CONFLICT else (0.3, 0.8)
    time.sleep(random.uniform(low, high))  # noqa: S311
