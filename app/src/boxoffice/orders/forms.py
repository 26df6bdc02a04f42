"""What buyers send."""

from collections.abc import Mapping
from email.headerregistry import Address
from typing import Any

from wtforms import EmailField, Form, StringField
from wtforms.validators import InputRequired, Length, Regexp, ValidationError

from boxoffice.orders.services import Choice

MIN_TOKEN, MAX_TOKEN = 16, 100
NO_ADDRESS = "This does not look like an e-mail address."


class FormError(ValueError):
    """What to tell the buyer."""


class BuyerForm(Form):
    name = StringField(
        "Your name",
        [InputRequired("Please tell us your name."), Length(max=120)],
        filters=[lambda value: " ".join((value or "").split())],
    )
    email = EmailField(
        "E-mail",
        [
            InputRequired("Please tell us where to send your tickets."),
            Length(max=190),
            Regexp(r"^[!-~]+@[!-~]+\.[!-~]+$", message=NO_ADDRESS),
        ],
        filters=[lambda value: (value or "").strip()],
    )

    def validate_email(self, field: Any) -> None:
        """What cannot stand in a mail's header would never leave: say so now, not never."""
        try:
            Address(addr_spec=field.data or "")
        except (ValueError, IndexError) as error:
            raise ValidationError(NO_ADDRESS) from error


def check_token(token: str) -> None:
    """The event page gives each form a random one; a short one would not be anybody's own."""
    if not MIN_TOKEN <= len(token) <= MAX_TOKEN:
        raise FormError("This form was incomplete. Please try once more.")


def read_choices(event: dict[str, Any], fields: Mapping[str, str]) -> list[Choice]:
    """Fields named `release-<id>` hold how many of each."""
    choices = []
    for release in event["releases"]:
        text = fields.get(f"release-{release['id']}", "").strip() or "0"
        if not text.isascii() or not text.isdigit():
            raise FormError(f"How many “{release['name']}” tickets? Please choose a number.")
        quantity = int(text[:6])
        if quantity > release["max_per_order"]:
            most = release["max_per_order"]
            raise FormError(f"At most {most} “{release['name']}” tickets can be had in one order.")
        if quantity:
            choices.append(
                Choice(release["id"], release["pool_id"], quantity, release["price_cents"])
            )
    if not choices:
        raise FormError("Please choose how many tickets you would like.")
    return choices
