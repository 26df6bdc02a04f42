"""A configuration endpoint of a Memcached cluster, which a test makes say what it wants."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

LINE_END = b"\r\n"


class Endpoint:
    """`mood`: what it does when it is asked: `fine`, `silent`, `slow`, `closed` or `garbage`."""

    def __init__(self) -> None:
        self.mood = "fine"
        self.asked = 0
        self.said = b""

    def says(self, version: int, ports: Sequence[int]) -> None:
        nodes = " ".join(f"localhost|127.0.0.1|{port}" for port in ports)
        body = f"{version}\n{nodes}\n".encode()
        head = f"CONFIG cluster 0 {len(body)}".encode()
        self.said = head + LINE_END + body + LINE_END + b"END" + LINE_END

    def answer(self, sock: socket.socket) -> None:
        if self.mood == "fine":
            sock.sendall(self.said)
        elif self.mood == "garbage":
            sock.sendall(b"ERROR" + LINE_END)
        elif self.mood == "slow":  # each byte comes well within the timeout, the whole does not
            for byte in self.said:
                sock.sendall(bytes([byte]))
                time.sleep(0.2)
        elif self.mood == "silent":
            sock.recv(1)  # until the other side hangs up


@contextmanager
def endpoint() -> Iterator[tuple[Endpoint, str]]:
    """The endpoint and its address."""
    given = Endpoint()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline() == b"config get cluster" + LINE_END:
                given.asked += 1
                given.answer(self.request)
                if given.mood == "closed":
                    return

    class Quiet(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_arguments: Any) -> None:
            """The other side hung up: what it does to one that is slow."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield given, f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
