"""`POST /hooks/ses`: SNS brings what SES says about mails. Only there when SES_TOPIC_ARN is set.

There is no secret in the address: addresses end up in logs. SNS's signature over our topic's name
is what gives access, and nothing is written before it was checked.
"""

from typing import TYPE_CHECKING

import structlog
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from boxoffice.mail import feedback, services
from boxoffice.mail.errors import HookError, UnreadError
from boxoffice.mail.feedback import Feedback

if TYPE_CHECKING:
    from boxoffice.mail.sns import Envelope

log = structlog.get_logger()

PATH = "/hooks/ses"
# Bytes. SNS sends at most 256 KiB of message; quoted inside JSON it can grow.
LARGEST = 512 * 1024
CONTENT_TYPES = ("text/plain", "application/json")  # SNS says the first


def includeme(config: Configurator) -> None:
    settings = config.registry.boxoffice
    if not settings.ses_topic_arn:
        return
    from boxoffice.mail.sns import Sns  # its library is an extra of the app

    config.registry.sns = Sns(settings.ses_topic_arn)
    config.add_route("ses_hook", PATH)
    # The one view without a CSRF token: no browser and no cookie takes part.
    config.add_view(receive, route_name="ses_hook", request_method="POST", require_csrf=False)


def receive(request: Request) -> Response:
    try:
        unread = unreadable(request)
        if unread:
            raise unread
        envelope = request.registry.sns.open(request.body)
        if envelope.type == "Notification":
            _work_off(request, envelope.id, feedback.read(envelope.message))
        else:
            _subscription(request, envelope)
    except HookError as error:
        log.warning("hook.refused", status=error.status, reason=str(error))
        return _answer(error.status, str(error))
    return _answer(200, "noted")


def unreadable(request: Request) -> UnreadError | None:
    """Why its body is left unread, told by its head alone."""
    length = request.content_length
    if length is None:
        return UnreadError(411, "say how long it is (Content-Length)")
    if length > LARGEST:
        return UnreadError(413, f"{length} bytes, at most {LARGEST} are read")
    if request.content_type not in CONTENT_TYPES:
        return UnreadError(415, f"expected {' or '.join(CONTENT_TYPES)}")
    return None


def _work_off(request: Request, message_id: str, found: Feedback) -> None:
    if not services.first_time(request.db, message_id, found.kind, found.detail):
        return
    for address, detail in sorted(found.stop.items()):
        services.suppress(request.db, address, found.reason, detail, found.at)
        log.warning("mail.suppressed", address=address, reason=found.reason)


def _subscription(request: Request, envelope: "Envelope") -> None:
    """Confirm one to our topic. Its end is only noted: somebody has unsubscribed us."""
    if services.seen(request.db, envelope.id):
        return
    if envelope.type == "SubscriptionConfirmation":
        request.registry.sns.confirm(envelope)
    services.first_time(request.db, envelope.id, envelope.type, "")
    log.warning("hook.subscription", type=envelope.type)


def _answer(status: int, text: str) -> Response:
    return Response(f"{text}\n", status=status, content_type="text/plain", charset="utf-8")
