"""SNS, as the app sees it: it posts, and it is asked for what its addresses hold."""

import json

from pyramid.router import Router
from sqlalchemy import select
from sqlalchemy.orm import Session
from tests.mail.letters import CERTIFICATE, SUBSCRIBE, TOPIC, Signer
from webtest import TestApp, TestResponse

from boxoffice.mail import sns
from boxoffice.mail.models import MailFeedback, MailSuppressed


class Hook:
    """Posts as SNS does, and is what the app gets from SNS's host."""

    def __init__(self, router: Router, signer: Signer, session: Session) -> None:
        self.app, self.signer, self.session = TestApp(router), signer, session
        self.pages = {CERTIFICATE: signer.pem, SUBSCRIBE: b"<ConfirmSubscriptionResponse/>"}
        self.asked: list[str] = []
        self.sns = router.registry.sns = sns.Sns(TOPIC, self.fetch)

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.pages:
            raise TimeoutError("timed out")
        return self.pages[url]

    def send(self, fields: dict[str, str], status: int = 200, **head: str) -> TestResponse:
        body = json.dumps(fields)
        head = {"Content-Type": "text/plain; charset=UTF-8", **head}
        return self.app.post("/hooks/ses", body, headers=head, status=status)

    def sign(self, fields: dict[str, str], status: int = 200) -> TestResponse:
        return self.send(self.signer.sign(fields), status)

    def suppressed(self) -> list[tuple[str, str, str]]:
        self.session.rollback()
        rows = self.session.scalars(select(MailSuppressed).order_by(MailSuppressed.address))
        return [(row.address, row.reason, row.detail) for row in rows]

    def noted(self) -> list[str]:
        self.session.rollback()
        return list(self.session.scalars(select(MailFeedback.kind)))

    def refuses(self, fields: dict[str, str], status: int, words: str) -> None:
        """It says so, and nothing was changed."""
        assert words in self.send(fields, status)
        assert (self.suppressed(), self.noted()) == ([], [])
