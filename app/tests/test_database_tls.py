"""The way to the database is encrypted, and the server has to prove who it is."""

import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from webtest import TestApp

from boxoffice import db, tasking
from boxoffice.app import create_app
from boxoffice.config import Settings
from boxoffice.db import make_engine
from tests.cache.proxy import proxy
from tests.database import Database, database
from tests.outbox.processes import environment
from tests.tls import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(authority: Authority, settings: Settings) -> Iterator[Database]:
    with database(authority, settings.database_url) as server:
        server.say("SET GLOBAL require_secure_transport=ON")
        yield server


@pytest.fixture
def secure(server: Database, authority: Authority, settings: Settings) -> Settings:
    url = make_url(settings.database_url).set(port=server.port)
    return replace(
        settings,
        database_url=url.render_as_string(hide_password=False),
        database_ca_file=str(authority.ca),
    )


def cipher(settings: Settings) -> str:
    engine = make_engine(settings)
    try:
        with engine.connect() as connection:
            found: str = connection.execute(text("SHOW STATUS LIKE 'Ssl_cipher'")).one()[1]
            return found
    finally:
        engine.dispose()


def refused(settings: Settings, *words: str) -> None:
    with pytest.raises(OperationalError) as error:
        cipher(settings)
    text = str(error.value)
    assert [word for word in words if word not in text] == [], text
    assert db.is_unavailable(error.value)
    assert not db.is_retryable(error.value)


def at(settings: Settings, **parts: Any) -> Settings:
    url = make_url(settings.database_url).set(**parts)
    return replace(settings, database_url=url.render_as_string(hide_password=False))


def test_with_the_servers_ca_the_session_is_encrypted(secure: Settings) -> None:
    assert cipher(secure).startswith("TLS_")


def test_another_ca_is_refused(secure: Settings, tmp_path: Path) -> None:
    stranger = str(Authority(tmp_path, "stranger").ca)
    mend = "Mend: let DATABASE_CA_FILE hold the CA that signed"
    refused(replace(secure, database_ca_file=stranger), "CERTIFICATE_VERIFY_FAILED", mend)


def test_another_name_is_refused(secure: Settings) -> None:
    mend = "Mend: let DATABASE_URL name the server as its certificate does"
    refused(at(secure, host="localhost"), "'localhost'", mend)


def test_another_address_is_refused(secure: Settings, server: Database) -> None:
    """It leads to the same server, whose certificate says 127.0.0.1."""
    with proxy(server.port, "127.0.0.2") as way:
        other = at(secure, host=way.host, port=way.port)
        refused(other, "Mend: let DATABASE_URL name the server as its certificate does")


def test_a_server_without_tls_is_refused(
    secure: Settings, settings: Settings, plain_port: int
) -> None:
    refused(at(secure, port=plain_port), "2026", "Mend: turn TLS on at the server")


@pytest.fixture
def plain_port(settings: Settings) -> int:
    engine = create_engine(os.environ["TEST_DATABASE_URL"])
    with engine.connect() as connection:
        has = connection.execute(text("SELECT @@have_ssl")).scalar_one()
    engine.dispose()
    if has == "YES":  # MariaDB makes a certificate by itself from 11.4 on
        pytest.skip("the tests' own server speaks TLS")
    return make_url(settings.database_url).port or 3306


def test_without_tls_the_server_refuses_and_the_error_says_what_to_do(secure: Settings) -> None:
    refused(without_tls(secure), "1045", "where MariaDB wants TLS, set DATABASE_CA_FILE")


def test_mysql_says_the_same_in_its_own_way(secure: Settings) -> None:
    with mysql_that_wants_tls() as port:
        plain = at(without_tls(secure), port=port)
        refused(plain, "3159", "Mend: set DATABASE_CA_FILE to a file with the CA")


def without_tls(settings: Settings) -> Settings:
    plain = replace(settings, database_ca_file="")
    return at(plain, query={"ssl_disabled": "1"})  # load_settings refuses that


@contextmanager
def mysql_that_wants_tls() -> Iterator[int]:
    """A greeting of MySQL's, and its refusal whatever it is told then."""
    greeting = b"\x0a8.4.6\0" + bytes(4) + b"x" * 8 + b"\0" + b"\xff\xf7" + b"\x2d" + b"\2\0"
    greeting += b"\xff\xcf" + b"\x15" + bytes(10) + b"x" * 12 + b"\0mysql_native_password\0"
    words = b"Connections using insecure transport are prohibited"
    refusal = b"\xff" + (3159).to_bytes(2, "little") + b"#08004" + words

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            for number, packet in ((0, greeting), (2, refusal)):
                self.request.sendall(len(packet).to_bytes(3, "little") + bytes([number]) + packet)
                self.request.recv(4096)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def boxoffice(settings: Settings, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    values = {**os.environ, **environment(settings, folder)}
    command = [sys.executable, "-m", "boxoffice.cli", *words]
    return subprocess.run(command, env=values, capture_output=True, text=True)  # noqa: S603, PLW1510


def test_migrations_the_web_and_workers_go_the_same_way(
    secure: Settings, server: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = replace(secure, database_ca_file=str(Authority(tmp_path, "stranger").ca))
    failed = boxoffice(stranger, tmp_path, "migrate")
    assert (failed.returncode, failed.stdout) == (1, "")
    said = failed.stderr.splitlines()[-1]
    assert said.startswith("the database: ")
    assert "let DATABASE_CA_FILE hold the CA" in said
    assert "Traceback" not in failed.stderr

    done = boxoffice(secure, tmp_path, "migrate")
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["changed"]), done.stderr
    assert TestApp(create_app(secure)).get("/status").json["database"] == "ok"
    TestApp(create_app(stranger)).get("/status", status=503)

    for key, value in environment(secure, tmp_path).items():
        monkeypatch.setenv(key, value)
    tasking._runtime.cache_clear()
    with tasking.context() as ctx:
        found = ctx.session.execute(text("SHOW STATUS LIKE 'Ssl_cipher'")).one()
    tasking.runtime()[1].kw["bind"].dispose()
    tasking._runtime.cache_clear()
    assert found[1].startswith("TLS_")
