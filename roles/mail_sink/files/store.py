"""What comes in over SMTP, how it is kept (a Maildir), and how a message reads. The pages are in mail_sink.py."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import datetime
import email
import email.policy
import json
import logging
import mailbox
import re
import threading
import time
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from html import escape, unescape
from pathlib import Path

from aiosmtpd.controller import Controller

log = logging.getLogger("mail-sink")
# Shown as pictures; everything else is only offered for download.
PICTURES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
SENDER, RECIPIENTS, RECEIVED = "X-Sink-From", "X-Sink-To", "X-Sink-Received"


@dataclasses.dataclass(frozen=True)
class Entry:
    """What the list shows, kept in memory."""

    id: str
    key: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    received: float
    size: int
    attachments: int


def parse(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


def decoded(value: object) -> str:
    """A header of the old parser as text."""
    try:
        return " ".join(str(make_header(decode_header(str(value or "")))).split())
    except (LookupError, ValueError, HeaderParseError):
        return " ".join(str(value).split())


def header(message: EmailMessage, name: str) -> str:
    """A header as text. Mail is untrusted: one that cannot be parsed is shown as it came."""
    try:
        value = message.get(name)
    except (ValueError, IndexError, AttributeError, LookupError):
        value = next((v for k, v in message.raw_items() if k.lower() == name.lower()), "")
    return " ".join(str(value or "").split())


def content(part: EmailMessage) -> str:
    """The text of a part, whatever character set it claims to have."""
    try:
        return part.get_content()
    except (LookupError, ValueError, KeyError):
        return (part.get_payload(decode=True) or b"").decode("utf-8", "replace")


def body(message: EmailMessage, kind: str) -> str:
    """The plain or html body; empty when there is none."""
    try:
        part = message.get_body((kind,))
    except (AttributeError, KeyError, IndexError):
        part = None
    return content(part) if part is not None else ""


def text(message: EmailMessage) -> str:
    """The plain text, made from the HTML when the mail has no text of its own."""
    plain = body(message, "plain")
    if plain:
        return plain.replace("\r\n", "\n")
    html = re.sub(r"(?is)<(style|script|head)\b.*?</\1>", "", body(message, "html"))
    html = re.sub(r"(?i)<br\s*/?>|</(p|div|tr|h\d|li)>", "\n", html)
    lines = (" ".join(line.split()) for line in unescape(re.sub(r"<[^>]+>", " ", html)).splitlines())
    return "\n".join(line for line in lines if line)


def parts(message: EmailMessage) -> list[EmailMessage]:
    """Attachments and inline images, in the order of the mail."""
    bodies = {id(part) for kind in ("plain", "html") if (part := message.get_body((kind,))) is not None}
    return [part for part in message.walk() if not part.is_multipart() and id(part) not in bodies]


def linked(text: str) -> str:
    """Text with its addresses made clickable."""
    return re.sub(
        r"https?://[^\s<>&\"']+(?:&amp;[^\s<>&\"']+)*",
        lambda found: f'<a href="{found[0]}" rel="noreferrer noopener" target="_blank">{found[0]}</a>', escape(text))


def rendered(message) -> str:
    """The HTML body with its own pictures put in, as a mail program shows it."""
    html = body(message, "html")
    for part in message.walk():
        name = header(part, "Content-ID").strip("<>")
        if name and part.get_content_type() in PICTURES:
            data = base64.b64encode(part.get_payload(decode=True) or b"").decode()
            html = re.sub(r"(?i)cid:" + re.escape(name), f"data:{part.get_content_type()};base64,{data}", html)
    return '<base target="_blank">' + html


class Store:
    """A Maildir on disk, so that a restart forgets nothing, and an index of it in memory."""

    def __init__(self, path: Path, keep: int) -> None:
        # Not under the unit's folder itself, which systemd makes first: Maildir wants to create its own.
        self.box = mailbox.Maildir(path / "Maildir", create=True)
        self.keep = keep
        self.lock = threading.Lock()
        self.entries: dict[str, Entry] = {}
        found = []
        for key in self.box.iterkeys():
            try:
                found.append(self._entry(key, self.box.get_bytes(key)))
            except (OSError, KeyError, ValueError) as error:
                log.warning("unreadable message %s: %s", key, error)
        for entry in sorted(found, key=lambda one: (one.received, one.key)):
            self.entries[entry.id] = entry

    @staticmethod
    def _entry(key: str, raw: bytes) -> Entry:
        # The old parser: the list needs few headers, and the new one reads every header's grammar (ten times slower).
        message = email.message_from_bytes(raw)
        return Entry(
            # The key without the host's name: short, and safe in an address.
            id=re.sub(r"[^0-9A-Za-z]", "", key.rsplit(".", 1)[0] if key.count(".") > 1 else key),
            key=key,
            sender=decoded(message.get("From")) or decoded(message.get(SENDER)),
            recipients=tuple(a for a in decoded(message.get(RECIPIENTS)).split(", ") if a),
            subject=decoded(message.get("Subject")),
            received=float(message.get(RECEIVED) or 0),
            size=len(raw),
            attachments=sum(1 for part in message.walk() if part.get_content_disposition() == "attachment"),
        )

    def add(self, sender: str, recipients: list[str], raw: bytes) -> str:
        """Store one message; it is on disk when this returns."""
        clean = [re.sub(r"[\r\n,]", "", one) for one in [sender, *recipients]]
        # Before the mail's own headers, so that ours are the first of their name, whatever the mail carries.
        envelope = f"{SENDER}: {clean[0]}\r\n" + f"{RECIPIENTS}: {', '.join(clean[1:])}\r\n"
        raw = f"{envelope}{RECEIVED}: {time.time():.6f}\r\n".encode("utf-8", "replace") + raw
        with self.lock:
            key = self.box.add(raw)
            entry = self._entry(key, raw)
            self.entries[entry.id] = entry
            while len(self.entries) > self.keep:
                self._remove(next(iter(self.entries)))
        return entry.id

    def _remove(self, id_: str) -> None:
        self.box.discard(self.entries.pop(id_).key)

    def find(self, to: str = "") -> list[Entry]:
        """Newest first; `to` is an address, or a part of one when it has no @."""
        to = to.strip().lower()
        with self.lock:
            found = list(reversed(self.entries.values()))
        if not to:
            return found
        return [one for one in found
                if any(to == each.lower() if "@" in to else to in each.lower() for each in one.recipients)]

    def read(self, id_: str) -> tuple[Entry, bytes] | None:
        with self.lock:
            entry = self.entries.get(id_)
            if entry is None:
                return None
            return entry, self.box.get_bytes(entry.key)

    def clear(self) -> int:
        with self.lock:
            count = len(self.entries)
            for id_ in list(self.entries):
                self._remove(id_)
        return count


def as_json(store, to: str, limit: int) -> bytes:
    found = []
    for one in store.find(to)[:limit]:
        kept = store.read(one.id)
        if kept:
            found.append({
                "id": one.id, "from": parseaddr(one.sender)[1] or one.sender, "to": list(one.recipients),
                "subject": one.subject, "date": datetime.datetime.fromtimestamp(one.received, datetime.UTC).isoformat(),
                "text": text(parse(kept[1]))})
    return json.dumps({"messages": found}).encode()


class Handler:
    """aiosmtpd's side: everybody may write to everybody."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        # In a thread: the disk must not keep the other senders waiting.
        id_ = await asyncio.to_thread(self.store.add, envelope.mail_from or "", envelope.rcpt_tos, envelope.content)
        log.info("kept %s for %s", id_, ", ".join(envelope.rcpt_tos))
        return f"250 OK kept as {id_}"


def receiver(bind: str, port: int, store: Store, max_bytes: int) -> Controller:
    return Controller(
        Handler(store), hostname=bind, port=port, data_size_limit=max_bytes, ident="Mail sink", enable_SMTPUTF8=True,
        timeout=60)
