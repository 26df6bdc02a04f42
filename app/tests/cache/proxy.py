"""One address whose server can be replaced behind it, as a name that a provider moves."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Proxy:
    """`target`: the port that new connections lead to; those that exist stay where they are."""

    def __init__(self, target: int, host: str) -> None:
        self.target = target
        self.host = host
        self.port = 0
        self.pairs: list[tuple[socket.socket, socket.socket]] = []

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def serve(self, one: socket.socket) -> None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.target)) as other:
            self.pairs.append((one, other))
            back = threading.Thread(target=copy, args=(other, one), daemon=True)
            back.start()
            copy(one, other)
            back.join()

    def cut(self) -> None:
        """End all connections."""
        for pair in self.pairs:
            for sock in pair:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


def copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def proxy(target: int, host: str = "127.0.0.1", port: int = 0) -> Iterator[Proxy]:
    given = Proxy(target, host)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            given.serve(self.request)

    class Listener(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Listener((host, port), Handler) as server:
        given.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield given
        finally:
            server.shutdown()
            given.cut()
