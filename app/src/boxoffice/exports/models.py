from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.dialects.mysql import LONGBLOB
from sqlalchemy.orm import Mapped, mapped_column

from boxoffice.db import Base, UtcDateTime, utcnow


class ExportState(StrEnum):
    REQUESTED = "requested"
    DONE = "done"


class Export(Base):
    __tablename__ = "export"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"))
    state: Mapped[str] = mapped_column(String(20), default=ExportState.REQUESTED)
    filename: Mapped[str] = mapped_column(String(190), default="")
    # read only when it is downloaded, not with each list of exports
    content: Mapped[bytes | None] = mapped_column(LONGBLOB, deferred=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
