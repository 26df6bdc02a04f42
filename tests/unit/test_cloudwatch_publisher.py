"""What the monitor's publisher makes of Prometheus' answer."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.trust.stack.plugins.module_utils import metrics, metrics_cloudwatch

FILES = Path(__file__).resolve().parents[2] / "roles/cloudwatch_publisher/files"
AT = 1805016240.1


def loaded() -> Any:
    spec = importlib.util.spec_from_file_location("publish", FILES / "publish.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


publish = loaded()


def series(value: str = "7", **labels: str) -> dict[str, Any]:
    return {"metric": labels, "value": [AT, value]}


def test_it_asks_what_a_tick_asks() -> None:
    assert (FILES / "query.promql").read_text() == metrics.QUERY + "\n", "mend: write QUERY of metrics.py into roles/cloudwatch_publisher/files/query.promql"


def test_it_puts_what_a_tick_reads() -> None:
    named = publish.data("shop", [series("80.5", metric="cpu", layer="app", name="app-a-1"), series(metric="queue", layer="app", proxy="app")])
    assert named[0] == {
        "MetricName": "cpu", "Value": 80.5, "Unit": "Percent", "StorageResolution": 1, "Timestamp": datetime.fromtimestamp(AT, UTC),
        "Dimensions": [{"Name": "stack", "Value": "shop"}, {"Name": "layer", "Value": "app"}, {"Name": "name", "Value": "app-a-1"}]}  # fmt: skip
    assert [one["Name"] for one in named[1]["Dimensions"]] == ["stack", "layer"]
    for question, one in zip((("cpu", "app", "app-a-1"), ("queue", "app")), named, strict=True):
        asked = metrics_cloudwatch._Question(*question).stat("shop")["Metric"]
        assert (asked["MetricName"], asked["Dimensions"]) == (one["MetricName"], one["Dimensions"])


@pytest.mark.parametrize("one", [
    series("NaN", metric="cpu", layer="app", name="a"), series("+Inf", metric="load", layer="app", name="a"), series("1e120", metric="load", layer="app"),
    series(metric="cpu"), series(metric="other", layer="app"), series(layer="app")])
def test_what_is_no_number_or_belongs_nowhere_is_not_put(one: dict[str, Any]) -> None:
    assert publish.data("shop", [one]) == []
