"""The real processes: workers and relays, started as on a host."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from boxoffice.celery_app import WORKER_FLAGS, worker_queues
from boxoffice.config import Settings


def environment(settings: Settings, folder: Path) -> dict[str, str]:
    """The settings as a host would give them to a process."""
    if settings.redis_url:
        redis: dict[str, object] = {"url": settings.redis_url, "ca_file": settings.redis_ca_file}
    else:
        redis = {
            "master_name": settings.redis_master,
            "sentinels": settings.redis_sentinels,
            "password": settings.redis_password,
        }
    file = folder / "endpoints.json"
    file.write_text(json.dumps({"redis": redis, "memcached": settings.memcached}))
    return {
        "DATABASE_URL": settings.database_url,
        "DATABASE_CA_FILE": settings.database_ca_file,
        "ENDPOINTS_FILE": str(file),
        "SESSION_SECRET": settings.session_secret,
        "PUBLIC_URL": settings.public_url,
        "SMTP_HOST": settings.smtp_host,
        "SMTP_PORT": str(settings.smtp_port),
        "MAIL_FROM": settings.mail_from,
        "HOST_NAME": settings.host_name,
    }


class Process:
    def __init__(self, settings: Settings, folder: Path, *arguments: str) -> None:
        self.log = folder / f"{arguments[1]}-{os.urandom(3).hex()}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, *arguments],
                env={**os.environ, **environment(settings, folder)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """The machine is gone: no goodbye from the process nor its children."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill_children(self) -> None:
        for child in children(self.process.pid):
            os.kill(child, signal.SIGKILL)

    def terminate(self) -> None:
        self.process.terminate()

    def says(self, text: str) -> bool:
        return text in self.log.read_text()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def worker(settings: Settings, folder: Path, concurrency: int = 1) -> Iterator[Process]:
    process = Process(
        settings,
        folder,
        *("-m", "celery", "-A", "boxoffice.celery_app", "worker", *WORKER_FLAGS),
        *("--concurrency", str(concurrency), "-Q", worker_queues(settings.host_name)),
    )
    try:
        yield process
    finally:
        process.kill()


@contextmanager
def relay(settings: Settings, folder: Path) -> Iterator[Process]:
    process = Process(settings, folder, "-m", "boxoffice.cli", "relay")
    try:
        yield process
    finally:
        process.kill()
