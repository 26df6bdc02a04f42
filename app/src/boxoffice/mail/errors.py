"""What can become of a mail that a provider does not take.

Whatever is no RefusedError is tried again: the outbox brings the row back, for ever.
"""


class RefusedError(Exception):
    """It will not be taken, however often it is tried: people have to look. The text says why."""

    reason = "refused"


class SuppressedError(RefusedError):
    """Not even tried: an earlier mail to this address bounced, or its owner complained."""

    reason = "suppressed"


class LaterError(Exception):
    """Not now; a later try may well succeed. The text says why, and what may have to be mended."""
