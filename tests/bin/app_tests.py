#!/usr/bin/env python3
"""Run the box office's tests against real MariaDB, Redis and Memcached servers: private ones, on free loopback ports, gone afterwards.

usage: tests/bin/app_tests.py [pytest's words]
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2   # side by side; each with its own Redis and Memcached, which the tests empty


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    if not path:
        raise SystemExit(f"{name} is not installed on this machine; expected it from Debian's packages: bin/bootstrap test")
    return path


class Servers(ExitStack):
    """Servers in a temporary folder; leaving stops them by their process ids."""

    def start(self, *command: str, log: Path) -> None:
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        self.callback(self._stop, process)

    @staticmethod
    def _stop(process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_port(port: int, what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{what} did not answer on its port within {seconds:.0f} s")


def mariadb(servers: Servers, folder: Path) -> str:
    """URL of a fresh MariaDB server with an account that may make databases named boxoffice_test*."""
    data, port, sock = folder / "mariadb", free_port(), folder / "mariadb.sock"
    user = ["--user=root"] if os.geteuid() == 0 else []
    subprocess.run([find("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--skip-test-db", "--auth-root-authentication-method=normal", *user],
                   check=True, capture_output=True)
    servers.start(find("mariadbd"), "--no-defaults", f"--datadir={data}", f"--socket={sock}", f"--port={port}", "--bind-address=127.0.0.1",
                  "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve", "--max-connections=300", *user, log=folder / "mariadb.log")
    wait_for_port(port, "MariaDB")
    grant = (
        "CREATE DATABASE boxoffice_test; CREATE USER tests@'%' IDENTIFIED BY 'tests'; "
        "GRANT ALL ON `boxoffice\\_test%`.* TO tests@'%'; GRANT PROCESS, CONNECTION ADMIN ON *.* TO tests@'%';"
    )
    subprocess.run([find("mariadb"), "--no-defaults", f"--socket={sock}", "-uroot", "-e", grant], check=True)
    return f"mysql+pymysql://tests:tests@127.0.0.1:{port}/boxoffice_test?charset=utf8mb4"


def main(words: list[str]) -> int:
    with Servers() as servers:
        folder = Path(servers.enter_context(tempfile.TemporaryDirectory(prefix="boxoffice-tests-")))
        redis, memcached = [free_port() for _ in range(WORKERS)], [free_port() for _ in range(WORKERS)]
        user = ["-u", "root"] if os.geteuid() == 0 else []
        for port in redis:
            servers.start(find("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder),
                          log=folder / f"redis-{port}.log")
        for port in memcached:
            servers.start(find("memcached"), "-l", "127.0.0.1", "-p", str(port), "-U", "0", *user, log=folder / f"memcached-{port}.log")
        env = dict(os.environ) | {
            "TEST_DATABASE_URL": mariadb(servers, folder),
            "TEST_REDIS_URL": " ".join(f"redis://127.0.0.1:{port}/0" for port in redis),
            "TEST_MEMCACHED": " ".join(f"127.0.0.1:{port}" for port in memcached),
        }
        for port in redis + memcached:
            wait_for_port(port, "Redis or Memcached")
        pytest = [sys.executable, "-m", "pytest", "-q", "-n", str(WORKERS), "--dist", "worksteal"]
        return subprocess.run([*pytest, *words], cwd=ROOT / "app", env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
