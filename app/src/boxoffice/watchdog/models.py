from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from boxoffice.db import Base, UtcDateTime


class WorkerHeartbeat(Base):
    """When a host's worker last ran a canary. In the database, for there its effects must go."""

    __tablename__ = "worker_heartbeat"

    host: Mapped[str] = mapped_column(String(190), primary_key=True)
    executed_at: Mapped[datetime] = mapped_column(UtcDateTime)
