"""When a worker is to be restarted: a pure function of what was seen."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# A canary that is sent every two seconds has had a handful of chances by then.
SILENCE = timedelta(seconds=10)
# For a worker that has not answered since its start: longer than a start in the middle of a
# failover, on a machine that is busy with many starts. Or restarts would follow restarts.
START_GRACE = timedelta(seconds=60)
RESTART_GAP = timedelta(seconds=30)


class Action(StrEnum):
    RESTART = "restart"
    HEALTHY = "healthy"
    BUSY = "every_process_busy"
    NOT_RUNNING = "unit_not_running"
    DATABASE_AWAY = "database_away"
    BROKER_AWAY = "broker_away"
    STARTING = "unit_starting"
    JUST_RESTARTED = "just_restarted"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the watchdog knows. The `since` moments are None while the thing does not work.

    They count from the first success after the last failure: right after an outage the
    heartbeat is old through no fault of the worker, and it must get its chance to answer.
    """

    heartbeat_at: datetime | None
    readable_since: datetime | None
    publishing_since: datetime | None
    unit_started_at: datetime | None
    last_restart_at: datetime | None = None
    busy_at: datetime | None = None  # when every process of the worker was last seen with a task


def decide(now: datetime, seen: Seen) -> Action:
    if seen.unit_started_at is None:
        return Action.NOT_RUNNING  # stopped by people, or systemd is already at it
    if not _for_long(now, seen.readable_since):
        return Action.DATABASE_AWAY
    if seen.heartbeat_at is not None and now - seen.heartbeat_at <= SILENCE:
        return Action.HEALTHY
    if not _for_long(now, seen.publishing_since):
        return Action.BROKER_AWAY
    if seen.busy_at is not None and now - seen.busy_at <= SILENCE:
        # Long tasks leave no process for a canary. Once one is free it gets the usual time.
        return Action.BUSY
    answered = seen.heartbeat_at is not None and seen.heartbeat_at > seen.unit_started_at
    if not answered and now - seen.unit_started_at < START_GRACE:
        return Action.STARTING
    if seen.last_restart_at is not None and now - seen.last_restart_at < RESTART_GAP:
        return Action.JUST_RESTARTED
    return Action.RESTART


def _for_long(now: datetime, since: datetime | None) -> bool:
    return since is not None and now - since > SILENCE
