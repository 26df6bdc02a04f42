"""Forged requests, headers, and a database that is away."""

import re
from dataclasses import replace

import pytest
from sqlalchemy import Engine, make_url
from sqlalchemy import event as events
from sqlalchemy.orm import Session
from tests.factory import Factory
from webtest import TestApp

from boxoffice.app import create_app
from boxoffice.config import Settings
from boxoffice.releases.services import stock


def test_a_post_without_the_token_changes_nothing(
    app: TestApp, factory: Factory, db_session: Session
) -> None:
    event = factory.event()
    fields = {f"release-{event.releases[0].id}": "1", "token": "t" * 32}
    page = app.post(f"/e/{event.slug}/reserve", fields, status=400)
    assert "open for too long" in page
    assert stock(db_session, event.releases[0].pool_id).held == 0


@pytest.mark.parametrize("path", ["/organiser/sign-in", "/organiser/sign-out", "/o/x"])
def test_every_form_is_guarded(app: TestApp, path: str) -> None:
    app.post(path, {}, status=400)


def test_headers_forbid_what_pages_do_not_need(app: TestApp, factory: Factory) -> None:
    page = app.get(f"/e/{factory.event().slug}")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "no-store"
    cookie = page.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert " style=" not in page
    assert not re.search(r"<script(?! src=)", page.text)


def test_behind_https_the_cookie_is_for_https_only(
    settings: Settings, engine: Engine, clean: None
) -> None:
    app = TestApp(create_app(replace(settings, public_url="https://example.org"), engine))
    page = app.get("/organiser/sign-in")
    assert "secure" in page.headers["Set-Cookie"].lower()
    assert "Strict-Transport-Security" in page.headers


def test_static_files_are_kept_for_long_at_an_address_that_changes(app: TestApp) -> None:
    address = re.search(r'href="(/static/style.css\?x=\w+)"', app.get("/").text)
    assert address
    assert "max-age=31536000" in app.get(address[1]).headers["Cache-Control"]


@pytest.fixture
def alone(settings: Settings, clean: None) -> TestApp:
    """The app with neither a database nor caches."""
    url = make_url(settings.database_url).set(port=1).render_as_string(hide_password=False)
    gone = replace(
        settings, database_url=url, redis_url="redis://127.0.0.1:1/0", memcached=("127.0.0.1:1",)
    )
    return TestApp(create_app(gone))


def test_without_a_database_pages_ask_to_come_back(alone: TestApp) -> None:
    page = alone.get("/e/anything", status=503)
    assert "One moment, please" in page
    assert page.headers["Retry-After"] == "5"
    assert "Traceback" not in page


def test_health_does_not_depend_on_the_database(alone: TestApp) -> None:
    assert alone.get("/health").text == "ok\n"
    assert alone.get("/status", status=503).json["database"] != "ok"


def test_status_tells_how_things_are(app: TestApp, factory: Factory) -> None:
    factory.confirmed(factory.event(("Guest", 0, 1)))
    found = app.get("/status").json
    assert (found["database"], found["redis"], found["memcached"]) == ("ok", "ok", "ok")
    assert found["outbox"]["waiting"] == 1
    assert found["outbox"]["oldest_seconds"] < 60


def test_pages_work_with_dead_caches(settings: Settings, engine: Engine, factory: Factory) -> None:
    gone = replace(settings, redis_url="redis://127.0.0.1:1/0", memcached=("127.0.0.1:1",))
    app = TestApp(create_app(gone, engine))
    event = factory.event()
    page = app.get(f"/e/{event.slug}").forms[0].submit(status=303).follow()
    assert "held for you" in page


class Fault:
    """Lets the next statements that begin so fail, as often as told."""

    def __init__(self, engine: Engine, statement: str, code: int, times: int) -> None:
        self.engine, self.statement, self.code, self.left = engine, statement, code, times
        events.listen(engine, "before_cursor_execute", self)

    def __call__(self, _connection: object, cursor: object, statement: str, *_rest: object) -> None:
        if self.left and statement.startswith(self.statement):
            self.left -= 1
            cursor.execute(f"SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {self.code}")  # type: ignore[attr-defined]

    def stop(self) -> None:
        events.remove(self.engine, "before_cursor_execute", self)


@pytest.mark.parametrize("code", [1213, 1205, 1047, 1290])
def test_a_request_hit_by_a_switch_is_run_again(
    app: TestApp, engine: Engine, factory: Factory, db_session: Session, code: int
) -> None:
    event = factory.event()
    form = app.get(f"/e/{event.slug}").forms[0]
    fault = Fault(engine, "UPDATE inventory", code, times=2)
    try:
        form.submit(status=303)
    finally:
        fault.stop()
    assert fault.left == 0
    assert stock(db_session, event.releases[0].pool_id).held == 1


def test_after_three_tries_the_buyer_is_asked_to_come_back(
    app: TestApp, engine: Engine, factory: Factory, db_session: Session
) -> None:
    event = factory.event()
    form = app.get(f"/e/{event.slug}").forms[0]
    fault = Fault(engine, "UPDATE inventory", 1213, times=3)
    try:
        page = form.submit(status=503)
    finally:
        fault.stop()
    assert "you will not be booked twice" in page
    assert stock(db_session, event.releases[0].pool_id).held == 0
    form.submit(status=303)
    assert stock(db_session, event.releases[0].pool_id).held == 1


def test_a_commit_of_unknown_outcome_books_once(
    app: TestApp,
    engine: Engine,
    factory: Factory,
    db_session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server commits, the answer is lost: the second try finds the order by its key."""
    event = factory.event()
    form = app.get(f"/e/{event.slug}").forms[0]
    real = engine.dialect.do_commit
    lost = []

    def commit(connection: object) -> None:
        real(connection)  # type: ignore[arg-type]
        if not lost:
            lost.append(True)
            import pymysql

            raise pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query")

    monkeypatch.setattr(engine.dialect, "do_commit", commit)
    page = form.submit(status=303).follow()
    assert lost
    assert "1 ticket held for you" in page
    assert stock(db_session, event.releases[0].pool_id).held == 1
