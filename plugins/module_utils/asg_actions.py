# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What differs between the scheduled actions that a group should have and those that AWS describes: pure functions, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

FIELDS = ("MinSize", "MaxSize", "DesiredCapacity", "Recurrence", "TimeZone", "StartTime", "EndTime")
UTC = ("", "UTC", "Etc/UTC")
Described = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Steps:
    """First `remove`, then `put`: an update leaves what it does not say, so an action that must lose something is made anew."""

    remove: tuple[str, ...]
    put: tuple[Mapping[str, Any], ...]
    before: Described
    after: Described


def steps(want: Sequence[Mapping[str, Any]], have: Sequence[Mapping[str, Any]]) -> Steps:
    wanted, there = ({one["ScheduledActionName"]: _plain(one) for one in of} for of in (want, have))
    put = [one for one in want if _differs(_plain(one), there.get(one["ScheduledActionName"]))]
    names = [one["ScheduledActionName"] for one in put]
    stale = [name for name in there if name not in wanted]
    anew = [name for name in names if name in there and _loses(wanted[name], there[name])]
    touched = sorted({*names, *stale})
    return Steps(
        (*stale, *anew), tuple(put), {name: there[name] for name in touched if name in there}, {name: wanted[name] for name in touched if name in wanted},
    )  # fmt: skip


def _plain(action: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: _text(action[key]) for key in FIELDS if action.get(key) is not None and action[key] != ""}
    return {key: value for key, value in found.items() if key != "TimeZone" or value not in UTC}


def _text(value: Any) -> Any:
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value


def _differs(want: Mapping[str, Any], have: Mapping[str, Any] | None) -> bool:
    return have is None or want != _comparable(want, have)


def _loses(want: Mapping[str, Any], have: Mapping[str, Any]) -> bool:
    return not _comparable(want, have).keys() <= want.keys()


def _comparable(want: Mapping[str, Any], have: Mapping[str, Any]) -> dict[str, Any]:
    """AWS describes an action that comes back with its next time as StartTime, whether or not one was given."""
    told = "StartTime" in want or "Recurrence" not in have
    return {key: value for key, value in have.items() if key != "StartTime" or told}
