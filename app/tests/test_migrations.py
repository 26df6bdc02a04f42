from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from boxoffice.db import Base
from boxoffice.migrations import upgrade
from tests.factory import Factory


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))


def test_the_migrations_make_what_the_models_say(engine: Engine) -> None:
    assert differences(engine) == []


def test_a_second_migrate_changes_nothing(engine: Engine) -> None:
    assert upgrade(engine) is False


def test_a_migrate_that_was_cut_off_is_run_again(engine: Engine) -> None:
    """The server has made the column, and the connection broke before that was written down."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert upgrade(engine) is True
    assert differences(engine) == []


def test_a_release_that_knows_no_opening_of_sales_still_makes_events(
    db_session: Session, factory: Factory
) -> None:
    statement = (
        "INSERT INTO event (organiser_id, slug, title, summary, venue, starts_at, public, currency,"
        " payment_note, created_at) VALUES (:organiser, 'old', 'Old', '', '', '2031-05-06 19:30',"
        " 1, 'EUR', '', NOW())"
    )
    db_session.execute(text(statement), {"organiser": factory.organiser().id})
    db_session.commit()
    assert db_session.scalars(text("SELECT sales_open_at FROM event")).all() == [None]
