import io
import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from boxoffice.accounts.services import check_password, organiser_of, start_login
from boxoffice.cli import main
from boxoffice.config import Settings
from boxoffice.migrations import Migrated
from tests.factory import PASSWORD


@pytest.fixture
def environment(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoints = tmp_path / "endpoints.json"
    endpoints.write_text(json.dumps({"redis": {"url": settings.redis_url}}))
    for key, value in {
        "DATABASE_URL": settings.database_url,
        "ENDPOINTS_FILE": str(endpoints),
        "SESSION_SECRET": settings.session_secret,
        "PUBLIC_URL": settings.public_url,
        "SMTP_HOST": settings.smtp_host,
        "MAIL_FROM": settings.mail_from,
        "HOST_NAME": settings.host_name,
    }.items():
        monkeypatch.setenv(key, value)


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def test_check_names_what_is_missing(
    environment: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check"]) == 0
    monkeypatch.delenv("MAIL_FROM")
    assert main(["check"]) == 2
    assert "MAIL_FROM" in capsys.readouterr().err


def test_migrate_says_that_nothing_changed(
    environment: None, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["migrate"]) == 0
    assert last_line(capsys) == "unchanged"


def test_migrate_may_take_longer_than_any_other_statement(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[object] = []

    def slow(engine: Engine, contract: bool) -> Migrated:
        with engine.connect() as connection:
            slept.append(connection.scalar(text("SELECT SLEEP(2)")))
        return Migrated(contract)

    monkeypatch.setattr("boxoffice.db.STATEMENT_SECONDS", 1)
    monkeypatch.setattr("boxoffice.migrations.upgrade", slow)
    assert main(["migrate"]) == 0
    assert slept == [0]


def test_an_organiser_is_made_once_and_updated(
    environment: None,
    db_session: Session,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(password: str) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        assert main(["organiser", "--email", "Ada@example.org"]) == 0
        return last_line(capsys)

    assert run(PASSWORD) == "changed"
    assert run(PASSWORD) == "unchanged"
    organiser = check_password(db_session, "ada@example.org", PASSWORD)
    assert organiser
    token = start_login(db_session, organiser)
    db_session.commit()
    assert organiser_of(db_session, token) == organiser
    db_session.commit()
    assert run("another password") == "changed"
    assert organiser_of(db_session, token) is None  # signed out by the new password


def test_a_short_password_is_refused(
    environment: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert main(["organiser", "--email", "ada@example.org"]) == 2
    assert "10 or more" in capsys.readouterr().err
