"""What organisers send."""

from decimal import Decimal
from typing import Any

from wtforms import (
    BooleanField,
    DateTimeLocalField,
    DecimalField,
    FieldList,
    Form,
    FormField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError

from boxoffice.events.services import NewRelease

ROWS = 4
MAX_CAPACITY = 1_000_000
MAX_PRICE = Decimal(100_000)


def _strip(value: str | None) -> str:
    return (value or "").strip()


class ReleaseForm(Form):
    name = StringField("Name", [Length(max=80)], filters=[_strip])
    price = DecimalField(
        "Price", [Optional(), NumberRange(0, MAX_PRICE, "From 0 to 100,000, please.")], places=2
    )
    capacity = IntegerField(
        "Places", [Optional(), NumberRange(1, MAX_CAPACITY, "From 1 to 1,000,000, please.")]
    )

    def validate_name(self, field: Any) -> None:
        if field.data and self.capacity.data is None:
            raise ValidationError("How many places does it have?")
        if not field.data and self.capacity.data is not None:
            raise ValidationError("What is it called?")


class EventForm(Form):
    title = StringField(
        "Title", [InputRequired("What is the event called?"), Length(max=120)], filters=[_strip]
    )
    slug = StringField("Address", [Length(max=80)], filters=[_strip])
    starts_at = DateTimeLocalField(
        "Starts", [InputRequired("When does it start?")], format=["%Y-%m-%dT%H:%M"]
    )
    venue = StringField("Venue", [Length(max=160)], filters=[_strip])
    summary = TextAreaField("What is it about?", [Length(max=4000)], filters=[_strip])
    currency = SelectField("Currency", choices=["EUR", "USD", "GBP", "CHF", "SEK", "PLN"])
    payment_note = TextAreaField("How buyers pay", [Length(max=1000)], filters=[_strip])
    public = BooleanField("Show it on the home page")
    releases = FieldList(FormField(ReleaseForm), min_entries=ROWS, max_entries=20)

    def validate_releases(self, field: Any) -> None:
        if not any(row.form.name.data for row in field):
            raise ValidationError("An event needs at least one kind of ticket.")

    def new_releases(self) -> list[NewRelease]:
        return [
            NewRelease(
                name=row.form.name.data,
                price_cents=int((row.form.price.data or 0) * 100),
                capacity=row.form.capacity.data,
            )
            for row in self.releases
            if row.form.name.data
        ]
