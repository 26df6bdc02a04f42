# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One actor at a time: of two controllers that tick at once, one scales and the other does nothing.

The lease names a run of ansible-playbook. It ends with that run: whoever is killed leaves nothing that must be cleared away.
A deploy lends it to those who start, stop and heal while it migrates the database, which may take hours; no other deploy gets it then.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import statefiles

LONGEST = 1800  # seconds; a run on another machine, whose process cannot be looked at, is over after this


class LeaseError(Exception):
    """Another run has the lease; the text names it."""


@dataclass(frozen=True)
class Holder:
    """A process on a machine; the start time tells it from a later one with the same number."""

    host: str
    pid: int
    started: str  # clock ticks since boot, and the boot
    since: float = 0.0  # seconds since the epoch


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat behind the name, which may hold spaces; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _started(pid: int) -> str:
    fields = _stat(pid)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{fields[19]}@{boot}" if fields else ""


def this_run() -> Holder:
    """The ansible-playbook that this process belongs to; outside of one, this process."""
    mine = pid = os.getpid()
    while pid > 1:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            break
        if any(os.path.basename(word) == b"ansible-playbook" for word in words[:3]):
            mine = pid  # the outermost one: its workers have the same command line
        fields = _stat(pid)
        pid = int(fields[1]) if fields else 0
    return Holder(socket.gethostname(), mine, _started(mine), time.time())


def _over(holder: Holder, now: float) -> bool:
    if holder.host == socket.gethostname():
        return _started(holder.pid) != holder.started
    return not 0 <= now - holder.since < LONGEST


def _same(one: Holder, other: Holder) -> bool:
    return (one.host, one.pid, one.started) == (other.host, other.pid, other.started)


def take(folder: Path, me: Holder, deploys: bool = False) -> Holder | None:
    """None when the lease is mine from now on (or was already), else who has it; for one that deploys, also who has lent it."""
    with statefiles.locked(folder):
        for file in (statefiles.LEASE, *([statefiles.MIGRATION] if deploys else [])):
            found = _read(folder / file)
            if found and not _same(found, me) and not _over(found, time.time()):
                return found
        statefiles.write(folder / statefiles.LEASE, asdict(me))
        if deploys:
            (folder / statefiles.MIGRATION).unlink(missing_ok=True)
        return None


def lend(folder: Path, instance: str) -> None:
    """Let others start, stop and heal while this run migrates the database from the instance, which they leave alone."""
    with statefiles.locked(folder):
        me, holder = this_run(), _read(folder / statefiles.LEASE)
        if not holder or not _same(holder, me):
            raise LeaseError("only the run that has the lease can lend it; run playbooks/deploy.yml, which takes it first")
        statefiles.write(folder / statefiles.MIGRATION, asdict(me) | {"instance": instance})
        (folder / statefiles.LEASE).unlink()


def migrating(folder: Path) -> str:
    """The instance from which the database is migrated just now; empty when it is not."""
    holder = _read(folder / statefiles.MIGRATION)
    if not holder or _over(holder, time.time()):
        return ""
    return str(statefiles.read(folder / statefiles.MIGRATION).get("instance", ""))


def hold(folder: Path, seconds: float, deploys: bool = False) -> None:
    """Take the lease, waiting for another run so long; LeaseError when it has not ended by then."""
    me, end = this_run(), time.monotonic() + seconds
    while other := take(folder, me, deploys):
        if time.monotonic() > end:
            raise LeaseError(
                f"process {other.pid} on {other.host} starts, stops or deploys; waited {seconds:.0f} s; try again when it has ended")
        time.sleep(0.5)


def _read(file: Path) -> Holder | None:
    data: dict[str, Any] = statefiles.read(file)
    try:
        return Holder(str(data["host"]), int(data["pid"]), str(data["started"]), float(data["since"]))
    except (KeyError, TypeError, ValueError):
        return None
