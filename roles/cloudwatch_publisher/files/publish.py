#!/usr/bin/python3
"""Put to CloudWatch what Prometheus says about the layers of a stack: one question, one answer, one moment.

    publish.py STACK PROMETHEUS QUERY_FILE NAMESPACE

Region, credentials and endpoint come from the environment. Exits with 1, and says why, when one of the two does not answer; nothing is put by halves
that a later run would not put anew. What is missing is not put: a zero would be a lie.
"""

import json
import math
import sys
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

MOST = 500  # metrics of one request; CloudWatch takes 1000 or 1 MB
LARGEST = 2.0**360  # CloudWatch refuses the whole request for one value beyond
PATIENCE = 5  # seconds
UNITS = {"cpu": "Percent", "memory": "Percent", "load": "None", "queue": "Count", "sessions": "Count/Second", "backlog": "Count"}


class PublishError(Exception):
    """Who does not answer, and why."""


def ask(address: str, query: str) -> list:
    """The series of Prometheus' answer."""
    url = f"{address.rstrip('/')}/api/v1/query"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, urllib.parse.urlencode({"query": query}).encode(), PATIENCE) as response:
            answer = json.load(response)
        if answer["status"] == "success":
            return answer["data"]["result"]
        raise PublishError(f"{url}: status {answer['status']!r}, expected success")
    except urllib.error.HTTPError as error:
        raise PublishError(f"{url}: HTTP {error.code}: {error.read(300).decode(errors='replace').strip()}") from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise PublishError(f"{url}: {error!r}; expected an answer of Prometheus within {PATIENCE} s. Mend: systemctl status prometheus") from error


def data(stack: str, series: list) -> list[dict]:
    """The metrics in CloudWatch's words; what is no number, or belongs to no layer, is left out."""
    found = []
    for one in series:
        labels, (at, text) = one["metric"], one["value"]
        value, metric, layer = float(text), labels.get("metric"), labels.get("layer")
        if metric not in UNITS or not layer or not math.isfinite(value) or abs(value) > LARGEST:
            continue
        named = {"stack": stack, "layer": layer} | ({"name": labels["name"]} if labels.get("name") else {})
        found.append({
            "MetricName": metric, "Dimensions": [{"Name": key, "Value": word} for key, word in named.items()],
            "Timestamp": datetime.fromtimestamp(at, UTC), "Value": value, "Unit": UNITS[metric],
            "StorageResolution": 1,  # a tick reads half minutes
        })  # fmt: skip
    return found


def put(namespace: str, metrics: list[dict]) -> None:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = boto3.client("cloudwatch", config=Config(connect_timeout=2, read_timeout=PATIENCE, retries={"total_max_attempts": 3, "mode": "standard"}))
        for first in range(0, len(metrics), MOST):
            client.put_metric_data(Namespace=namespace, MetricData=metrics[first : first + MOST])
    except (BotoCoreError, ClientError, ValueError) as error:
        mend = "see that the monitor's instance profile allows cloudwatch:PutMetricData, and its way out"
        raise PublishError(f"CloudWatch, PutMetricData: {error}. Mend: {mend}") from error


def main(stack: str, prometheus: str, query: str, namespace: str) -> None:
    try:
        metrics = data(stack, ask(prometheus, Path(query).read_text(encoding="utf-8")))
        put(namespace, metrics)
    except PublishError as error:
        sys.exit(str(error))
    print(f"{len(metrics)} metrics")


if __name__ == "__main__":
    main(*sys.argv[1:])
