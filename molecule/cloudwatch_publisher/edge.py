#!/usr/bin/env python3
"""Both ends of the publisher: a Prometheus that answers what stands in `answer`, and a CloudWatch that keeps what it is sent, one line for each request."""

import http.server
import json
import pathlib

FOLDER = pathlib.Path("/var/lib/stand-in")
DONE = b'<PutMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></PutMetricDataResponse>'


class Edge(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/api/v1/query":
            with (FOLDER / "asked").open("a") as file:
                file.write(body + "\n")
            self.answer((FOLDER / "answer").read_bytes())
            return
        with (FOLDER / "put").open("a") as file:
            file.write(json.dumps({"who": self.headers["Authorization"], "body": body}) + "\n")
        self.answer(b"{}" if self.headers["X-Amz-Target"] else DONE)

    def answer(self, body: bytes) -> None:
        self.send_response(200 if body else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("127.0.0.1", 8087), Edge).serve_forever()
