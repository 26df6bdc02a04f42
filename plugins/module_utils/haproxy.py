# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Talking to HAProxy's runtime API: which servers of a backend take requests, and how many each has under way."""

from __future__ import annotations

import csv
import io
import socket
from collections.abc import Iterable
from dataclasses import dataclass


class HaproxyError(Exception):
    """HAProxy cannot be asked, or it refused; the text names the socket or the command and what came back."""


@dataclass(frozen=True)
class Server:
    """One server of a backend as HAProxy sees it."""

    name: str
    status: str  # UP, DOWN, MAINT, DRAIN, or such as "UP 1/2"
    sessions: int  # requests under way
    queued: int
    errors: int = 0  # answers 5xx since HAProxy started
    changed: int = 0  # seconds since the status last changed

    @property
    def admitted(self) -> bool:
        """It takes requests."""
        return self.status.startswith(("UP", "no check"))

    @property
    def out(self) -> bool:
        """An operator's word keeps it out: no check can bring it in."""
        return self.status.startswith("MAINT")


def servers(text: str, backend: str) -> dict[str, Server]:
    """The servers of one backend, from the CSV of `show stat` or of the statistics page (/;csv)."""
    found = {}
    for row in csv.DictReader(io.StringIO(text.removeprefix("# "))):
        if row["pxname"] == backend and row["svname"] not in ("FRONTEND", "BACKEND"):
            found[row["svname"]] = Server(
                row["svname"], row["status"], int(row["scur"] or 0), int(row["qcur"] or 0), int(row.get("hrsp_5xx") or 0),
                int(row.get("lastchg") or 0),
            )
    return found


def command(path: str, text: str, timeout: float = 5) -> str:
    """Send one line (commands separated by ;) to the admin socket and return the answer."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(path)
            connection.sendall(text.encode() + b"\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    except OSError as exc:
        raise HaproxyError(f"{path}: {exc}; expected HAProxy's admin socket; look at: systemctl status haproxy") from exc
    return answer.decode(errors="replace")


def order(path: str, text: str) -> None:
    """Send a command that answers nothing when it is obeyed; HaproxyError with the answer otherwise."""
    answer = command(path, text).strip()
    if answer:
        raise HaproxyError(f"HAProxy refused {text!r}: {answer.splitlines()[0]}")


def look(path: str, backend: str) -> dict[str, Server]:
    return servers(command(path, "show stat"), backend)


def keep_out(path: str, backend: str, names: Iterable[str]) -> None:
    """No request from now on, whatever the checks say."""
    for name in names:
        order(path, f"set server {backend}/{name} state maint")


def drain(path: str, backend: str, names: Iterable[str]) -> None:
    """No new request; those under way go on."""
    for name in names:
        order(path, f"set server {backend}/{name} state drain")


def let_in(path: str, backend: str, names: Iterable[str]) -> None:
    """Requests as soon as `rise` checks have passed, with slow start.

    From maintenance HAProxy would send requests at once and check afterwards. So it leaves by way of draining, where it gets
    none, and is called dead there: then only good checks bring it up.
    """
    for name in names:
        where = f"{backend}/{name}"
        order(path, f"set server {where} state drain; set server {where} health down; set server {where} state ready")
