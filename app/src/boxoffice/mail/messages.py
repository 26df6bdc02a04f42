"""What the mails say."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from boxoffice.config import Settings
from boxoffice.db import utcnow
from boxoffice.orders.models import Order
from boxoffice.tickets.models import Ticket
from boxoffice.tickets.services import qr_png

templates = Environment(
    loader=PackageLoader("boxoffice.mail"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def order_url(settings: Settings, order: Order) -> str:
    return f"{settings.public_url}/o/{order.reference}"


def order_message(
    settings: Settings, order: Order, tickets: list[Ticket], outbox_id: int
) -> EmailMessage:
    """The mail with an order's tickets: text, HTML, and each ticket's code as a picture in it."""
    domain = settings.mail_from.rpartition("@")[2]
    values = {
        "order": order,
        "event": order.event,
        "url": order_url(settings, order),
        "tickets": [(ticket, f"ticket-{ticket.number}.{outbox_id}@{domain}") for ticket in tickets],
    }
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["To"] = Address(one_line(order.name), addr_spec=order.email)
    many = "tickets" if len(tickets) > 1 else "ticket"
    message["Subject"] = one_line(f"Your {many} for {order.event.title}")
    message["Date"] = format_datetime(utcnow())
    # Always the same for the same row: should the mail go out twice, both copies show as one.
    message["Message-ID"] = f"<outbox-{outbox_id}@{domain}>"
    message["X-Mail-Id"] = f"outbox-{outbox_id}"  # SES writes a Message-ID of its own over ours
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(templates.get_template("order.txt").render(values))
    message.add_alternative(templates.get_template("order.html").render(values), subtype="html")
    html = message.get_payload()[1]  # type: ignore[index]
    for ticket, content_id in values["tickets"]:  # type: ignore[attr-defined]
        html.add_related(  # type: ignore[union-attr]
            qr_png(ticket.secret),
            maintype="image",
            subtype="png",
            cid=f"<{content_id}>",
            filename=f"ticket-{ticket.number}.png",
            disposition="inline",
        )
    return message


def one_line(text: str) -> str:
    """For a header: a line break in a name must not start another one."""
    return " ".join(text.split())
