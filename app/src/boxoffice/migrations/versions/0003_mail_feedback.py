"""What became of mails: bounces, complaints, and those that were given up.

Only adds tables, which an older release need not know of: it goes on mailing as it did. Each step
looks first whether it is done: the server commits every one by itself, so a run that was cut off
is simply run again.
"""

import sqlalchemy as sa
from alembic import op

from boxoffice.db import UtcDateTime

revision = "0003"
down_revision = "0002"
phase = "expand"

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_unicode_ci",
}
ADDRESS = sa.String(length=190, collation="utf8mb4_bin")


def upgrade() -> None:
    op.create_table(
        "mail_suppressed",
        sa.Column("address", ADDRESS, nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.String(length=500), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_mail_suppressed")),
        if_not_exists=True,
        **TABLE,
    )
    op.create_table(
        "mail_feedback",
        sa.Column("message_id", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.String(length=500), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_mail_feedback")),
        if_not_exists=True,
        **TABLE,
    )
    op.create_table(
        "mail_unsent",
        sa.Column("dedupe_key", sa.String(length=190), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("address", ADDRESS, nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.String(length=500), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_mail_unsent_order_id")),
        sa.PrimaryKeyConstraint("dedupe_key", name=op.f("pk_mail_unsent")),
        if_not_exists=True,
        **TABLE,
    )
    for table, column in (
        ("mail_feedback", "received_at"),
        ("mail_unsent", "address"),
        ("mail_unsent", "order_id"),
    ):
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column], if_not_exists=True)
