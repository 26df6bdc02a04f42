#!/usr/bin/python3
"""Health agent of a Galera node: 200 only while this node may be given writes, 503 and the reason otherwise.

A balancer that looks at the port alone sends clients to a node that has lost the majority. This asks the server:
ready, member of the Primary component, synced or a donor, and not read-only. Every answer comes within half a
second, also when the server is frozen.
"""

from __future__ import annotations

import argparse
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pymysql

SOCKET = "/run/mysqld/mysqld.sock"
USER = "mariadb-agent"
PATIENCE = 0.2  # seconds for one answer of the server
FRESH = 0.1  # an answer this young serves other balancers too
# 3 is a donor that is catching up: without it the only writer would be taken away just when the other one is back.
# A node that has only now joined is in state 3 too, but it is not ready.
SERVING = {"2": "donor", "3": "former donor", "4": "synced"}
STATUS = (
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_ready', 'wsrep_cluster_status', 'wsrep_local_state', 'wsrep_local_state_comment')"
)
READ_ONLY = "SHOW GLOBAL VARIABLES LIKE 'read_only'"


def judge(facts):
    """The server's words -> (may it be given writes, why)."""
    ready, status = facts.get("wsrep_ready"), facts.get("wsrep_cluster_status")
    state, read_only = facts.get("wsrep_local_state"), facts.get("read_only")
    if ready != "ON":
        return False, f"not ready: wsrep_ready is {ready}"
    if status != "Primary":
        return False, f"no majority: cluster status is {status}"
    if state not in SERVING:
        return False, f"not synced: state is {state} ({facts.get('wsrep_local_state_comment')})"
    if read_only != "OFF":
        return False, f"read-only: read_only is {read_only}"
    return True, f"{SERVING[state]} member of the primary component"


class Server:
    """One connection to the local server, opened again when it is lost."""

    def __init__(self, socket):
        self.socket = socket
        self.lock = threading.Lock()
        self.connection = None
        self.verdict = (False, "not asked yet")
        self.asked = 0.0

    def check(self):
        with self.lock:
            if time.monotonic() - self.asked > FRESH:
                self.verdict = self._ask()
                self.asked = time.monotonic()
            return self.verdict

    def _ask(self):
        begin = time.monotonic()
        known = self.connection is not None
        try:
            return judge(self._facts())
        except (pymysql.MySQLError, OSError) as error:
            self._close()
            # A server that restarted has closed the connection, and says so at once: ask the new one.
            if known and time.monotonic() - begin < PATIENCE / 2:
                return self._ask()
            return False, f"no answer: {error}"

    def _facts(self):
        if self.connection is None:
            self.connection = pymysql.connect(
                unix_socket=self.socket,
                user=USER,
                autocommit=True,
                connect_timeout=PATIENCE,
                read_timeout=PATIENCE,
                write_timeout=PATIENCE,
            )
        with self.connection.cursor() as cursor:
            cursor.execute(STATUS)
            facts = dict(cursor.fetchall())
            cursor.execute(READ_ONLY)
            facts.update(cursor.fetchall())
        return facts

    def _close(self):
        if self.connection is not None:
            self.connection._force_close()  # close() would first write to a server that may be frozen
            self.connection = None


class Handler(BaseHTTPRequestHandler):
    timeout = 2  # for a client that says nothing

    def do_GET(self):
        healthy, why = self.server.database.check()
        body = (why + "\n").encode()
        self.send_response(200 if healthy else 503)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            with suppress(ConnectionError):  # a balancer that has read the status hangs up
                self.wfile.write(body)

    do_HEAD = do_OPTIONS = do_GET

    def log_message(self, *arguments):
        """A line for each check would only fill the journal."""


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address, database):
        super().__init__(address, Handler)
        self.database = database


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9200)
    parser.add_argument("--socket", default=SOCKET)
    options = parser.parse_args()
    Listener((options.listen, options.port), Server(options.socket)).serve_forever()


if __name__ == "__main__":
    main()
