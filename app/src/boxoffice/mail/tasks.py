import logging

from boxoffice.mail import services
from boxoffice.mail.errors import RefusedError
from boxoffice.mail.messages import order_message
from boxoffice.mail.transport import send
from boxoffice.orders.models import Order
from boxoffice.outbox.handlers import handles
from boxoffice.outbox.models import Outbox
from boxoffice.tasking import Context
from boxoffice.tickets.services import of_order

log = logging.getLogger(__name__)


@handles("mail.order")
def mail_order(ctx: Context, row: Outbox) -> None:
    """Send an order's tickets, once.

    Neither SMTP nor SES takes part in a transaction. So the claim is written first, the mail goes
    out, and the commit follows with nothing in between. What remains: a worker that dies, or a
    database that fails, between the server's "250" and the commit sends the mail again, as a
    double that can be told. The other way round (commit, then send) would lose mails instead.

    A mail that will never be taken is given up, and the organiser sees that; any other failure
    raises, and the outbox brings the row again.
    """
    order = ctx.session.get_one(Order, row.payload["order_id"])
    message = order_message(ctx.settings, order, of_order(ctx.session, order.id), row.id)
    if not services.claim(ctx.session, row.dedupe_key):
        return
    try:
        services.check(ctx.session, order.email)
        send(ctx.settings, message)
    except RefusedError as error:
        services.give_up(ctx.session, row.dedupe_key, order, error)
        log.warning("mail.unsent order=%s reason=%s detail=%r", order.id, error.reason, str(error))
