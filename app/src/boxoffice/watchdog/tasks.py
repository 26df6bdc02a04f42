from sqlalchemy.dialects.mysql import insert

from boxoffice.db import utcnow
from boxoffice.outbox.publisher import CANARY
from boxoffice.tasking import Context, task
from boxoffice.watchdog import busy
from boxoffice.watchdog.models import WorkerHeartbeat

busy.connect()


@task(CANARY, max_retries=0)  # the next one is on its way
def canary(ctx: Context, host: str) -> None:
    """A worker that does this hears the broker, has a free process and reaches the database."""
    beat = insert(WorkerHeartbeat).values(host=host, executed_at=utcnow())
    ctx.session.execute(beat.on_duplicate_key_update(executed_at=beat.inserted.executed_at))
