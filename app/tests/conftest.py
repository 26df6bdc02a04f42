"""Real servers, addresses from the environment; one database, migrated once, emptied for each test.

TEST_DATABASE_URL  a MariaDB server whose user may create databases named boxoffice_test*
TEST_REDIS_URL     redis://host:port/0, emptied; one for each worker of pytest-xdist
TEST_MEMCACHED     host:port, likewise
"""

import os
from collections.abc import Iterator

import pytest
import redis
from pyramid.router import Router
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.orm import Session
from webtest import TestApp

from boxoffice import cache
from boxoffice.app import create_app
from boxoffice.config import Settings
from boxoffice.db import Base, make_engine, make_session_factory
from boxoffice.migrations import upgrade
from boxoffice.tables import import_models
from tests.factory import Factory

DATABASE = f"boxoffice_test_{os.getpid()}"
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@pytest.fixture(scope="session")
def settings() -> Settings:
    server = make_url(os.environ["TEST_DATABASE_URL"])
    return Settings(
        database_url=server.set(database=DATABASE).render_as_string(hide_password=False),
        session_secret="only-for-tests-only-for-tests-only-for-tests",
        public_url="http://localhost",
        smtp_host="127.0.0.1",
        mail_from="tickets@example.org",
        host_name="test-a-1",
        redis_url=os.environ["TEST_REDIS_URL"].split()[WORKER],
        memcached=(os.environ["TEST_MEMCACHED"].split()[WORKER],),
    )


@pytest.fixture(scope="session")
def engine(settings: Settings) -> Iterator[Engine]:
    import_models()
    server = create_engine(os.environ["TEST_DATABASE_URL"], isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(
            text(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        )
    engine = make_engine(settings)
    try:
        upgrade(engine)
        yield engine
    finally:
        engine.dispose()
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {DATABASE}"))
        server.dispose()


@pytest.fixture
def clean(engine: Engine, settings: Settings) -> None:
    """Empty tables and caches before a test: real commits need no rollback tricks."""
    with engine.begin() as connection:
        connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
        for table in Base.metadata.tables.values():
            connection.execute(table.delete())
        connection.execute(text("SET FOREIGN_KEY_CHECKS = 1"))
    client = redis.Redis.from_url(settings.redis_url)
    client.flushall()
    client.close()
    memcached = cache.memcached_client(settings)
    memcached.flush_all()
    memcached.close()
    cache.configure(settings)  # a test may have pointed it elsewhere


@pytest.fixture
def db_session(engine: Engine, clean: None) -> Iterator[Session]:
    """A session of the test's own. What it commits is really there."""
    with make_session_factory(engine)() as session:
        yield session


@pytest.fixture(scope="session")
def router(settings: Settings, engine: Engine) -> Router:
    return create_app(settings, engine)


@pytest.fixture
def app(router: Router, clean: None) -> TestApp:
    """A browser of its own for each test."""
    return TestApp(router)


@pytest.fixture
def factory(db_session: Session) -> Factory:
    return Factory(db_session)
