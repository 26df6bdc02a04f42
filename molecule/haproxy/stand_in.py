#!/usr/bin/env python3
"""Stand-in for an app host (8000) and a database's health agent (9200), or, with -database, for the database itself (13306).

/drop/NAME  the stand-in of that name hangs up without an answer
/hits       how often each "METHOD path" came here
/etc/not-ready exists: the health agent says 503
"""

import json
import os
import socketserver
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = sys.argv[1]
HITS = Counter()


class App(BaseHTTPRequestHandler):
    def do_GET(self):
        HITS[f"{self.command} {self.path}"] += 1
        if self.path in (f"/drop/{NAME}", "/drop/all"):
            self.close_connection = True
            return
        self.answer(200, {"name": NAME, "headers": {k.lower(): v for k, v in self.headers.items()}, "hits": HITS})

    do_POST = do_GET  # noqa: N815 - the name that http.server calls

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if self.path.startswith("/public"):
            self.send_header("Cache-Control", "public, max-age=60")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Agent(App):
    def do_GET(self):
        self.answer(503 if os.path.exists("/etc/not-ready") else 200, {})


class Database(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(NAME.encode() + b"\n")
        while self.request.recv(100):
            self.request.sendall(NAME.encode() + b"\n")


class DatabaseServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


if "-database" in sys.argv:
    DatabaseServer(("", 13306), Database).serve_forever()
threading.Thread(target=ThreadingHTTPServer(("", 9200), Agent).serve_forever, daemon=True).start()
ThreadingHTTPServer(("", 8000), App).serve_forever()
