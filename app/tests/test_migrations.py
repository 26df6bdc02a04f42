import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

import boxoffice.migrations
from boxoffice.db import Base
from boxoffice.migrations import Migrated, MigrationError, upgrade
from tests.factory import Factory


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))


def test_the_migrations_make_what_the_models_say(engine: Engine) -> None:
    assert differences(engine) == []


def test_a_second_migrate_changes_nothing(engine: Engine) -> None:
    assert upgrade(engine) == Migrated(False)


def test_a_migrate_that_was_cut_off_is_run_again(engine: Engine) -> None:
    """The server has made the column, and the connection broke before that was written down."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert upgrade(engine) == Migrated(True)
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


@pytest.fixture
def versions(engine: Engine, tmp_path: Path) -> Iterator["Versions"]:
    """A copy of the migrations to which a test adds its own; the tables are put back after it."""
    folder = tmp_path / "migrations"
    shutil.copytree(Path(boxoffice.migrations.__file__).parent, folder)
    yield Versions(folder)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS later_one, later_two"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))


class Versions:
    def __init__(self, folder: Path) -> None:
        self.folder, self.last = folder, "0003"

    def add(self, number: str, phase: str, statement: str) -> None:
        lines = ["from alembic import op", f"revision = {number!r}"]
        lines += [f"down_revision = {self.last!r}", phase]
        lines += ["def upgrade():", f"    op.execute({statement!r})"]
        (self.folder / f"versions/{number}_test.py").write_text("\n".join(lines) + "\n")
        self.last = number


EXPAND, CONTRACT = "phase = 'expand'", "phase = 'contract'"


def test_a_contract_waits_until_it_is_asked_for(engine: Engine, versions: "Versions") -> None:
    versions.add("0004", EXPAND, "CREATE TABLE later_one (id INT PRIMARY KEY)")
    versions.add("0005", CONTRACT, "DROP TABLE later_one")
    assert upgrade(engine, folder=versions.folder) == Migrated(True, held=("0005",))
    assert tables(engine) >= {"later_one"}
    assert upgrade(engine, folder=versions.folder) == Migrated(False, held=("0005",))
    assert upgrade(engine, contract=True, folder=versions.folder) == Migrated(True)
    assert "later_one" not in tables(engine)


def test_a_contract_before_what_the_release_needs_is_refused_and_nothing_is_done(
    engine: Engine, versions: "Versions"
) -> None:
    versions.add("0004", EXPAND, "CREATE TABLE later_one (id INT PRIMARY KEY)")
    versions.add("0005", CONTRACT, "DROP TABLE later_one")
    versions.add("0006", EXPAND, "CREATE TABLE later_two (id INT PRIMARY KEY)")
    with pytest.raises(MigrationError, match=r"0005 is a contract and stands before 0006.*Mend:"):
        upgrade(engine, folder=versions.folder)
    assert tables(engine) & {"later_one", "later_two"} == set()


def test_a_version_without_a_phase_is_named_and_nothing_is_done(
    engine: Engine, versions: "Versions"
) -> None:
    versions.add("0004", "", "CREATE TABLE later_one (id INT PRIMARY KEY)")
    with pytest.raises(MigrationError, match=r"0004_test\.py: found phase = None, expected"):
        upgrade(engine, folder=versions.folder)
    assert "later_one" not in tables(engine)


def test_an_older_release_leaves_a_newer_database_as_it_is(
    engine: Engine, versions: "Versions"
) -> None:
    versions.add("0004", EXPAND, "CREATE TABLE later_one (id INT PRIMARY KEY)")
    upgrade(engine, folder=versions.folder)
    assert upgrade(engine) == Migrated(False, newer="0004")


def tables(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.scalars(text("SHOW TABLES")))
