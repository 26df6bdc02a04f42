"""Hand one message to whoever carries mails here. RefusedError: never; any other error: later."""

from email.message import EmailMessage

from boxoffice.config import Settings
from boxoffice.mail import smtp


def send(settings: Settings, message: EmailMessage) -> None:
    if settings.mail_backend == "ses":
        from boxoffice.mail import ses  # its libraries are an extra of the app

        ses.send(settings, message)
    else:
        smtp.send(settings, message)
