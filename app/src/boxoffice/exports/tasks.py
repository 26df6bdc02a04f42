from boxoffice.db import utcnow
from boxoffice.events.models import Event
from boxoffice.exports.models import Export, ExportState
from boxoffice.exports.services import attendees_csv
from boxoffice.outbox.handlers import handles
from boxoffice.outbox.models import Outbox
from boxoffice.tasking import Context


@handles("export.requested")
def make_export(ctx: Context, row: Outbox) -> None:
    export = ctx.session.get_one(Export, row.payload["export_id"])
    event = ctx.session.get_one(Event, export.event_id)
    export.content = attendees_csv(ctx.session, event.id)
    export.finished_at = utcnow()
    export.filename = f"{event.slug}-attendees-{export.finished_at:%Y%m%d-%H%M%S}.csv"
    export.state = ExportState.DONE
