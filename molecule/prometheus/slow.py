#!/usr/bin/env python3
"""An app that takes two seconds for everything."""

import http.server
import time


class Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(2)
        self.send_response(204)
        self.end_headers()


http.server.ThreadingHTTPServer(("127.0.0.1", 8089), Slow).serve_forever()
