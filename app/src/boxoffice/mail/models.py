from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from boxoffice.db import Base, UtcDateTime, utcnow

# Compared byte by byte: two addresses that differ in an accent are two people's.
Address = String(190, collation="utf8mb4_bin")


class MailSent(Base):
    """Which mails have left. It outlives the outbox row: a mail asked for again stays one."""

    __tablename__ = "mail_sent"

    dedupe_key: Mapped[str] = mapped_column(String(190), primary_key=True)
    sent_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class MailUnsent(Base):
    """A mail that was given up: refused for good, or its address was suppressed."""

    __tablename__ = "mail_unsent"

    dedupe_key: Mapped[str] = mapped_column(String(190), primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    address: Mapped[str] = mapped_column(Address, index=True)
    reason: Mapped[str] = mapped_column(String(20))  # of a RefusedError
    detail: Mapped[str] = mapped_column(String(500))
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class MailSuppressed(Base):
    """An address that gets no more mail, until an organiser lifts it. Lower case."""

    __tablename__ = "mail_suppressed"

    address: Mapped[str] = mapped_column(Address, primary_key=True)
    reason: Mapped[str] = mapped_column(String(20))  # bounce, complaint
    detail: Mapped[str] = mapped_column(String(500))
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class MailFeedback(Base):
    """The inbox: which messages about mails were worked off, and what they said."""

    __tablename__ = "mail_feedback"

    message_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    detail: Mapped[str] = mapped_column(String(500))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow, index=True)
