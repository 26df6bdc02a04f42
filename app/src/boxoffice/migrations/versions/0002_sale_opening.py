"""The moment at which an event's sale opens.

Only adds what an older release need not know of: its own statements name their columns, and a
row that it writes has none. Each step looks first whether it is done: the server commits every
one by itself, so a run that was cut off is simply run again.
"""

import sqlalchemy as sa
from alembic import op

from boxoffice.db import UtcDateTime

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.add_column(
        "event", sa.Column("sales_open_at", UtcDateTime(), nullable=True), if_not_exists=True
    )
    op.create_index(op.f("ix_event_sales_open_at"), "event", ["sales_open_at"], if_not_exists=True)
