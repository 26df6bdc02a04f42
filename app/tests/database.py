"""A MariaDB server of a test's own, which may speak TLS and be made a reader."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pymysql
from sqlalchemy import make_url

from tests.cache.servers import Server, free_port
from tests.tls import Authority


class Database(Server):
    def __init__(self, folder: Path, *options: str) -> None:
        self.socket = folder / "sock"
        data, port = f"--datadir={folder / 'data'}", free_port()
        user = ["--user=root"] if os.geteuid() == 0 else []
        normal = "--auth-root-authentication-method=normal"
        install = [tool("mariadb-install-db"), "--no-defaults", data, "--skip-test-db", normal]
        done = subprocess.run([*install, *user], check=False, capture_output=True, text=True)  # noqa: S603
        assert done.returncode == 0, done.stdout + done.stderr
        listen = [f"--socket={self.socket}", f"--port={port}", "--bind-address=127.0.0.1"]
        light = ["--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"]
        command = [tool("mariadbd"), "--no-defaults", data, *listen, *light, *user, *options]
        super().__init__(command, port)

    def say(self, statement: str) -> Any:
        """As root; all rows."""
        with (
            pymysql.connect(unix_socket=str(self.socket), user="root") as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return cursor.fetchall()

    def connections(self) -> int:
        """How many are there of the account of the tests."""
        query = "SELECT COUNT(*) FROM information_schema.processlist WHERE user <> 'root'"
        found: int = self.say(query)[0][0]
        return found


def tool(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    assert found, f"{name} is not installed"
    return found


@contextmanager
def database(authority: Authority, url: str) -> Iterator[Database]:
    """With a certificate of `authority`, and with the account and the (empty) database of `url`."""
    parts = make_url(url)
    tls = (f"--ssl-cert={authority.certificate}", f"--ssl-key={authority.key}")
    with TemporaryDirectory() as folder:
        server = Database(Path(folder), *tls, f"--ssl-ca={authority.ca}")
        try:
            charset = "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
            server.say(f"CREATE DATABASE {parts.database} {charset}")
            server.say(f"CREATE USER {parts.username}@'%' IDENTIFIED BY '{parts.password}'")
            server.say(f"GRANT ALL ON `{parts.database}`.* TO {parts.username}@'%'")
            yield server
        finally:
            server.kill()


def copy(source: str, sink: str) -> None:
    """All tables of one database into another; both are addresses of SQLAlchemy."""
    words = []
    for url in map(make_url, (source, sink)):
        login = [f"--user={url.username}", f"--password={url.password}", f"--port={url.port}"]
        words.append(["--no-defaults", *login, "--host=127.0.0.1", str(url.database)])
    dump = [tool("mariadb-dump"), *words[0][:-1], "--skip-add-locks", words[0][-1]]
    found = subprocess.run(dump, check=True, capture_output=True)  # noqa: S603
    subprocess.run([tool("mariadb"), *words[1]], check=True, input=found.stdout)  # noqa: S603
