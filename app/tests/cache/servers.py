"""Servers of a test's own, to be frozen and killed."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


class Server:
    def __init__(self, command: Sequence[str], port: int, within: float = 20) -> None:
        self.port = port
        self.process = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        eventually(self.listens, within)

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(question: Callable[[], Any], within: float = 20, every: float = 0.05) -> Any:
    """The first true answer; fails when there is none in time."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(every)
    raise AssertionError(f"not within {within} s: {question}")


@contextmanager
def redis_server(*options: str, port: int = 0) -> Iterator[Server]:
    port = port or free_port()
    with TemporaryDirectory() as folder:  # a replica keeps what its primary sends in a file
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", folder]
        server = Server([*command, "--save", "", *options], port)
        try:
            yield server
        finally:
            server.kill()


@contextmanager
def sentinel(folder: Path, master_port: int, number: int, password: str) -> Iterator[Server]:
    port = free_port()
    file = folder / f"sentinel-{number}.conf"
    file.write_text(
        f"bind 127.0.0.1\nport {port}\n"
        f"sentinel monitor stack 127.0.0.1 {master_port} 2\n"
        f'sentinel auth-pass stack "{password}"\n'
        "sentinel down-after-milliseconds stack 1000\n"
        "sentinel failover-timeout stack 10000\n"
    )
    server = Server(["redis-server", str(file), "--sentinel"], port)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def memcached_server() -> Iterator[Server]:
    port = free_port()
    server = Server(["memcached", "-l", "127.0.0.1", "-p", str(port), "-u", "nobody"], port)
    try:
        yield server
    finally:
        server.kill()
