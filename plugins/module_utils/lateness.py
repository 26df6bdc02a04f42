# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who will not be there when a window opens. Pure, but for `raise_alerts`.

A start that hangs says nothing by itself, and while it hangs no tick runs: so this is asked once a minute by a run of its own.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .direct import opened
from .schedule import LayerSchedule, edges, wanted

# A look each minute, and a quarter of one for a look that comes late: whoever is not there when a window opens was missed once before.
LAST_CALL = timedelta(seconds=75)
STAYS = timedelta(minutes=5)  # how long an alert stays after the last look that raised it
PATIENCE = 3.0  # seconds


@dataclass(frozen=True)
class Late:
    """A layer that will have fewer instances than the schedule wants when something opens."""

    layer: str
    opens: datetime
    missing: tuple[str, ...]
    wanted: int  # of the instances that live by the clock
    why: str

    def __str__(self) -> str:
        return (
            f"{self.layer}: {len(self.missing)} of {self.wanted} will not be ready at {self.opens:%H:%M} UTC "
            f"({self.why}): {', '.join(self.missing)}"
        )


def late(schedules: Mapping[str, LayerSchedule], now: datetime, serving: frozenset[str]) -> list[Late]:
    """What opens within LAST_CALL, and lacks instances now. `serving`: those that were started and let in."""
    found = []
    for layer, schedule in schedules.items():
        for opens in edges(schedule, now, now + LAST_CALL):
            names = wanted(schedule, opens)
            missing = tuple(sorted(set(names) - serving))
            if opens > now and missing:
                found.append(Late(layer, opens, missing, len(names), names[missing[0]]))
    return found


def alerts(stack: str, found: Iterable[Late], now: datetime) -> list[dict[str, Any]]:
    """As Alertmanager takes them. The same lack has the same labels at each look: it is one alert."""
    return [
        {
            "labels": {"alertname": "InstancesLate", "severity": "page", "stack": stack, "layer": one.layer, "opens": one.opens.isoformat()},
            "annotations": {
                "summary": str(one),
                "mend": "Look at what the start says: journalctl -u 'trust-stack-*'; start others by hand: playbooks/start.yml -e start=...",
            },
            "startsAt": now.isoformat(),
            "endsAt": (now + STAYS).isoformat(),
        }
        for one in found
    ]


def raise_alerts(address: str, bodies: list[dict[str, Any]]) -> str:
    """Hand them to Alertmanager; empty, or why that failed."""
    url = f"{address.rstrip('/')}/api/v2/alerts"
    request = urllib.request.Request(url, json.dumps(bodies).encode(), {"Content-Type": "application/json"})
    try:
        with opened(request, timeout=PATIENCE):
            return ""
    except OSError as error:
        return f"{url}: {getattr(error, 'reason', None) or error}; the alert was raised nowhere but here. Mend: is Alertmanager up?"
