# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On which instances a person works: nothing is healed there. A file of the state folder, name: until when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from . import statefiles


def held(folder: Path) -> dict[str, float]:
    """name: until when, in seconds since 1970. StateError when that cannot be read: then nobody may be healed."""
    found = {}
    for name, until in statefiles.read(folder / statefiles.MAINTENANCE).items():
        try:
            found[name] = datetime.fromisoformat(until).timestamp()
        except (TypeError, ValueError):
            raise statefiles.StateError(
                f"{folder / statefiles.MAINTENANCE}: {name}: found {until!r}, expected an instant such as 2027-03-12T09:30:00+00:00; "
                "mend: remove the file, and hold those again that need it"
            ) from None
    return found


def change(
    folder: Path, now: datetime, hold: Iterable[str], minutes: float, release: Iterable[str], layers: dict[str, str], check: bool = False
) -> tuple[bool, dict[str, str]]:
    """Hold some from now on, release others. Returns whether that differs, and who is held now until when."""
    with statefiles.locked(folder):
        before = {name: until for name, until in held(folder).items() if now.timestamp() < until}
        end = now + timedelta(minutes=minutes)
        freed = [name for name in release if name in before]
        after = {name: until for name, until in before.items() if name not in freed} | dict.fromkeys(hold, end.timestamp())
        text = {name: datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds") for name, until in after.items()}
        if after != before and not check:
            lines: list[dict[str, Any]] = []
            for verb, names in (("hold", hold), ("release", freed)):
                for name in names:
                    line = {"time": now.isoformat(timespec="seconds"), "actor": "maintenance.yml", "verb": verb, "instance": name}
                    line |= {"layer": layers.get(name, ""), "cause": "by hand", "before": "held" if name in before else "free"}
                    lines.append(line | {"after": f"held until {text[name]}" if verb == "hold" else "free"})
            statefiles.write(folder / statefiles.MAINTENANCE, text)
            statefiles.append(folder / statefiles.EVENTS, lines)
        return after != before, text
