"""Hand one message to the mail server."""

import contextlib
import smtplib
from email.message import EmailMessage

from boxoffice.config import Settings
from boxoffice.mail.errors import RefusedError

# For each step of the talk. A silent server must not hold a worker's process for long.
TIMEOUT = 5
PERMANENT = 500  # answers from here on are final, those below ask for another try


def send(settings: Settings, message: EmailMessage) -> None:
    """RefusedError when the server will never take it; smtplib's errors and OSError: later."""
    # the name is given, or smtplib would ask the resolver for it, without a timeout
    server = smtplib.SMTP(
        settings.smtp_host, settings.smtp_port, settings.host_name, timeout=TIMEOUT
    )
    try:
        server.send_message(message)
    except BaseException as error:
        server.close()
        answer = refusal(error)
        if answer:
            raise RefusedError(f"the mail server answered: {answer}") from error
        raise
    # The server has taken the mail: a failed goodbye must not make the caller send it again.
    with contextlib.suppress(OSError, smtplib.SMTPException):
        server.quit()
    server.close()


def refusal(error: BaseException) -> str:
    """The server's final answer to this sender, recipient or message; empty when it is not final.

    What goes wrong before those (greeting, login) is about the server, and is mended there.
    """
    answers: list[tuple[int, bytes | str]]
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answers = list(error.recipients.values())
    elif isinstance(error, smtplib.SMTPSenderRefused | smtplib.SMTPDataError):
        answers = [(error.smtp_code, error.smtp_error)]
    else:
        return ""
    if not answers or any(code < PERMANENT for code, _text in answers):
        return ""
    return "; ".join(f"{code} {_words(text)}" for code, text in answers)


def _words(text: bytes | str) -> str:
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    return " ".join(words.split())
