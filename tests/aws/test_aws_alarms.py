"""Alarms for what is ticked and nothing else, a budget that tells somebody, and what is somebody else's left alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.aws import Aws

BOOK = Path(__file__).with_name("aws_alarms.yml")
TOPIC = "arn:aws:sns:eu-west-1:123456789012:shop-alarms"
ACCOUNT = "123456789012"
BUDGET = {"AccountId": ACCOUNT, "BudgetName": "shop"}


@pytest.fixture(scope="module")
def play(aws: Aws) -> Any:
    def run(*runs: dict[str, Any], check: bool = False) -> tuple[list[int], str]:
        """How many things changed in each run, items of a loop counted (-1 at the end: it was refused), and what was said."""
        done = aws.play(BOOK, "-e", json.dumps({"runs": runs}), *(["--check"] if check else []))
        parts = re.split(r"\nTASK \[Show what was made\]", done.stdout)[:-1]
        changed = [len(re.findall(r"^changed: ", part, re.M)) for part in parts]
        return changed + ([-1] if done.returncode else []), " ".join((done.stdout + done.stderr).split())

    return run


def alarms(aws: Aws) -> dict[str, dict[str, Any]]:
    return {one["AlarmName"]: one for one in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]}


def listeners(aws: Aws) -> list[str]:
    return [one["Endpoint"] for one in aws.client("sns").list_subscriptions()["Subscriptions"]]


def told(aws: Aws) -> dict[str, list[str]]:
    budgets = aws.client("budgets")
    found = {}
    for one in budgets.describe_notifications_for_budget(**BUDGET)["Notifications"]:
        people = budgets.describe_subscribers_for_notification(Notification=one, **BUDGET)["Subscribers"]
        found[f"{one['NotificationType']} {one['ComparisonOperator']} {one['Threshold']:g} {one['ThresholdType']}"] = [person["Address"] for person in people]
    return found


def test_all_is_foretold_and_made_once(aws: Aws, play: Any) -> None:
    changed, said = play({}, check=True)
    assert changed == [13], said[-3000:]  # topic, 11 alarms, budget
    assert alarms(aws) == {} and aws.client("sns").list_topics()["Topics"] == [] and aws.client("budgets").describe_budgets(AccountId=ACCOUNT)["Budgets"] == []
    changed, said = play({}, {})
    assert changed == [13, 0], said[-3000:]
    assert listeners(aws) == ["founder@example.com"]
    found = alarms(aws)
    assert all(one["AlarmActions"] == one["OKActions"] == [TOPIC] for one in found.values())
    assert {name.removeprefix("shop-alarms-"): (one["Namespace"], one["MetricName"], one["ComparisonOperator"], one["Threshold"],
                                                {pair["Name"]: pair["Value"] for pair in one["Dimensions"]}, one["Period"] * one["EvaluationPeriods"])
            for name, one in found.items()} == {
        "database-storage": ("AWS/RDS", "FreeStorageSpace", "LessThanThreshold", 20 * 1024**3, {"DBInstanceIdentifier": "shop-database"}, 900),
        "database-cpu": ("AWS/RDS", "CPUUtilization", "GreaterThanThreshold", 80, {"DBInstanceIdentifier": "shop-database"}, 900),
        "database-connections": ("AWS/RDS", "DatabaseConnections", "GreaterThanThreshold", 250, {"DBInstanceIdentifier": "shop-database"}, 900),
        **{f"redis-memory-{node}": ("AWS/ElastiCache", "DatabaseMemoryUsagePercentage", "GreaterThanThreshold", 80,
                                    {"CacheClusterId": f"shop-redis-{node}"}, 900) for node in ("001", "002")},
        **{f"redis-cpu-{node}": ("AWS/ElastiCache", "EngineCPUUtilization", "GreaterThanThreshold", 80,
                                 {"CacheClusterId": f"shop-redis-{node}"}, 900) for node in ("001", "002")},
        "memcached-evictions": ("AWS/ElastiCache", "Evictions", "GreaterThanThreshold", 1000, {"CacheClusterId": "shop-memcached"}, 900),
        "mail-bounces": ("AWS/SES", "Reputation.BounceRate", "GreaterThanThreshold", 0.05, {}, 300),
        "mail-complaints": ("AWS/SES", "Reputation.ComplaintRate", "GreaterThanThreshold", 0.001, {}, 300),
        "status-lb-a-1": ("AWS/EC2", "StatusCheckFailed", "GreaterThanThreshold", 0, {"InstanceId": "i-0123456789abcdef0"}, 180),
    }  # fmt: skip
    budget = aws.client("budgets").describe_budget(**BUDGET)["Budget"]
    assert (budget["BudgetLimit"], budget["CostFilters"], budget["TimeUnit"]) == (
        {"Amount": "300.0", "Unit": "USD"}, {"TagKeyValue": ["user:stack$shop"]}, "MONTHLY")  # fmt: skip
    assert told(aws) == {"FORECASTED GREATER_THAN 80 PERCENTAGE": ["founder@example.com"], "ACTUAL GREATER_THAN 100 PERCENTAGE": ["founder@example.com"]}


def test_an_unticked_box_loses_its_alarms_and_another_address_is_told(aws: Aws, play: Any) -> None:
    budgets = aws.client("budgets")
    old = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 50.0, "ThresholdType": "PERCENTAGE"}
    budgets.create_notification(Notification=old, Subscribers=[{"SubscriptionType": "EMAIL", "Address": "old@example.com"}], **BUDGET)
    changed, said = play({"redis": {"multi_az": False}, "memcached": {}, "mail_to": "two@example.com", "budget": 400})
    assert changed == [3], said[-3000:]  # who listens, the alarm of what is gone, and the budget; without multi_az the replica is still there
    assert set(alarms(aws)) == {f"shop-alarms-{name}" for name in (
        "database-storage", "database-cpu", "database-connections", "redis-memory-001", "redis-memory-002", "redis-cpu-001", "redis-cpu-002",
        "mail-bounces", "mail-complaints", "status-lb-a-1")}  # fmt: skip
    assert listeners(aws) == ["two@example.com"]
    assert budgets.describe_budget(**BUDGET)["Budget"]["BudgetLimit"]["Amount"] == "400.0"
    assert told(aws) == {"FORECASTED GREATER_THAN 80 PERCENTAGE": ["two@example.com"], "ACTUAL GREATER_THAN 100 PERCENTAGE": ["two@example.com"]}
    changed, said = play({"mail_to": ""})
    assert changed == [-1] and "found '', expected an address, since a budget of 300 dollars that tells nobody" in said


def test_at_the_end_nothing_is_left(aws: Aws, play: Any) -> None:
    changed, said = play({"state": "absent"}, {"state": "absent"})
    assert changed == [12, 0], said[-3000:]  # ten alarms, topic and budget
    assert alarms(aws) == {} and aws.client("sns").list_topics()["Topics"] == [] and listeners(aws) == []
    assert aws.client("budgets").describe_budgets(AccountId=ACCOUNT)["Budgets"] == []


def test_what_is_somebody_elses_is_refused_and_not_touched(aws: Aws, play: Any) -> None:
    budget = {"BudgetName": "shop", "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": {"Amount": "7", "Unit": "USD"}}
    aws.client("budgets").create_budget(AccountId=ACCOUNT, Budget=budget, ResourceTags=[{"Key": "stack", "Value": "shop2"}])
    for run in ({"budget": 0}, {"state": "absent"}):
        changed, said = play(run)
        assert changed == [-1] and "AWS Budgets has a budget shop of somebody else: found the tags {'stack': 'shop2'}" in said
    alarm = {"AlarmName": "shop-alarms-database-cpu", "Namespace": "X", "MetricName": "Y", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1,
             "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": ["arn:aws:sns:eu-west-1:123456789012:theirs"]}  # fmt: skip
    aws.client("cloudwatch").put_metric_alarm(**alarm)
    changed, said = play({})
    assert changed == [-1] and "found shop-alarms-database-cpu, which do not speak to the topic shop-alarms" in said
    aws.client("sns").create_topic(Name="shop-alarms")
    changed, said = play({"state": "absent"})
    assert changed == [-1] and "SNS has a topic shop-alarms without the tag stack=shop" in said
    assert set(alarms(aws)) == {"shop-alarms-database-cpu"} and [one["TopicArn"] for one in aws.client("sns").list_topics()["Topics"]] == [TOPIC]
    assert aws.client("budgets").describe_budget(**BUDGET)["Budget"]["BudgetLimit"]["Amount"] == "7.0"
