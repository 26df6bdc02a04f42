"""Mail sink: takes mail over SMTP, delivers none of it, and shows it on a web page.

The list, one message as its reader sees it, and JSON for tests; no scripts. What is kept and how: store.py.
"""

from __future__ import annotations

import argparse
import datetime
import json
import logging
import re
import signal
import threading
import urllib.parse
from email.message import EmailMessage
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from store import PICTURES, Entry, Store, as_json, body, header, linked, parse, parts, receiver, rendered

log = logging.getLogger("mail-sink")
PAGE = 50
HTML = "text/html; charset=utf-8"
POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'"
# A mail is a stranger: no scripts, no requests to anybody; its links open in a tab of their own.
MAIL_POLICY = ("default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
               "sandbox allow-popups allow-popups-to-escape-sandbox")
STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2330; --soft: #667085; --line: #e3e7ee; --back: #f4f6fa;
  --accent: #2f5bea; --chip: #eef2ff }
@media (prefers-color-scheme: dark) { :root { --paper: #1b202a; --ink: #e8ebf1; --soft: #9aa4b5; --line: #2d3442;
  --back: #12161d; --accent: #8fa9ff; --chip: #263152 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
a { color: var(--accent); text-decoration: none }
a:focus-visible, button:focus-visible, input:focus-visible, summary:focus-visible {
  outline: 2px solid var(--accent); outline-offset: 2px }
header, main { max-width: 60rem; margin: 0 auto; padding: 0 1rem }
header { display: flex; flex-wrap: wrap; gap: .75rem 1rem; align-items: center; padding-block: 1rem }
header h1 { font-size: 1.25rem; margin: 0; flex: 1 1 auto }
header h1 a { color: inherit }
header small { color: var(--soft); font-weight: 400; margin-left: .4rem; font-size: .875rem }
form { display: flex; gap: .5rem; margin: 0 }
input, button, .button { font: inherit; min-height: 2.75rem; padding: .4rem .9rem; border-radius: .5rem;
  border: 1px solid var(--line); background: var(--paper); color: inherit }
input { min-width: 0; width: 18rem; flex: 1 1 auto }
button, .button { cursor: pointer; display: inline-flex; align-items: center }
.main { background: var(--accent); color: var(--paper) }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: .75rem; overflow: hidden;
  margin-bottom: 1rem }
.mail { display: grid; grid-template-columns: minmax(0, 14rem) minmax(0, 1fr) auto; gap: 0 1rem; padding: .8rem 1rem;
  color: inherit; border-top: 1px solid var(--line) }
.mail:first-child { border-top: 0 } .mail:hover { background: var(--chip) }
.mail span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.mail .subject { font-weight: 600 }
.chip { background: var(--chip); color: var(--soft); border-radius: 1rem; padding: .1rem .5rem; font-weight: 400 }
.mail time, .soft { color: var(--soft); font-size: .875rem }
.none { padding: 3rem 1rem; text-align: center; color: var(--soft) }
.none strong { display: block; color: var(--ink) }
.bar { display: flex; justify-content: space-between; gap: 1rem; align-items: center; padding-bottom: 2rem }
h2 { font-size: 1.375rem; line-height: 1.3; margin: 0; padding: 1rem 1rem .25rem; overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: auto 1fr; gap: .1rem .75rem; margin: 0; padding: 0 1rem 1rem }
dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
iframe { display: block; width: 100%; height: 40rem; max-height: 80vh; min-height: 20rem; border: 0;
  border-top: 1px solid var(--line); background: #fff; resize: vertical }
pre { margin: 0; padding: 1rem; white-space: pre-wrap; overflow-wrap: anywhere;
  font: .9375rem/1.5 ui-monospace, monospace }
.text { border-top: 1px solid var(--line) } summary { cursor: pointer; padding: .7rem 1rem; min-height: 2.75rem }
ul.files { list-style: none; margin: 0; padding: 0 1rem 1rem; display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(12rem, 1fr)) }
ul.files a { display: block; border: 1px solid var(--line); border-radius: .5rem; padding: .75rem; height: 100%;
  overflow-wrap: anywhere }
ul.files img { display: block; max-width: 100%; max-height: 10rem; margin: 0 auto .5rem; background: #fff }
@media (max-width: 40rem) {
  header form { flex: 1 1 100% }
  .mail { grid-template-columns: minmax(0, 1fr) auto }
  .mail .to { grid-column: 1; grid-row: 2; color: var(--soft) }
  .mail .subject { grid-column: 1; grid-row: 1 }
  .mail time { grid-column: 2; grid-row: 1 }
  .card { border-radius: .5rem } }
"""


def when(stamp: float) -> str:
    return datetime.datetime.fromtimestamp(stamp, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def moment(stamp: float) -> str:
    """Today as a time, another day as a day."""
    then, now = (datetime.datetime.fromtimestamp(stamp, datetime.UTC), datetime.datetime.now(datetime.UTC))
    label = then.strftime("%H:%M:%S") if then.date() == now.date() else then.strftime("%-d %b")
    return f'<time datetime="{then.isoformat()}" title="{when(stamp)}">{label}</time>'


def size(count: int) -> str:
    if count < 1024:
        return f"{count} B"
    return f"{count / 1024:.0f} kB" if count < 2**20 else f"{count / 2**20:.1f} MB"


def files(count: int) -> str:
    return f' <small class="chip">{count} {"file" if count == 1 else "files"}</small>' if count else ""


def page(title: str, content: str, head: str = "") -> str:
    return (f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<link rel="stylesheet" href="/style.css"><header>{head}</header><main>{content}</main></html>')


def listing(store: Store, to: str, number: int) -> str:
    found = store.find(to)
    number = max(1, min(number, (len(found) - 1) // PAGE + 1))
    rows = "".join(
        f'<a class="mail" href="/messages/{one.id}"><span class="to" title="{escape(", ".join(one.recipients))}">'
        f'{escape(", ".join(one.recipients)) or "(nobody)"}</span>'
        f'<span class="subject">{escape(one.subject) or "(no subject)"}{files(one.attachments)}</span>'
        f'{moment(one.received)}</a>'
        for one in found[(number - 1) * PAGE:number * PAGE])
    if not rows:
        rows = '<p class="none">' + (
            f'<strong>Nothing for {escape(to)}</strong><a href="/">Show all mail</a>' if to else
            '<strong>No mail yet</strong>Whatever the stack sends is shown here and goes nowhere else.') + "</p>"
    head = (f'<h1><a href="/">Inbox</a><small>{len(found)} {"message" if len(found) == 1 else "messages"}</small></h1>'
            f'<form role="search"><input type="search" name="to" value="{escape(to)}" placeholder="Recipient" '
            'aria-label="Recipient"><button class="main">Find</button></form>')
    query = "&amp;to=" + urllib.parse.quote(to) if to else ""
    older = f'<a class="button" href="/?page={number + 1}{query}">Older</a>' if number * PAGE < len(found) else ""
    newer = f'<a class="button" href="/?page={number - 1}{query}">Newer</a>' if number > 1 else ""
    empty = '<form method="post" action="/messages/empty"><button>Empty the inbox</button></form>'
    bar = f'<div class="bar"><div>{newer} {older}</div>{empty if found and not to else ""}</div>'
    return page("Inbox", f'<div class="card">{rows}</div>{bar}', head)


def message_page(entry: Entry, message: EmailMessage) -> str:
    html, plain = body(message, "html"), body(message, "plain")
    facts = [("From", entry.sender), ("To", ", ".join(entry.recipients)), ("Cc", header(message, "Cc")),
             ("Reply to", header(message, "Reply-To")), ("Received", when(entry.received))]
    content = [f'<h2>{escape(entry.subject) or "(no subject)"}</h2><dl>',
               "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts if value), "</dl>"]
    if html:
        content.append('<iframe title="The message as its reader sees it" src="/messages/' + entry.id + '/html" '
                       'sandbox="allow-popups allow-popups-to-escape-sandbox"></iframe>')
    else:
        content.append(f'<pre class="text">{linked(plain) or "(empty)"}</pre>')
    content.append("</div>")
    files = []
    for index, part in enumerate(parts(message)):
        where, kind = f"/messages/{entry.id}/parts/{index}", part.get_content_type()
        name = part.get_filename() or kind
        picture = f'<img src="{where}" alt="">' if kind in PICTURES else ""
        length = len(part.get_payload(decode=True) or b"")
        files.append(f'<li><a href="{where}">{picture}{escape(name)} <span class="soft">{size(length)}</span></a></li>')
    if files:
        content.append(f'<details class="card" open><summary>Attachments and pictures ({len(files)})</summary>'
                       f'<ul class="files">{"".join(files)}</ul></details>')
    if html and plain:
        content.append(f'<details class="card"><summary>As plain text</summary><pre>{linked(plain)}</pre></details>')
    lines = "\n".join(f"{name}: {value}" for name, value in message.raw_items() if not name.startswith("X-Sink-"))
    content.append(f'<details class="card"><summary>Headers</summary><pre>{escape(lines)}</pre></details>')
    head = ('<h1><a href="/">&larr; Inbox</a></h1>'
            f'<a class="button" href="/messages/{entry.id}/source">Download ({size(entry.size)})</a>')
    return page(entry.subject or "(no subject)", '<div class="card">' + "".join(content), head)





class Pages(BaseHTTPRequestHandler):
    store: Store
    protocol_version = "HTTP/1.1"
    server_version = "mail-sink"
    sys_version = ""
    timeout = 15

    def reply(self, data: bytes | str, kind: str = HTML, status: int = 200, **headers: str) -> None:
        data = data.encode("utf-8", "replace") if isinstance(data, str) else data
        self.send_response(status)
        for name, value in {
            "Content-Type": kind, "Content-Length": str(len(data)), "Cache-Control": "no-store",
            "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def missing(self) -> None:
        self.reply(page("Not found", '<div class="card"><p class="none"><strong>Not found</strong>'
                        '<a href="/">Back to the inbox</a></p></div>'), status=404)

    def do_GET(self) -> None:
        address = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        number = {name: int(query[name]) for name in ("page", "limit") if query.get(name, "").isdecimal()}
        if address.path == "/":
            self.reply(listing(self.store, query.get("to", ""), number.get("page", 1)))
        elif address.path == "/messages.json":
            self.reply(as_json(self.store, query.get("to", ""), number.get("limit", 200)), "application/json")
        elif address.path == "/style.css":
            self.reply(STYLE, "text/css; charset=utf-8")
        elif address.path == "/health":
            self.reply("ok\n", "text/plain")
        elif found := re.fullmatch(r"/messages/([0-9A-Za-z]+)(/html|/source|/parts/(\d{1,3}))?", address.path):
            self.message(*found.groups())
        else:
            self.missing()

    do_HEAD = do_GET

    def message(self, id_: str, view: str | None, index: str | None) -> None:
        kept = self.store.read(id_)
        if kept is None:
            return self.missing()
        entry, raw = kept
        message = parse(raw)
        if view is None:
            return self.reply(message_page(entry, message))
        if view == "/html":
            return self.reply(rendered(message), Content_Security_Policy=MAIL_POLICY)
        if view == "/source":
            return self.reply(raw, "message/rfc822", Content_Disposition=f'attachment; filename="{id_}.eml"')
        found = parts(message)
        if int(index) >= len(found):
            return self.missing()
        part = found[int(index)]
        kind = part.get_content_type()
        name = urllib.parse.quote(part.get_filename() or f"part-{index}")
        shown = "inline" if kind in PICTURES else "attachment"
        return self.reply(
            part.get_payload(decode=True) or b"", kind if kind in PICTURES else "application/octet-stream",
            Content_Disposition=f"{shown}; filename*=UTF-8''{name}")

    def do_DELETE(self) -> None:
        if self.path == "/messages":
            self.reply(json.dumps({"deleted": self.store.clear()}), "application/json")
        else:
            self.missing()

    def do_POST(self) -> None:
        self.close_connection = True  # whatever body came along is not read
        # Only from our own page: another site's form carries another Origin.
        origin = urllib.parse.urlsplit(self.headers.get("Origin", "")).netloc
        if self.path != "/messages/empty":
            self.missing()
        elif origin != self.headers.get("Host"):
            self.reply("Only the inbox's own page may do this.\n", "text/plain", 403)
        else:
            self.store.clear()
            self.reply("", status=303, Location="/")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Reading the inbox is not worth a line in the journal."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def server(bind: str, port: int, store: Store) -> Server:
    return Server((bind, port), type("StorePages", (Pages,), {"store": store}))


def serve(bind: str, smtp_port: int, http_port: int, store: Store, max_bytes: int):
    """Start both servers in threads of their own; returns the two, to be stopped by the caller."""
    pages = server(bind, http_port, store)
    threading.Thread(target=pages.serve_forever, name="http", daemon=True).start()
    smtp = receiver(bind, smtp_port, store, max_bytes)
    smtp.start()
    return smtp, pages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--smtp-port", type=int, default=25)
    parser.add_argument("--http-port", type=int, default=8025)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--keep", type=int, default=5000)
    parser.add_argument("--max-bytes", type=int, default=20 * 1024 * 1024)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    store = Store(args.store, args.keep)
    smtp, pages = serve(args.bind, args.smtp_port, args.http_port, store, args.max_bytes)
    log.info("mail on port %d, inbox on port %d, %d messages kept", args.smtp_port, args.http_port, len(store.entries))
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    smtp.stop()
    pages.shutdown()


if __name__ == "__main__":
    # Blocked before the threads start, so that only sigwait gets them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
