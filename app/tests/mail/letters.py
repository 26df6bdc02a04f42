"""What SNS posts, signed with a certificate of the test's own; and what SES says inside of it."""

import json
import uuid
from base64 import b64encode
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from boxoffice.db import utcnow

TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail-feedback"
HOST = "https://sns.eu-west-1.amazonaws.com"
CERTIFICATE = f"{HOST}/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
SUBSCRIBE = f"{HOST}/?Action=ConfirmSubscription&Token=t"


class Signer:
    """A key and its certificate, valid from `days` ago for a week."""

    def __init__(self, days: int = 1) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
        begin = utcnow() - timedelta(days=days)
        made = (
            x509.CertificateBuilder(name, name, self.key.public_key(), x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=7))
            .sign(self.key, SHA256())
        )
        self.pem = made.public_bytes(Encoding.PEM)

    def sign(self, fields: dict[str, str]) -> dict[str, str]:
        """Written here once more, from Amazon's description and not from the app's code."""
        names = "Message MessageId Subject SubscribeURL Timestamp Token TopicArn Type"
        text = "".join(f"{name}\n{fields[name]}\n" for name in names.split() if name in fields)
        digest = SHA1() if fields["SignatureVersion"] == "1" else SHA256()  # noqa: S303
        signature = self.key.sign(text.encode(), PKCS1v15(), digest)
        return {**fields, "Signature": b64encode(signature).decode()}


def note(message: object, **fields: str) -> dict[str, str]:
    """A notification, not signed yet."""
    return {
        "Type": "Notification",
        "MessageId": str(uuid.uuid4()),
        "TopicArn": TOPIC,
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": utcnow().strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE,
        **fields,
    }


def subscription(**fields: str) -> dict[str, str]:
    words = {"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": SUBSCRIBE}
    return note("You have chosen to subscribe", **{**words, **fields})


def bounce(address: str, kind: str = "Permanent", form: str = "eventType") -> dict[str, Any]:
    said = {"emailAddress": address, "diagnosticCode": "smtp; 550 5.1.1 user unknown"}
    return {
        form: "Bounce",
        "bounce": {
            "bounceType": kind,
            "bounceSubType": "General",
            "bouncedRecipients": [said],
            "timestamp": "2031-03-02T14:59:38.237Z",
        },
    }


def complaint(address: str, kind: str = "abuse") -> dict[str, Any]:
    return {
        "notificationType": "Complaint",
        "complaint": {
            "complainedRecipients": [{"emailAddress": address}],
            "complaintFeedbackType": kind,
            "timestamp": "2031-03-02T14:59:38.237Z",
        },
    }
