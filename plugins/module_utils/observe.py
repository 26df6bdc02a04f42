# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a tick sees: machines, balancers, metrics, published on-sales, and the time. Everything short: a tick may not hang."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import ec2, haproxy, metrics, metrics_cloudwatch, podman, statefiles
from .aws_calls import AwsError
from .direct import opened
from .load import METRICS, LoadSettings, Sample
from .plan import Clock, Observed
from .schedule import LayerSchedule, Window, event, with_events
from .stackfile import Stack

PATIENCE = 0.5  # seconds for each answer
NOWHERE = "nowhere"  # a source of metrics: for who needs none


class UnseenError(Exception):
    """Something that a decision needs cannot be seen; the text says what, and the mend."""


@dataclass(frozen=True)
class Seen:
    observed: Observed
    schedules: Mapping[str, LayerSchedule]  # with the published on-sales
    samples: Mapping[str, Sample]
    notes: list[str]


def instant(text: str) -> datetime | None:
    """The time to decide for, as it was given; None for now. UnseenError when it cannot be read."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UnseenError(f"now: found {text!r}, expected an instant such as 2027-03-12T09:30:00+00:00") from None
    if found.tzinfo is None:
        raise UnseenError(f"now: {text!r} does not say its offset from UTC; write for example {text}+00:00")
    return found.astimezone(UTC)


def clock(now: datetime | None = None) -> Clock:
    """The time and the machine's own count of it. A time that was given has no count beside it."""
    if now is not None:
        return Clock(now, 0.0, "")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return Clock(datetime.now(UTC), time.clock_gettime(time.CLOCK_BOOTTIME), boot)


def look(stack: Stack, folder: Path, given: Mapping[str, Any]) -> Seen:
    online = frozenset(statefiles.read(folder / statefiles.ONLINE)) & frozenset(one.name for one in stack.movable)
    with ThreadPoolExecutor(8) as pool:
        machines = pool.submit(_machines, stack, given["containers_conf"])
        pages = [pool.submit(_kept_out, one["address"], given["stats_port"]) for one in given["balancers"]]
        sampled = pool.submit(_samples, stack, online, given, machines)
        published = pool.submit(_published, stack, given["events_url"], folder / statefiles.ON_SALES)
        out: set[str] = set()
        notes: list[str] = []
        for one, page in zip(given["balancers"], pages, strict=True):
            names, problem = page.result()
            out |= names
            notes += [f"balancer {one['name']} does not answer: {problem}"] if problem else []
        samples, said = sampled.result()
        events, missing = published.result()
    schedules = {layer: with_events(one, events.get(layer, ())) for layer, one in stack.schedules.items()}
    there = machines.result()
    # Machines of your own are on; only their services come and go.
    powered = online if there is None else frozenset(name for name, one in there.items() if is_on(stack, one))
    return Seen(Observed(powered, online, frozenset(out) & online), schedules, samples, [*notes, *said, *missing])


def _machines(stack: Stack, conf: str) -> dict[str, dict[str, Any]] | None:
    """The stack's machines by instance, as their provider knows them; None when nobody knows."""
    return None if stack.provider == "static" else machines_of(stack, conf)


def machines_of(stack: Stack, conf: str) -> dict[str, dict[str, Any]]:
    """The stack's machines by instance; UnseenError when their provider does not tell."""
    try:
        return ec2.machines(stack.name, stack.region) if stack.provider == "ec2" else podman.containers(stack.name, conf)
    except (podman.PodmanError, AwsError) as exc:
        raise UnseenError(str(exc)) from None


def is_on(stack: Stack, machine: Mapping[str, Any]) -> bool:
    return ec2.on(machine) if stack.provider == "ec2" else podman.alive(dict(machine))


def _kept_out(address: str, port: int) -> tuple[set[str], str]:
    """App servers that this balancer keeps out although the checks may pass; and why it could not be asked."""
    try:
        found = haproxy.servers(fetch(f"http://{address}:{port}/;csv"), "app")
    except (OSError, ValueError, KeyError) as exc:
        return set(), str(exc)
    return {name for name, server in found.items() if server.out}, ""


def fetch(url: str, patience: float = PATIENCE) -> str:
    with opened(url, timeout=patience) as answer:
        body: bytes = answer.read()
    return body.decode()


def _samples(stack: Stack, online: frozenset[str], given: Mapping[str, Any], machines: Future[Any]) -> tuple[dict[str, Sample], list[str]]:
    loads = {layer: settings for layer, settings in stack.loads.items() if settings.enable}
    source = metrics_source(stack, given)
    if not loads or source == NOWHERE:
        return {}, []
    if not source:
        return {}, [f"{', '.join(loads)}: lives by load, but nobody measures it; mend: add the layer monitor to stack.yml"]
    members = {layer: [one.name for one in stack.layer(layer) if one.type == "always" or one.name in online] for layer in loads}
    if source == "cloudwatch":
        ids = {name: one["id"] for name, one in machines.result().items()}
        found, problem = metrics_cloudwatch.ask(stack.region, stack.name, members, ids, watched(loads.values()), instant(given.get("now") or ""))
    else:
        answer, problem = metrics.ask(given["metrics_url"])
        found = {layer: metrics.from_prometheus(answer, layer, names) for layer, names in members.items()}
    if problem and all(sample == Sample() for sample in found.values()):
        problem = f"no metrics: {problem}; nothing is stopped for want of load"
    return found, [problem] if problem else []


def metrics_source(stack: Stack, given: Mapping[str, Any]) -> str:
    """Who is asked for the metrics: as it was said, or else the monitor's Prometheus, or else, on EC2, CloudWatch; empty for nobody."""
    source = str(given.get("metrics_source") or "")
    if source == "cloudwatch" and stack.provider != "ec2":
        raise UnseenError(
            f"metrics_source: found cloudwatch with provider {stack.provider}, expected prometheus; mend: remove it, CloudWatch knows EC2's hosts")
    return source or ("prometheus" if given["metrics_url"] else "cloudwatch" if stack.provider == "ec2" else "")


def watched(loads: Iterable[LoadSettings]) -> frozenset[str]:
    """The metrics that have a threshold somewhere."""
    return frozenset(name for one in loads for way in (one.up, one.down) for name in METRICS if getattr(way, name) is not None)


def _published(stack: Stack, url: str, kept: Path) -> tuple[dict[str, list[Window]], list[str]]:
    """layer: windows of the on-sales that the app publishes. Of an app that does not answer the last answer counts."""
    layers = [layer for layer, one in stack.schedules.items() if one.on_sales]
    if not layers:
        return {}, []
    notes = []
    try:
        published = json.loads(fetch(url))
        windows(published, 1)
        statefiles.write(kept, published)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        published = statefiles.read(kept)
        notes = [f"the app's on-sales cannot be read at {url or '(no address)'}: {exc}; what it said before counts"]
    return {layer: windows(published, len(stack.layer(layer))) for layer in layers}, notes


def windows(published: Mapping[str, Any], instances: int) -> list[Window]:
    """The windows of what the app publishes; KeyError, TypeError or ValueError where that has another shape."""
    found = []
    for one in published.get("on_sales", ()):
        start, end = (datetime.fromisoformat(one[key]).astimezone(UTC) for key in ("starts_at", "ends_at"))
        found.append(event(f"on-sale {one['name']}", start, end, instances))
    return found
