"""A service's loop: a step every so often, through any error, until the signal to stop."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

log = logging.getLogger(__name__)

STOP_WITHIN = 1.5


def run(step: Callable[[], None], every: float) -> int:
    """Run steps in a thread, so that a step that hangs in a read cannot delay the stop."""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="level=%(levelname)s logger=%(name)s %(message)s",
    )
    logging.getLogger("kombu").setLevel(logging.ERROR)
    stop = threading.Event()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        log.info("loop.stop signal=%s", signal.Signals(number).name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    thread = threading.Thread(target=steps, args=(step, every, stop), daemon=True)
    thread.start()
    stop.wait()
    thread.join(STOP_WITHIN)
    if thread.is_alive():  # its transaction rolls back with its connection
        log.warning("loop.left_hanging")
        logging.shutdown()
        os._exit(0)
    return 0


def steps(step: Callable[[], None], every: float, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            step()
        except Exception as exc:  # noqa: BLE001 - the next step may go well, and must come
            log.error("loop.step_failed error=%s", " ".join(repr(exc).split())[:500])  # noqa: TRY400
        stop.wait(every)
