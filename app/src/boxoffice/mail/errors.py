"""What can become of a mail that a provider does not take, and of what it reports back.

Of sending: whatever is no RefusedError is tried again, for the outbox brings the row back for ever.
"""


class RefusedError(Exception):
    """It will not be taken, however often it is tried: people have to look. The text says why."""

    reason = "refused"


class SuppressedError(RefusedError):
    """Not even tried: an earlier mail to this address bounced, or its owner complained."""

    reason = "suppressed"


class LaterError(Exception):
    """Not now; a later try may well succeed. The text says why, and what may have to be mended."""


class HookError(Exception):
    """What came in at the hook is not worked off. `status`: how that is answered."""

    status = 400


class MalformedError(HookError):
    """No message of SNS at all; the text says what is wrong with it."""


class ForgedError(HookError):
    """It looks like one, and is not SNS's, not of our topic, or too old."""

    status = 403


class BusyError(HookError):
    """It cannot be told now, for SNS did not answer us: let it be sent again."""

    status = 503


class UnreadError(HookError):
    """Not even read, for what its head says."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)
