"""Hand one message to the mail server."""

import contextlib
import smtplib
from email.message import EmailMessage

from boxoffice.config import Settings

# For each step of the talk. A silent server must not hold a worker's process for long.
TIMEOUT = 5


def send(settings: Settings, message: EmailMessage) -> None:
    # the name is given, or smtplib would ask the resolver for it, without a timeout
    server = smtplib.SMTP(
        settings.smtp_host, settings.smtp_port, settings.host_name, timeout=TIMEOUT
    )
    try:
        server.send_message(message)
    except BaseException:
        server.close()
        raise
    # The server has taken the mail: a failed goodbye must not make the caller send it again.
    with contextlib.suppress(OSError, smtplib.SMTPException):
        server.quit()
    server.close()
