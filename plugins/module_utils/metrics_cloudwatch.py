# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What CloudWatch knows about the layers, as the samples that load.py decides upon: for a control node that cannot reach the monitor.

The monitor publishes what its Prometheus says (role cloudwatch_publisher). Of an instance of which it publishes no CPU, EC2's own measure counts.
A value that is no longer fresh is missing, never zero. Like metrics.py: where asking fails, each sample is all missing, and the load holds what runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .aws_calls import AwsError, client, explained
from .load import METRICS, Sample
from .metrics import from_prometheus

NAMESPACE = "TrustStack"
PER_INSTANCE = ("cpu", "memory", "load")
PERIOD = 30  # seconds, how often the monitor publishes
EC2_PERIOD = 300  # what EC2 measures without being paid for more
FRESH = timedelta(seconds=180)  # since the end of a period; an older value says nothing about now
MOST = 500  # questions in one call


@dataclass(frozen=True)
class _Question:
    metric: str
    layer: str
    name: str = ""  # of the instance; empty for what the layer has as a whole
    id: str = ""  # with it, EC2's own measure of that machine

    def stat(self, stack: str) -> dict[str, Any]:
        if self.id:
            return _stat("AWS/EC2", "CPUUtilization", {"InstanceId": self.id}, EC2_PERIOD)
        dimensions = {"stack": stack, "layer": self.layer} | ({"name": self.name} if self.name else {})
        return _stat(NAMESPACE, self.metric, dimensions, PERIOD)


def _stat(namespace: str, metric: str, dimensions: Mapping[str, str], period: int) -> dict[str, Any]:
    named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return {"Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": named}, "Period": period, "Stat": "Average"}


def ask(
    region: str, stack: str, layers: Mapping[str, Collection[str]], ids: Mapping[str, str] | None = None,
    metrics: Collection[str] = METRICS, now: datetime | None = None,
) -> tuple[dict[str, Sample], str]:  # fmt: skip
    """The sample of each layer, and "" or what is wrong with them.

    `layers`: the names of each layer's instances that serve now; `ids`: their machines, for EC2's own measure; `metrics`: those that somebody
    watches, as each question costs; `now`: the time to ask for.
    """
    now = now or datetime.now(UTC)
    nothing: dict[str, Sample] = {layer: from_prometheus({}, layer, names) for layer, names in layers.items()}
    try:
        known = _answers(region, stack, list(_questions(layers, metrics)), now, PERIOD)
        problem = "" if known or not metrics else f"CloudWatch has nothing fresh of stack {stack}; mend: does its monitor publish (cloudwatch_publisher)?"
        if ids and "cpu" in metrics:
            published = {one.name for one in known if one.metric == "cpu"}
            own = [(layer, name) for layer, names in layers.items() for name in names if name not in published and name in ids]
            known |= _answers(region, stack, [_Question("cpu", layer, name, ids[name]) for layer, name in own], now, EC2_PERIOD)
    except AwsError as exc:
        return nothing, str(exc)
    answer = {"data": {"result": [
        {"metric": {"metric": one.metric, "layer": one.layer} | ({"name": one.name} if one.name else {}), "value": [now.timestamp(), str(value)]}
        for one, value in known.items()]}}  # fmt: skip
    return {layer: from_prometheus(answer, layer, names) for layer, names in layers.items()}, problem


def _questions(layers: Mapping[str, Collection[str]], metrics: Collection[str]) -> Iterator[_Question]:
    for layer, names in layers.items():
        for metric in (one for one in METRICS if one in metrics):
            if metric in PER_INSTANCE:
                yield from (_Question(metric, layer, name) for name in names)
            else:
                yield _Question(metric, layer)


def _answers(region: str, stack: str, questions: list[_Question], now: datetime, period: int) -> dict[_Question, float]:
    """The newest value of each, if it is fresh."""
    known: dict[_Question, float] = {}
    oldest = now - FRESH - timedelta(seconds=period)  # values bear the time at which their period began
    step = max(period, 60)
    begin = datetime.fromtimestamp(oldest.timestamp() // step * step, UTC)  # where CloudWatch's own periods begin
    for first in range(0, len(questions), MOST):
        some = {f"q{number}": one for number, one in enumerate(questions[first : first + MOST])}
        with explained(f"CloudWatch in {region or '(no region)'}, GetMetricData"):
            pages = client("cloudwatch", region).get_paginator("get_metric_data").paginate(
                MetricDataQueries=[{"Id": key, "MetricStat": one.stat(stack)} for key, one in some.items()],
                StartTime=begin, EndTime=now + timedelta(seconds=period), ScanBy="TimestampDescending")  # fmt: skip
            for row in (row for page in pages for row in page["MetricDataResults"]):
                fresh = [value for at, value in zip(row["Timestamps"], row["Values"], strict=True) if oldest <= at <= now]
                if fresh:
                    known.setdefault(some[row["Id"]], float(fresh[0]))  # the newest comes first
    return known
