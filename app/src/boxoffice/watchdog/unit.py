"""One systemd unit: since when it runs, and how to restart it when it no longer listens."""

import logging
import subprocess
import time
from datetime import datetime, timedelta

from boxoffice.db import utcnow

log = logging.getLogger(__name__)

TERM_WAIT = 3.0
POLL = 0.2
COMMAND_TIMEOUT = 10


class Unit:
    def __init__(self, name: str) -> None:
        self.name = name

    def started_at(self) -> datetime | None:
        """None unless the unit is active."""
        facts = self._show("ActiveState", "ActiveEnterTimestampMonotonic")
        if facts["ActiveState"] != "active":
            return None
        age = time.monotonic() - int(facts["ActiveEnterTimestampMonotonic"]) / 1_000_000
        return utcnow() - timedelta(seconds=age)

    def restart(self) -> None:
        """TERM, a moment for an orderly end, KILL, start.

        `systemctl restart` would wait for a deaf process as long as for a busy one. With TERM
        only the main process is told, so that its children can end their tasks.
        """
        old = self._main_pid()
        self._systemctl("kill", "--kill-whom=main", "--signal=TERM", self.name)
        end = time.monotonic() + TERM_WAIT
        while time.monotonic() < end and self._main_pid() == old:
            time.sleep(POLL)
        if self._main_pid() == old:
            log.warning("watchdog.kill unit=%s pid=%s", self.name, old)
            self._systemctl("kill", "--signal=KILL", self.name)
        # With Restart=always systemd starts it too; this also serves a unit without that.
        self._systemctl("start", "--no-block", self.name)

    def _main_pid(self) -> str:
        return self._show("MainPID")["MainPID"]

    def _show(self, *properties: str) -> dict[str, str]:
        out = self._systemctl("show", f"--property={','.join(properties)}", self.name)
        return dict(line.partition("=")[::2] for line in out.splitlines() if "=" in line)

    def _systemctl(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 - fixed words, and a unit's name given by the operator
            ["systemctl", *arguments],  # noqa: S607
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT,
        )
        if done.returncode:
            log.warning("watchdog.systemctl arguments=%r error=%r", arguments, done.stderr.strip())
        return done.stdout
