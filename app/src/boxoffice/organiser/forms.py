"""What organisers send."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

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


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    # not there; no name of a zone; a folder of zones, or a name that no file can have
    except (KeyError, ValueError, OSError):
        return None


def _moment(clock: datetime, zone: ZoneInfo) -> datetime | None:
    """When the clocks of that zone show it: the first time, should they do so twice.

    None when they never do: they are put forward past it, or the calendar ends there.
    """
    try:
        moment = clock.replace(tzinfo=zone).astimezone(UTC)
        shown = moment.astimezone(zone)
    except OverflowError:
        return None
    return moment if shown.replace(tzinfo=None) == clock else None


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
    sales_open_at = DateTimeLocalField("Sale opens", [Optional()], format=["%Y-%m-%dT%H:%M"])
    sales_zone = StringField("Time zone", [Length(max=64)], filters=[_strip], default="UTC")
    venue = StringField("Venue", [Length(max=160)], filters=[_strip])
    summary = TextAreaField("What is it about?", [Length(max=4000)], filters=[_strip])
    currency = SelectField("Currency", choices=["EUR", "USD", "GBP", "CHF", "SEK", "PLN"])
    payment_note = TextAreaField("How buyers pay", [Length(max=1000)], filters=[_strip])
    public = BooleanField("Show it on the home page")
    releases = FieldList(FormField(ReleaseForm), min_entries=ROWS, max_entries=20)

    def validate_sales_open_at(self, field: Any) -> None:
        zone = _zone(self.sales_zone.data)
        if field.data and zone and _moment(field.data, zone) is None:
            raise ValidationError("The clocks there skip this time. Please choose another one.")

    def validate_sales_zone(self, field: Any) -> None:
        if self.sales_open_at.data and _zone(field.data) is None:
            raise ValidationError("Which time zone is that? A name like Europe/Berlin, please.")

    def validate_releases(self, field: Any) -> None:
        if not any(row.form.name.data for row in field):
            raise ValidationError("An event needs at least one kind of ticket.")

    def sales_opening(self) -> datetime | None:
        """The moment that a valid form says, in UTC."""
        zone = _zone(self.sales_zone.data)
        return _moment(self.sales_open_at.data, zone) if self.sales_open_at.data and zone else None

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
