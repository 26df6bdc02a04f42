from sqlalchemy.orm import Session

from boxoffice.mail.messages import order_message
from boxoffice.mail.models import MailSent
from boxoffice.mail.smtp import send
from boxoffice.orders.models import Order
from boxoffice.outbox.handlers import handles
from boxoffice.outbox.models import Outbox
from boxoffice.tasking import Context
from boxoffice.tickets.services import of_order


@handles("mail.order")
def mail_order(ctx: Context, row: Outbox) -> None:
    """Send an order's tickets, once.

    SMTP takes part in no transaction. So the claim is written first, the mail goes out, and the
    commit follows with nothing in between. What remains: a worker that dies, or a database that
    fails, between the server's "250" and the commit sends the mail again, with the same
    Message-ID. The other way round (commit, then send) would lose mails instead.
    """
    order = ctx.session.get_one(Order, row.payload["order_id"])
    message = order_message(ctx.settings, order, of_order(ctx.session, order.id), row.id)
    if claim(ctx.session, row.dedupe_key):
        send(ctx.settings, message)


def claim(session: Session, dedupe_key: str) -> bool:
    """True for the first who asks. A second one waits for the first's commit, and gets an error."""
    if session.get(MailSent, dedupe_key):
        return False
    session.add(MailSent(dedupe_key=dedupe_key))
    session.flush()
    return True
