from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from boxoffice.db import Base, UtcDateTime, utcnow


class MailSent(Base):
    """Which mails have left. It outlives the outbox row: a mail asked for again stays one."""

    __tablename__ = "mail_sent"

    dedupe_key: Mapped[str] = mapped_column(String(190), primary_key=True)
    sent_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
