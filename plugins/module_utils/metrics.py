# Copyright (c) Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Prometheus knows about the layers, as the samples that load.py decides upon. One question for all layers, one answer.

    answer, reason = ask("http://10.89.0.30:9090")
    sample = from_prometheus(answer, "app", online=["app-a-1", "app-b-1"])

Only `ask` does I/O. Where it fails, the answer is empty, each sample is all missing, and the load then holds what runs.
"""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Collection, Mapping
from typing import Any

from .direct import opened
from .load import Sample

TIMEOUT = 0.5  # seconds: a tick has two in all
LARGEST = 4_000_000  # bytes of an answer; 40 instances need 30 kB

# Per instance: the mean over the instances is made here, since only the caller knows which of them serve.
# Waiting for a disk is not work that another instance would take over: such time counts as idle.
CPU = (
    '100 * (1 - sum by (layer, name) (rate(node_cpu_seconds_total{mode=~"idle|iowait"}[1m]))'
    ' / count by (layer, name) (node_cpu_seconds_total{mode="idle"}))'
)
MEMORY = "max by (layer, name) (100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes))"
LOAD = "max by (layer, name) (node_load1)"
# Per HAProxy backend, which bears the name of its layer. The mean of two scrapes: a single one may be a hiccup, and visitors do not wait for a third.
QUEUE = "sum by (proxy) (avg_over_time(haproxy_backend_current_queue[10s]))"
SESSIONS = "sum by (proxy) (rate(haproxy_backend_sessions_total[30s]))"
# Master and replica hold the same lists.
BACKLOG = "sum(max by (key) (avg_over_time(redis_list_length[30s])))"
BACKLOG_LAYER = "worker"


def _named(metric: str, expression: str, layer: str = "") -> str:
    if layer == "proxy":
        expression = f'label_replace({expression}, "layer", "$1", "proxy", "(.*)")'
    elif layer:
        expression = f'label_replace({expression}, "layer", "{layer}", "", "")'
    return f'label_replace({expression}, "metric", "{metric}", "", "")'


QUERY = "\nor ".join((
    _named("cpu", CPU),
    _named("memory", MEMORY),
    _named("load", LOAD),
    _named("queue", QUEUE, "proxy"),
    _named("sessions", SESSIONS, "proxy"),
    _named("backlog", BACKLOG, BACKLOG_LAYER),
))


def ask(address: str, query: str = QUERY, timeout: float = TIMEOUT) -> tuple[dict[str, Any], str]:
    """Prometheus' answer, and "" or the reason why there is none."""
    url = f"{address.rstrip('/')}/api/v1/query"
    try:
        with opened(url, urllib.parse.urlencode({"query": query}).encode(), timeout) as response:
            answer = json.loads(response.read(LARGEST))
    except urllib.error.HTTPError as error:
        return {}, f"{url}: HTTP {error.code}: {error.read(300).decode(errors='replace').strip()}"
    except (OSError, ValueError) as error:  # ValueError: no JSON, or no URL
        return {}, f"{url}: {getattr(error, 'reason', None) or error}; expected an answer within {timeout} s. Mend: is Prometheus up?"
    if not isinstance(answer, dict) or answer.get("status") != "success":
        return {}, f"{url}: status {answer.get('status') if isinstance(answer, dict) else answer!r}; expected success"
    return answer, ""


def from_prometheus(answer: Mapping[str, Any], layer: str, online: Collection[str]) -> Sample:
    """The layer's sample. `online`: the names of its instances that serve now; those that still start would bend the means."""
    data = answer.get("data")
    result = data.get("result") if isinstance(data, Mapping) else None
    values: dict[tuple[str, str], float] = {}
    for series in result if isinstance(result, list) else []:
        labels, value = _series(series)
        # An instance is known by its name, the rest by its layer.
        if value is not None and (labels.get("name") or labels.get("layer") == layer):
            values[labels.get("metric", ""), labels.get("name", "")] = value
    means, partial = {}, set()
    for metric in ("cpu", "memory", "load"):
        given = [values[metric, name] for name in online if (metric, name) in values]
        means[metric] = sum(given) / len(given) if given else None
        if given and len(given) < len(online):
            partial.add(metric)
    sessions = values.get(("sessions", ""))
    return Sample(
        **means, queue=values.get(("queue", "")), backlog=values.get(("backlog", "")),
        sessions=sessions / len(online) if sessions is not None and online else None, partial=frozenset(partial))  # fmt: skip


def _series(series: object) -> tuple[Mapping[str, str], float | None]:
    try:
        labels, text = series["metric"], series["value"][1]  # type: ignore[index]
        value = float(text)
    except (LookupError, TypeError, ValueError):
        return {}, None
    return (labels, value) if isinstance(labels, Mapping) and math.isfinite(value) else ({}, None)
