"""The fast path after a commit: one thread publishes, behind a short queue and a breaker.

A web request only drops a note into the queue. While Redis is away or frozen the thread waits
instead of the request; a full queue or an open breaker drops hints, for the relay has the rows.
"""

import logging
import os
import queue
import threading
import time

from boxoffice.config import Settings
from boxoffice.outbox.publisher import Publisher

log = logging.getLogger(__name__)

QUEUE_SIZE = 1000
PAUSE = 2.0  # seconds in which hints are dropped after a failed one


class Hinter:
    def __init__(self, settings: Settings) -> None:
        self.publisher = Publisher(settings)
        self.waiting: queue.Queue[tuple[int, str]] = queue.Queue(QUEUE_SIZE)
        self.resume_at = 0.0
        threading.Thread(target=self.run, name="outbox-hints", daemon=True).start()

    def put(self, row_id: int, queue_name: str) -> None:
        if time.monotonic() < self.resume_at:
            return
        try:
            self.waiting.put_nowait((row_id, queue_name))
        except queue.Full:
            log.warning("outbox.hint_dropped row=%s reason=queue_full", row_id)

    def run(self) -> None:
        while True:
            row_id, queue_name = self.waiting.get()
            try:
                if time.monotonic() >= self.resume_at:
                    self.publisher.process(row_id, queue_name)
            except Exception as exc:  # noqa: BLE001 - a hint: whatever failed, the relay has the row
                self.resume_at = time.monotonic() + PAUSE
                log.warning("outbox.hint_failed row=%s error=%r", row_id, exc)
            finally:
                self.waiting.task_done()


_hinters: dict[tuple[int, Settings], Hinter] = {}
_lock = threading.Lock()


def put(settings: Settings, row_id: int, queue_name: str) -> None:
    try:
        _hinter(settings).put(row_id, queue_name)
    except Exception:
        log.exception("outbox.hint_failed row=%s", row_id)


def _hinter(settings: Settings) -> Hinter:
    # By process: a thread does not survive a fork.
    key = (os.getpid(), settings)
    found = _hinters.get(key)
    if found is None:
        with _lock:
            found = _hinters.get(key) or _hinters.setdefault(key, Hinter(settings))
    return found


def _forget() -> None:
    # The parent may have forked while it held the lock.
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    _hinters.clear()


os.register_at_fork(after_in_child=_forget)
