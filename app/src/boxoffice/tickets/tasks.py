from boxoffice.outbox.handlers import handles
from boxoffice.outbox.models import Outbox
from boxoffice.outbox.services import enqueue
from boxoffice.tasking import Context
from boxoffice.tickets.services import issue


@handles("order.paid")
def issue_tickets(ctx: Context, row: Outbox) -> None:
    """Issue a paid order's tickets and owe the mail, in one transaction."""
    order_id = row.payload["order_id"]
    issue(ctx.session, order_id)
    enqueue(ctx.session, "mail.order", {"order_id": order_id}, f"mail.order:{order_id}")
