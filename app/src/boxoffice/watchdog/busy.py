"""Which of a worker's processes have a task in hand: an empty file each, in its runtime directory.

A worker whose every process works cannot run a canary, and is not deaf. The file's age says for how
long; what is older than a task may be was left behind by a process that was killed.
"""

import os
import time
from pathlib import Path
from typing import Any

from celery.signals import task_postrun, task_prerun

from boxoffice.celery_app import TASK_HARD_LIMIT

LEFT_BEHIND = TASK_HARD_LIMIT + 15  # seconds


def connect() -> None:
    """In a worker that systemd gave a runtime directory; elsewhere nothing is written."""
    task_prerun.connect(_begin, weak=False)
    task_postrun.connect(_end, weak=False)


def count(folder: Path) -> int:
    """How many of the worker's processes have a task in hand; 0 where the folder cannot be read."""
    try:
        ages = [time.time() - path.stat().st_mtime for path in folder.glob("busy-*")]
    except OSError:
        return 0
    return sum(age < LEFT_BEHIND for age in ages)


def _mine() -> Path | None:
    folder = os.environ.get("RUNTIME_DIRECTORY")
    return Path(folder) / f"busy-{os.getpid()}" if folder else None


def _begin(**_signal: Any) -> None:
    if path := _mine():
        path.unlink(missing_ok=True)  # so that its age is this task's
        path.touch()


def _end(**_signal: Any) -> None:
    if path := _mine():
        path.unlink(missing_ok=True)
