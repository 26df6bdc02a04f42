"""Run by Alembic; the connection is handed over by `boxoffice.migrations.upgrade`."""

from alembic import context

from boxoffice.db import Base
from boxoffice.tables import import_models

import_models()
connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
