# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files in which runs remember: written whole or not at all, and owned by whoever owns the folder."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

ONLINE = "online.json"  # time- and load-based instances that were started: name -> {since, cause, actor}
EVENTS = "events.jsonl"  # one line for each thing that was done
STARTS = "starts.json"  # how long starts took: layer -> seconds, the newest last
FAILURES = "failures.json"  # starts that failed, one after the other: name -> {count, last}
ON_SALES = "on-sales.json"  # what the app published last
TICK = "tick.json"  # what scale.yml remembers from one minute to the next
HEALS = "heals.json"  # what heal.yml remembers of each host
MAINTENANCE = "maintenance.json"  # on whom a person works: name -> until when
DRILLS = "drills.jsonl"  # one line for each drill: its figures and what happened when
LEASE = "lease.json"  # who scales just now
MIGRATION = "migration.json"  # the deploy that has lent the lease while it migrates the database, and from which instance
LAST_EVENT = "event.json"  # the last lifecycle event: {event, instances}; what playbooks/event.yml takes with -e @event.json
RELEASE = "release.json"  # what runs: {digest, previous}
KEPT_STARTS = 50  # of each layer


class StateError(Exception):
    """A file of the state folder cannot be used; the text names it and the mend."""


def read(path: Path) -> dict[str, Any]:
    """What the file holds; empty when it is not there. StateError when it is no JSON mapping."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise StateError(f"{path}: {exc}; expected JSON that an earlier run wrote; mend: bring it back from a backup, or remove it") from None
    if not isinstance(data, dict):
        raise StateError(f"{path}: found {type(data).__name__}, expected a mapping; mend: bring it back from a backup, or remove it")
    return data


def write(path: Path, data: Mapping[str, Any]) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    _own(new, path.parent)
    new.replace(path)


def append(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    if not text:
        return
    with path.open("a", encoding="utf-8") as file:
        file.write(text)  # one write, so that two runs do not mix their lines
    _own(path, path.parent)


def _own(path: Path, like: Path) -> None:
    """A run as root must not lock out the user whose folder it is."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Alone in the folder, for a read, a change and a write. Waits for others, which take milliseconds."""
    with (folder / ".lock").open("a") as file:
        _own(folder / ".lock", folder)
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def record(
    folder: Path, now: datetime, actor: str, online: Mapping[str, str], offline: Mapping[str, str],
    failed: Mapping[str, str], layers: Mapping[str, str], seconds: Mapping[str, float], overran: Iterable[str] = (),
) -> list[dict[str, Any]]:  # fmt: skip
    """Write down who came and went: `online`, `offline` and `failed` are name -> cause; of those that went, `overran` did not
    end their requests in time. Returns the lines for the log."""
    late = set(overran)
    with locked(folder):
        here, starts, failures = read(folder / ONLINE), read(folder / STARTS), read(folder / FAILURES)
        lines = []
        for verb, names in (("start", online), ("stop", offline), ("start failed", failed)):
            for name, cause in names.items():
                before = "online" if name in here else "offline"
                after = {"start": "online", "stop": "offline"}.get(verb, before)
                if before == after and verb != "start failed":
                    continue
                line: dict[str, Any] = {"time": now.isoformat(timespec="seconds"), "actor": actor, "verb": verb, "instance": name}
                line |= {"layer": layers.get(name, ""), "cause": cause, "before": before, "after": after}
                if name in seconds:
                    line["seconds"] = round(seconds[name], 1)
                if verb == "stop" and name in late:
                    line["overran"] = True
                lines.append(line)
        for name, cause in online.items():
            here.setdefault(name, {"since": now.isoformat(timespec="seconds"), "cause": cause, "actor": actor})
            if name in seconds and name in layers:
                starts[layers[name]] = [*starts.get(layers[name], []), round(seconds[name], 1)][-KEPT_STARTS:]
        for name in offline:
            here.pop(name, None)
        for name in failed:
            failures[name] = {"count": failures.get(name, {}).get("count", 0) + 1, "last": now.timestamp()}
        for name in (*online, *offline):
            failures.pop(name, None)
        write(folder / ONLINE, here)
        write(folder / FAILURES, failures)
        write(folder / STARTS, starts)
        append(folder / EVENTS, lines)
        for event, names in (("shutdown", offline), ("setup", online)):
            if names:
                write(folder / LAST_EVENT, {"event": event, "instances": sorted(names)})
        return lines


def note(
    folder: Path, now: datetime, actor: str, event: str, instances: Mapping[str, str], cause: str,
) -> None:  # fmt: skip
    """Write down a lifecycle event of the instances (name -> layer), which can be run again from LAST_EVENT."""
    line = {"time": now.isoformat(timespec="seconds"), "actor": actor, "verb": event, "cause": cause}
    with locked(folder):
        append(folder / EVENTS, [line | {"instance": name, "layer": layer} for name, layer in instances.items()])
        write(folder / LAST_EVENT, {"event": event, "instances": sorted(instances)})
