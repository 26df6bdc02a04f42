"""The mail sink, run for real on loopback ports: mail goes in over SMTP and is looked at over HTTP."""

from __future__ import annotations

import json
import smtplib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from email.message import EmailMessage
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "roles/mail_sink/files/mail_sink.py"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Sink:
    def __init__(self, store: Path, keep: int = 5000):
        self.store, self.keep = store, keep
        self.smtp_port, self.http_port = free_port(), free_port()
        self.start()

    def start(self):
        self.process = subprocess.Popen([
            sys.executable, str(PROGRAM), "--store", str(self.store), "--keep", str(self.keep),
            "--smtp-port", str(self.smtp_port), "--http-port", str(self.http_port)])
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            try:
                smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=5).quit()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the mail sink did not start")

    def stop(self):
        self.process.terminate()
        assert self.process.wait(30) == 0

    def send(self, *mails: EmailMessage, to=()):
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=10) as smtp:
            for one in mails:
                smtp.send_message(one, to_addrs=list(to) or None)

    def request(self, path, method="GET", headers=()):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}{path}", method=method, headers=dict(headers))
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()

    def get(self, path):
        return self.request(path)[2].decode()

    def messages(self, query=""):
        return json.loads(self.get(f"/messages.json{query}"))["messages"]


@pytest.fixture
def sink(tmp_path):
    one = Sink(tmp_path)
    yield one
    one.process.kill()
    one.process.wait()


def mail(to="ana@example.com", subject="Your tickets", text="Hello Ana\nhttps://example.org/a?x=1&y=2\n"):
    one = EmailMessage()
    one["From"], one["To"], one["Subject"] = "Box office <tickets@example.org>", to, subject
    one.set_content(text)
    return one


def ticket_mail():
    one = mail()
    one.add_alternative('<h1>Tickets</h1><img src="cid:code"><script>alert(1)</script>', subtype="html")
    one.get_payload()[1].add_related(PNG, "image", "png", cid="<code>")
    one.add_attachment(b"<script>alert(2)</script>", maintype="text", subtype="html", filename="evil.html")
    return one


def test_what_is_sent_is_listed_for_its_recipient_newest_first(sink):
    sink.send(mail(), mail("bo@example.com", "Grüße"), mail("Ana@example.com", "Second"))
    found = sink.messages("?to=ana@EXAMPLE.com")
    assert [one["subject"] for one in found] == ["Second", "Your tickets"]
    assert found[1] | {"id": "", "date": ""} == {
        "id": "", "date": "", "from": "tickets@example.org", "to": ["ana@example.com"], "subject": "Your tickets",
        "text": "Hello Ana\nhttps://example.org/a?x=1&y=2\n"}
    assert sink.messages("?to=bo@example.com")[0]["subject"] == "Grüße"
    assert sink.messages("?to=na@example.com") == []
    assert len(sink.messages()) == 3 and "bo@example.com" in sink.get("/")
    assert "bo@example.com" not in sink.get("/?to=ana@example.com")


def test_the_recipients_are_those_of_the_envelope_not_of_the_header(sink):
    forged = mail()
    forged["X-Sink-To"] = "forged@example.com"
    sink.send(forged, to=["hidden@example.com"])
    assert sink.messages()[0]["to"] == ["hidden@example.com"]


def test_nothing_is_forgotten_at_a_restart_and_order_is_kept(sink):
    sink.send(mail(subject="one"), mail(subject="two"))
    before = sink.messages()
    sink.stop()
    sink.start()
    assert sink.messages() == before


def test_a_message_is_shown_as_its_reader_sees_it(sink):
    sink.send(ticket_mail())
    where = f"/messages/{sink.messages()[0]['id']}"
    _, headers, body = sink.request(where)
    assert "default-src 'none'" in headers["Content-Security-Policy"] and "script-src" not in str(headers)
    assert f'src="{where}/html" sandbox=' in body.decode()
    _, headers, body = sink.request(f"{where}/html")
    assert b'src="data:image/png;base64,' in body and b"cid:" not in body
    # The mail's own script is in there, and may not run.
    assert "sandbox allow-popups" in headers["Content-Security-Policy"]
    assert "allow-scripts" not in headers["Content-Security-Policy"]


def test_pictures_are_shown_and_other_attachments_only_downloaded(sink):
    sink.send(ticket_mail())
    where = f"/messages/{sink.messages()[0]['id']}/parts"
    _, headers, body = sink.request(f"{where}/0")
    assert (headers["Content-Type"], body) == ("image/png", PNG)
    _, headers, body = sink.request(f"{where}/1")
    assert headers["Content-Type"] == "application/octet-stream" and headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Disposition"].startswith("attachment") and b"alert(2)" in body


def test_what_a_mail_says_is_never_markup_of_the_inbox(sink):
    sink.send(mail('"<b>x</b>"@example.com', "<script>alert(3)</script>", '<i>text</i> https://e.org/"onclick=x'))
    id_ = sink.messages()[0]["id"]
    for page in (sink.get("/"), sink.get(f"/messages/{id_}"), sink.get("/?to=%22%3E%3Cscript%3E")):
        assert "<script" not in page and "<i>" not in page and "<b>" not in page and '"onclick' not in page


@pytest.mark.parametrize("path", ["/messages/none", "/messages/../etc/passwd", "/nothing", "/messages/none/parts/0"])
def test_what_is_not_there_is_not_found(sink, path):
    with pytest.raises(urllib.error.HTTPError) as error:
        sink.request(path)
    assert error.value.code == 404


def test_delete_empties_it_also_on_disk(sink):
    sink.send(mail(), mail())
    sink.request("/messages", method="DELETE")
    assert sink.messages() == [] and "No mail yet" in sink.get("/")
    sink.stop()
    sink.start()
    assert sink.messages() == []


def test_only_its_own_page_may_press_the_button(sink):
    sink.send(mail())
    with pytest.raises(urllib.error.HTTPError) as error:
        sink.request("/messages/empty", method="POST", headers={"Origin": "http://elsewhere.example"})
    assert error.value.code == 403 and len(sink.messages()) == 1
    sink.request("/messages/empty", method="POST", headers={"Origin": f"http://127.0.0.1:{sink.http_port}"})
    assert sink.messages() == []


def test_five_hundred_mails_are_all_there_and_page_by_page(sink):
    sink.send(*(mail(f"buyer{number}@example.com", f"Order {number}") for number in range(500)))
    assert len(sink.messages("?limit=1000")) == 500
    assert "Order 499" in sink.get("/") and "Order 449" not in sink.get("/")
    assert "Order 449" in sink.get("/?page=2") and "Order 0<" in sink.get("/?page=999")


def test_the_oldest_go_when_there_are_too_many(tmp_path):
    one = Sink(tmp_path, keep=3)
    try:
        one.send(*(mail(subject=f"Order {number}") for number in range(5)))
        assert [each["subject"] for each in one.messages()] == ["Order 4", "Order 3", "Order 2"]
        assert len(list((tmp_path / "Maildir/new").iterdir())) == 3
    finally:
        one.process.kill()
        one.process.wait()


@pytest.mark.parametrize("raw", [
    b"", b"\xff\xfe\x00", b"Subject: =?nowhere?Q?x?=\r\n\r\nhello", b"From: \xc3\xa9@@@\r\nTo: ,,\r\n\r\n\xff",
    b"Content-Type: multipart/mixed\r\n\r\nno boundary", b"Content-Type: text/plain; charset=klingon\r\n\r\nqapla",
    b"Content-Type: text/html\r\n\r\n<p>a</p><p>b &amp; c</p>", b"Content-Transfer-Encoding: base64\r\n\r\n!!!"])
def test_broken_mail_breaks_nothing(sink, raw):
    with smtplib.SMTP("127.0.0.1", sink.smtp_port, timeout=10) as smtp:
        smtp.sendmail("a@example.org", ["b@example.org"], raw)
    where = f"/messages/{sink.messages('?to=b@example.org')[0]['id']}"
    for path in ("/", where, f"{where}/html", f"{where}/source"):
        assert sink.request(path)[0] == 200
