"""Sends outbox ids to the broker, without retries: who publishes decides what a failure means."""

from celery import Celery

from boxoffice.celery_app import canary_queue, make_client
from boxoffice.config import Settings

PROCESS = "boxoffice.outbox.process"
CANARY = "boxoffice.watchdog.canary"


class Publisher:
    def __init__(self, settings: Settings) -> None:
        self.client: Celery = make_client(settings)

    def process(self, row_id: int, queue: str) -> None:
        self.client.send_task(PROCESS, (row_id,), queue=queue, retry=False)

    def canary(self, host_name: str, expires: float) -> None:
        queue = canary_queue(host_name)
        self.client.send_task(CANARY, (host_name,), queue=queue, expires=expires, retry=False)
