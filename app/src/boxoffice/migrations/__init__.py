"""Changes of the schema, in order. `upgrade` is what `boxoffice migrate` calls."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine


def upgrade(engine: Engine) -> bool:
    """Bring the schema to its newest version; True when something had to be done."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    before = current(engine)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return current(engine) != before


def current(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
