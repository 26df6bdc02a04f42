# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which release runs, and which ones can be gone back to. Pure.

One release for all hosts, pinned in the stack's state: an instance that starts later gets that one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KEEP = 5  # releases on each host, the one that runs among them; OpsWorks kept as many


class ReleaseError(Exception):
    """What was asked for cannot be; the text says why and the mend."""


@dataclass(frozen=True)
class Releases:
    """`history`: what was deployed, the newest first; `current` is one of them."""

    current: str = ""
    history: tuple[str, ...] = ()

    @property
    def older(self) -> tuple[str, ...]:
        """What a rollback can go to, the nearest first."""
        return self.history[self.history.index(self.current) + 1 :] if self.current in self.history else ()


def read(data: Mapping[str, Any]) -> Releases:
    current, history = str(data.get("digest") or ""), tuple(str(one) for one in data.get("history") or ())
    return Releases(current, history if current in history or not current else (current, *history))


def deployed(before: Releases, digest: str, keep: int = KEEP) -> Releases:
    """After `digest` went out. What was rolled back from is forgotten: nobody wants to go back to it."""
    if digest == before.current:
        return before
    kept = (before.current, *before.older) if before.current else ()
    return Releases(digest, (digest, *(one for one in kept if one != digest))[:keep])


def target(before: Releases, wanted: str = "") -> str:
    """The digest of a rollback: the one before the current, or the wanted one (the beginning of its digest is enough)."""
    if not before.current:
        raise ReleaseError("nothing is deployed: there is nothing to go back to; run playbooks/deploy.yml")
    if not before.older:
        raise ReleaseError(
            f"release {before.current[:12]} is the oldest that is kept; expected an older one to go back to. "
            "Mend: deploy the release that you want from its source (playbooks/deploy.yml), or keep more of them (deploy_keep)"
        )
    if not wanted:
        return before.older[0]
    found = [one for one in before.history if one.startswith(wanted) and one != before.current]
    if len(found) != 1:
        raise ReleaseError(
            f"release: found {wanted!r}, which is {'no' if not found else 'more than one'} kept release other than the current one; "
            f"expected one of: {', '.join(one[:12] for one in before.history if one != before.current)}"
        )
    return found[0]


def contracted(before: Releases) -> Releases:
    """After the database lost what only older releases used: there is no way back to them."""
    return Releases(before.current, (before.current,) if before.current else ())


def undeployed(before: Releases) -> Releases:
    """After the app was removed from every host: nothing is pinned, and nothing is there to go back to."""
    return Releases()


def rolled_back(before: Releases, digest: str) -> Releases:
    """After a rollback to `digest`: the newer ones stay in the history, and on the hosts, until the next deploy."""
    return Releases(digest, before.history)
