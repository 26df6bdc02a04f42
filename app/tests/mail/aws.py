"""Amazon's side: moto's server in a process of its own, and a SES that says what it is told."""

import json
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.cache.servers import Server, free_port

REGION = "eu-west-1"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAFAKESTACK01",
    "AWS_SECRET_ACCESS_KEY": "fake-secret-of-stack-01",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Moto:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(f"{self.url}/moto-api/{path}", method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return json.load(answer)

    def mails(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("data.json").get("ses", {}).get("RawMessage", [])
        return found


@contextmanager
def moto_server() -> Iterator[Moto]:
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = Server(command, port, within=60)
    try:
        yield Moto(port)
    finally:
        server.kill()


class Fake:
    """Answers every call with `status` and `code`, and keeps what was asked."""

    def __init__(self) -> None:
        self.status, self.code = 429, "TooManyRequestsException"
        self.asked: list[dict[str, Any]] = []
        self.url = ""


@contextmanager
def fake_ses() -> Iterator[Fake]:
    fake = Fake()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            fake.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            good = fake.status == 200
            body = json.dumps({"MessageId": "1"} if good else {"message": "says the fake"}).encode()
            self.send_response(fake.status)
            if not good:
                self.send_header("x-amzn-ErrorType", fake.code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
