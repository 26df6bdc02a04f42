"""The watchdog: sees a worker that is up but hears nothing, and restarts it."""

from boxoffice.watchdog.service import main

__all__ = ["main"]
