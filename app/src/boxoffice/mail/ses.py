"""Hand one message to Amazon SES, by its API v2. Needs the extra `boxoffice[ses]`.

The credentials are the instance's own (its profile). AWS_ENDPOINT_URL points elsewhere, for tests.
SES puts a Message-ID of its own in the place of ours: see the header X-Mail-Id in messages.py.
"""

import os
from email.message import EmailMessage
from email.policy import SMTP
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from boxoffice.config import Settings
from boxoffice.mail.errors import LaterError, RefusedError

# Seconds. SES answers in a fraction of one; a silent one must not hold a worker for long.
CONNECT_TIMEOUT, READ_TIMEOUT = 2, 5
ATTEMPTS = 2  # the outbox has the patience; each further try here could send a double
# Seven bits only: SES takes others, but changes how they are written on the way.
POLICY = SMTP.clone(cte_type="7bit")

# About this message or its addresses: another try would bring the same answer.
REFUSED = {
    "MessageRejected": "the sender or, in the sandbox, the recipient is not verified, "
    "or the content is not allowed",
    "MailFromDomainNotVerifiedException": "verify the domain of MAIL_FROM",
    "BadRequestException": "an address or the message is malformed",
    "InvalidParameterValue": "an address is malformed",
}
# About the account or the moment.
LATER = {
    "TooManyRequestsException": "sent too fast for the account's rate",
    "LimitExceededException": "the account's quota of 24 hours is used up",
    "SendingPausedException": "sending is paused for the account or the configuration set",
    "AccountSuspendedException": "the account may not send any more: see its SES console",
    "NotFoundException": "make the configuration set SES_CONFIGURATION_SET, or correct its name",
    "AccessDeniedException": "let the instance's role do ses:SendRawEmail and ses:SendEmail",
}


def send(settings: Settings, message: EmailMessage) -> None:
    """RefusedError when SES will never take it, LaterError for everything else that goes wrong."""
    request: dict[str, Any] = {
        # given, and not left to the headers: a header's text must not choose who gets it
        "Destination": {"ToAddresses": [a.addr_spec for a in message["To"].addresses]},
        "Content": {"Raw": {"Data": message.as_bytes(policy=POLICY)}},
    }
    if settings.ses_configuration_set:
        request["ConfigurationSetName"] = settings.ses_configuration_set
    try:
        client(os.getpid(), settings.aws_region).send_email(**request)
    except ClientError as error:
        raise judge(error) from error
    except BotoCoreError as error:  # no answer, no credentials
        raise LaterError(f"SES could not be asked: {error}") from error


def judge(error: ClientError) -> RefusedError | LaterError:
    about = error.response.get("Error", {})
    code, said = about.get("Code", "?"), about.get("Message", "")
    hint = REFUSED.get(code) or LATER.get(code)
    text = f"SES answered {code}: {said}" + (f" ({hint})" if hint else "")
    return RefusedError(text) if code in REFUSED else LaterError(text)


@lru_cache(maxsize=2)
def client(pid: int, region: str) -> Any:  # noqa: ARG001
    """Keyed by process: its connections must not be shared over a fork. AWS_ENDPOINT_URL is
    read when it is made."""
    options = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    return boto3.client("sesv2", region_name=region, config=options)
