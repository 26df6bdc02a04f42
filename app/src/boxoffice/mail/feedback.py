"""What SES says about a mail that it took: who gets no more mail, and why.

Both of its forms are read: notifications of an identity (`notificationType`) and events of a
configuration set (`eventType`).
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any

from boxoffice.db import utcnow


@dataclass(frozen=True)
class Feedback:
    """`stop`: addresses that get no more mail, each with what its server said."""

    kind: str  # bounce.permanent, bounce.transient, complaint, delivery, other, ...
    at: datetime
    detail: str = ""
    reason: str = ""
    stop: dict[str, str] = field(default_factory=dict)


def read(message: str) -> Feedback:
    """Never fails: what is not understood is of the kind "other", and only noted."""
    try:
        event = json.loads(message)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):  # such as SES's "Successfully validated SNS topic ..."
        return Feedback("other", utcnow(), message[:200])
    kind = str(event.get("eventType") or event.get("notificationType") or "other").lower()
    about = event.get(kind)
    about = about if isinstance(about, dict) else {}
    if kind == "bounce":
        return _bounce(about)
    if kind == "complaint":
        return _complaint(about)
    return Feedback(kind[:40], _moment(about))


def _bounce(about: dict[str, Any]) -> Feedback:
    """Only a permanent one stops mail: a full mailbox is emptied, a broken server is mended."""
    kind = str(about.get("bounceType", "")).lower()
    sub = str(about.get("bounceSubType", ""))
    said = {
        address: ": ".join(filter(None, (sub, str(one.get("diagnosticCode") or ""))))
        for address, one in _recipients(about.get("bouncedRecipients"))
    }
    detail = "; ".join(f"{address} {words}" for address, words in said.items())
    stop = said if kind == "permanent" else {}
    return Feedback(f"bounce.{kind}"[:40], _moment(about), detail, "bounce", stop)


def _complaint(about: dict[str, Any]) -> Feedback:
    kind = str(about.get("complaintFeedbackType") or about.get("complaintSubType") or "")
    people = {address: kind for address, _one in _recipients(about.get("complainedRecipients"))}
    # somebody took a mail out of the spam folder: the opposite of a complaint
    stop = {} if kind == "not-spam" else people
    return Feedback("complaint", _moment(about), f"{', '.join(people)} {kind}", "complaint", stop)


def _recipients(found: Any) -> list[tuple[str, dict[str, Any]]]:
    entries = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    named = [(parseaddr(str(one.get("emailAddress", "")))[1], one) for one in entries]
    return [(address, one) for address, one in named if "@" in address]


def _moment(about: dict[str, Any]) -> datetime:
    try:
        found = datetime.fromisoformat(str(about.get("timestamp")))
    except ValueError:
        return utcnow()
    return found if found.tzinfo else found.replace(tzinfo=UTC)
