# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Talking to AWS where a decision waits for the answer: short timeouts, and one error type that says what is wrong and the mend.

Region, credentials and endpoint come from the environment; a region that is handed over wins. boto3 is imported at the first call only: that takes
0.3 s, which those without AWS need not wait for.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CONNECT, READ = 1, 2  # seconds; a tick has two in all, and one that hears nothing does nothing
ATTEMPTS = 2  # the next tick is the third

_clients: dict[tuple[str, ...], Any] = {}
_lock = threading.Lock()  # boto3 may not make two clients at once

THROTTLED = "AWS has throttled the call: too many were made"
EXPIRED = "the session's credentials have expired"
REFUSED = "AWS does not know these credentials"
DENIED = "these credentials may not do this"
SIGN_IN = "sign in again, or give the control node an instance profile, which renews itself"
MEANINGS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException", "RequestLimitExceeded",
         "TooManyRequestsException", "SlowDown", "BandwidthLimitExceeded", "PriorRequestNotComplete"),
        (THROTTLED, "the next tick asks again; if it stays, look who else in the account asks so often")),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"), (EXPIRED, SIGN_IN)),
    **dict.fromkeys(
        ("RequestExpired", "RequestTimeTooSkewed"),
        ("AWS takes the request for an old one", "let chrony or systemd-timesyncd keep this machine's time; if it is right, sign in again")),
    **dict.fromkeys(
        ("AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidToken"),
        (REFUSED, "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile")),
    **dict.fromkeys(
        ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AllAccessDisabled", "403"),
        (DENIED, "allow it in the policy of the control node's user or role")),
}  # fmt: skip
MEANINGS["NoSuchBucket"] = ("there is no such bucket", "correct its name, or make it")
NO_CREDENTIALS = ("there are no credentials", "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the control node an instance profile")
NO_ROUTE = ("AWS does not answer", "look at this machine's way to the internet, at its proxy, and at AWS_ENDPOINT_URL if it is set")
NO_REGION = ("no region is known", "write region: into the stack file, or set AWS_REGION")
OTHER = ("AWS refused the call", "see what it says")


class AwsError(Exception):
    """A call that went wrong. `code` is the word of AWS or of boto3; the text says what was asked, what that means, and the mend."""

    def __init__(self, asked: str, code: str, meaning: tuple[str, str], said: str = "") -> None:
        self.code, (self.means, self.mend) = code, meaning
        super().__init__(f"{asked}: {self.means} ({code}{f': {said}' if said and said != code else ''}); mend: {self.mend}")


def client(service: str, region: str = "", patience: float = 0) -> Any:
    """A client of the service; the same one for the same place. `patience`: seconds for an answer, if more than READ. AwsError when there can be none."""
    region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    named = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_PROFILE")
    key = (service, region, str(patience), *(os.environ.get(name, "") for name in named))
    with _lock:
        if key not in _clients:
            with explained(service):
                import boto3
                from botocore.config import Config

                config = Config(connect_timeout=CONNECT, read_timeout=patience or READ, retries={"total_max_attempts": ATTEMPTS, "mode": "standard"})
                _clients[key] = boto3.session.Session().client(service, region_name=region or None, config=config)
        return _clients[key]


@contextmanager
def explained(asked: str) -> Iterator[None]:
    """Whatever boto3 raises within comes out as AwsError."""
    try:
        yield
    except ImportError as exc:
        raise AwsError(asked, type(exc).__name__, ("boto3 is missing", "install it for the Python of Ansible, see requirements/control.txt"), str(exc)) from exc
    except ValueError as exc:  # an endpoint that is no address
        raise AwsError(asked, type(exc).__name__, NO_ROUTE, str(exc)) from exc
    except Exception as exc:
        if not type(exc).__module__.startswith(("botocore.", "boto3.")):
            raise
        code, meaning, said = meaning_of(exc)
        raise AwsError(asked, code, meaning, said) from exc


def meaning_of(exc: Exception) -> tuple[str, tuple[str, str], str]:
    """The word of AWS or of boto3 for it, what that means with its mend, and what was said."""
    from botocore import exceptions

    said = " ".join(str(exc).split())
    if isinstance(exc, exceptions.ClientError):
        error = exc.response.get("Error", {})
        code = str(error.get("Code") or exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
        return code, MEANINGS.get(code, OTHER), str(error.get("Message") or said)
    name = type(exc).__name__
    if isinstance(exc, exceptions.TokenRetrievalError | exceptions.UnauthorizedSSOTokenError | exceptions.SSOTokenLoadError):
        return name, (EXPIRED, SIGN_IN), said
    if isinstance(exc, exceptions.NoCredentialsError | exceptions.PartialCredentialsError | exceptions.CredentialRetrievalError | exceptions.ProfileNotFound):
        return name, NO_CREDENTIALS, said
    if isinstance(exc, exceptions.NoRegionError):
        return name, NO_REGION, said
    if isinstance(exc, exceptions.HTTPClientError | exceptions.ConnectionError):  # with timeouts, proxies and certificates
        return name, NO_ROUTE, said
    return name, OTHER, said
