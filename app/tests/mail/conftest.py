from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pyramid.router import Router
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from tests.factory import Factory
from tests.mail.aws import ENVIRONMENT, REGION, Fake, Moto, fake_ses, moto_server
from tests.mail.letters import TOPIC, Signer
from tests.mail.poster import Hook
from tests.mail.worker import worker

from boxoffice.app import create_app
from boxoffice.config import Settings
from boxoffice.orders.models import Order
from boxoffice.outbox.models import Outbox
from boxoffice.outbox.services import enqueue
from boxoffice.tickets.services import issue


@pytest.fixture
def order(factory: Factory, db_session: Session) -> Order:
    event = factory.event(title="Jazz & <b>blues</b>", venue="The Old Mill")
    order = factory.paid(event, 2)
    issue(db_session, order.id)
    db_session.commit()
    return order


@pytest.fixture
def row(db_session: Session, order: Order) -> Outbox:
    row = enqueue(db_session, "mail.order", {"order_id": order.id}, f"mail.order:{order.id}")
    db_session.commit()
    return row


@pytest.fixture(scope="session")
def moto_process() -> Iterator[Moto]:
    with moto_server() as moto:
        yield moto


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """AWS's environment; set AWS_ENDPOINT_URL by it, before the first call."""
    from boxoffice.mail import ses

    for key, value in ENVIRONMENT.items():
        monkeypatch.setenv(key, value)
    ses.client.cache_clear()
    yield monkeypatch
    ses.client.cache_clear()


@pytest.fixture
def moto(aws: pytest.MonkeyPatch, moto_process: Moto) -> Moto:
    """An account in which nobody is verified and nothing was sent."""
    moto_process.ask("reset", "POST")
    aws.setenv("AWS_ENDPOINT_URL", moto_process.url)
    return moto_process


@pytest.fixture
def fake(aws: pytest.MonkeyPatch) -> Iterator[Fake]:
    with fake_ses() as fake:
        aws.setenv("AWS_ENDPOINT_URL", fake.url)
        yield fake


@pytest.fixture
def by_ses(settings: Settings) -> Settings:
    return replace(settings, mail_backend="ses", aws_region=REGION, smtp_host="")


@pytest.fixture
def working(
    by_ses: Settings, tmp_path: Path, aws: pytest.MonkeyPatch, clean: None
) -> Iterator[None]:
    """This process works off what is owed, and mails by SES."""
    with worker(by_ses, tmp_path, aws):
        yield


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="session")
def hooked(settings: Settings, engine: Engine) -> Router:
    return create_app(replace(settings, ses_topic_arn=TOPIC), engine)


@pytest.fixture
def hook(hooked: Router, signer: Signer, db_session: Session) -> Hook:
    return Hook(hooked, signer, db_session)
