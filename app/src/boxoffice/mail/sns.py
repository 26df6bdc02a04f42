"""Messages that Amazon SNS posts: are they SNS's own, and of our topic?

Whoever can reach the app can post to it. What tells SNS from others is the signature, made with
the key of a certificate that SNS serves itself. Needs the extra `boxoffice[ses]`.
"""

import http.client
import json
import re
import ssl
import threading
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from boxoffice.db import utcnow
from boxoffice.mail.errors import BusyError, ForgedError, MalformedError

TIMEOUT = 3  # seconds for each step of a talk with SNS
LARGEST_ANSWER = 64 * 1024  # bytes; a certificate has about 2,000
# SNS gives a delivery up after hours. What is older is sent by somebody else; and what is younger
# is still in the inbox (services.KEEP_FEEDBACK), so it does nothing twice.
OLDEST = timedelta(days=1)
AHEAD = timedelta(minutes=15)  # how much our clock may be behind
KEPT_CERTIFICATES = 4

_NOTE = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRM = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED = {
    "Notification": _NOTE,
    "SubscriptionConfirmation": _CONFIRM,
    "UnsubscribeConfirmation": _CONFIRM,
}
HASHES: dict[str, type[HashAlgorithm]] = {"1": SHA1, "2": SHA256}  # by SignatureVersion
CERTIFICATE_PATH = re.compile(r"/SimpleNotificationService-[0-9A-Za-z]{8,64}\.pem")

Fetch = Callable[[str], bytes]


@dataclass(frozen=True)
class Envelope:
    type: str
    id: str
    message: str
    fields: dict[str, str]


class Sns:
    """What one topic sends. `fetch` gets an address's content, or raises OSError."""

    def __init__(self, topic_arn: str, fetch: Fetch | None = None) -> None:
        partition, region = topic_arn.split(":")[1], topic_arn.split(":")[3]
        self.topic_arn = topic_arn
        self.host = f"sns.{region}.amazonaws.com" + (".cn" if partition == "aws-cn" else "")
        self.fetch = fetch or https_get
        self.certificates: dict[str, x509.Certificate] = {}
        self.asking = threading.Lock()

    def open(self, body: bytes) -> Envelope:
        """The message in a body, once it is certain who sent it. Changes nothing.

        MalformedError, ForgedError, BusyError.
        """
        fields = read(body)
        if fields["TopicArn"] != self.topic_arn:
            raise ForgedError("another topic")
        check_age(fields["Timestamp"])
        key = self.certificate(fields["SigningCertURL"]).public_key()
        if not isinstance(key, RSAPublicKey):
            raise ForgedError("the certificate has no RSA key")
        try:
            signature = b64decode(fields["Signature"], validate=True)
            digest = HASHES[fields["SignatureVersion"]]()
            key.verify(signature, to_sign(fields), PKCS1v15(), digest)
        except ValueError:
            raise MalformedError("Signature is not base64") from None
        except InvalidSignature:
            raise ForgedError("the signature does not fit") from None
        return Envelope(fields["Type"], fields["MessageId"], fields["Message"], fields)

    def confirm(self, envelope: Envelope) -> None:
        """Tell SNS that we want the topic's messages. BusyError when SNS does not answer."""
        url = envelope.fields["SubscribeURL"]
        if not self.ours(url):
            raise ForgedError(f"SubscribeURL is not https at {self.host}")
        self._get(url)

    def ours(self, url: str) -> bool:
        # the beginning as written: a user name, a port or a blank in it would be another host
        return url.startswith(f"https://{self.host}/")

    def certificate(self, url: str) -> x509.Certificate:
        path = url.removeprefix(f"https://{self.host}")
        if not self.ours(url) or not CERTIFICATE_PATH.fullmatch(path):
            raise ForgedError(f"SigningCertURL is not a certificate of https://{self.host}")
        found = self.certificates.get(url) or self._fetch_certificate(url)
        now = utcnow()
        if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
            self.certificates.pop(url, None)
            raise ForgedError("the certificate is not valid at this time")
        return found

    def _fetch_certificate(self, url: str) -> x509.Certificate:
        # One at a time: a flood of invented addresses must not hold all of the app's threads.
        if not self.asking.acquire(blocking=False):
            raise BusyError("a certificate is being fetched")
        try:
            found = x509.load_pem_x509_certificate(self._get(url))
            while len(self.certificates) >= KEPT_CERTIFICATES:
                self.certificates.pop(next(iter(self.certificates)))
            self.certificates[url] = found
        except ValueError as error:
            raise ForgedError("there is no certificate at SigningCertURL") from error
        finally:
            self.asking.release()
        return found

    def _get(self, url: str) -> bytes:
        try:
            return self.fetch(url)
        except (OSError, http.client.HTTPException) as error:
            raise BusyError(f"{self.host} did not answer as expected: {error}") from error


def read(body: bytes) -> dict[str, str]:
    """A body's fields: all that are signed are there, and all are texts."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedError("no JSON") from None
    kind = found.get("Type") if isinstance(found, dict) else None
    if not isinstance(kind, str) or kind not in SIGNED:
        raise MalformedError("no Type of SNS")
    names = {*SIGNED[kind], "Signature", "SignatureVersion", "SigningCertURL"}
    if found.get("Subject") is None:  # the one that may be absent
        names.discard("Subject")
    wrong = sorted(name for name in names if not isinstance(found.get(name), str))
    if wrong:
        raise MalformedError(f"missing, or no text: {', '.join(wrong)}")
    if found["SignatureVersion"] not in HASHES:
        raise MalformedError("an unknown SignatureVersion")
    if not 0 < len(found["MessageId"]) <= 100:
        raise MalformedError("MessageId is too long or empty")
    return {name: found[name] for name in names}


def to_sign(fields: dict[str, str]) -> bytes:
    names = [name for name in SIGNED[fields["Type"]] if name in fields]
    try:
        return "".join(f"{name}\n{fields[name]}\n" for name in names).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can spell
        raise MalformedError("a text that is no Unicode") from None


def check_age(timestamp: str) -> None:
    try:
        sent = datetime.fromisoformat(timestamp)
    except ValueError:
        raise MalformedError("Timestamp is no moment") from None
    sent = sent if sent.tzinfo else sent.replace(tzinfo=UTC)
    if not utcnow() - OLDEST <= sent <= utcnow() + AHEAD:
        raise ForgedError("its Timestamp is too far from now")


def https_get(url: str) -> bytes:
    """What is at an address that was checked before. Follows nothing; OSError unless it is 200."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    context = ssl.create_default_context()
    connection = http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT, context=context)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(LARGEST_ANSWER + 1)
    finally:
        connection.close()
    if answer.status != http.client.OK or len(body) > LARGEST_ANSWER:
        raise OSError(f"answered {answer.status}, {len(body)} bytes")
    return body
