#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: budget
short_description: Make, change or remove a monthly budget of AWS Budgets that mails when it is nearly or fully used
description:
  - A limit in US dollars for the costs of one month, of all that carries certain tags, and mails when the forecast or the costs reach parts of it. Neither
    amazon.aws nor community.aws has a module for budgets.
  - A budget that is there and lacks the tags of I(owner) is somebody else's and is neither changed nor removed.
  - Costs are known by tag only after the tag's key was activated as a cost allocation tag in Billing, and for what was spent since.
author: Trust Stack (@trust-stack)
version_added: "0.3.0"
options:
  name:
    description: Name of the budget.
    type: str
    required: true
  state:
    description: V(absent) removes it.
    type: str
    choices: [present, absent]
    default: present
  limit:
    description: US dollars a month.
    type: int
  cost_tags:
    description: Which costs count, those of what carries one of these tags. Empty counts all of the account.
    type: dict
    default: {}
  forecast_percent:
    description: A mail when the forecast for the month is above so much of the limit.
    type: int
    default: 80
  actual_percent:
    description: A mail when the costs are above so much of the limit.
    type: int
    default: 100
  mail_to:
    description: Who is told, 1 to 10 addresses.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - trust.stack.owned
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    description: Predicts.
  diff_mode:
    support: full
    description: Shows the limit, which costs count, and who is told when, before and after.
"""

EXAMPLES = r"""
- name: No more than 300 dollars a month
  trust.stack.budget:
    name: shop
    limit: 300
    cost_tags: {stack: shop}
    mail_to: [founder@example.com]
    owner: {stack: shop}
"""

RETURN = r"""
arn:
  description: The budget's ARN.
  returned: always
  type: str
"""

import contextlib
from decimal import Decimal
from typing import Any

with contextlib.suppress(ImportError):
    import botocore
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list, boto3_tag_list_to_ansible_dict

ANSWERED_ONLY = ("CalculatedSpend", "LastUpdatedTime", "HealthStatus")  # told by AWS, and not taken back


class Budget:
    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module, self.given = module, module.params
        self.client = module.client("budgets", retry_decorator=AWSRetry.jittered_backoff())
        who = module.client("sts", retry_decorator=AWSRetry.jittered_backoff()).get_caller_identity(aws_retry=True)
        self.account = who["Account"]
        self.arn = f"arn:{who['Arn'].split(':')[1]}:budgets::{self.account}:budget/{self.given['name']}"
        self.key = {"AccountId": self.account, "BudgetName": self.given["name"]}

    def find(self) -> dict[str, Any] | None:
        try:
            return self.client.describe_budget(aws_retry=True, **self.key)["Budget"]
        except is_boto3_error_code("NotFoundException"):
            return None

    def tags(self) -> dict[str, str]:
        return boto3_tag_list_to_ansible_dict(self.client.list_tags_for_resource(ResourceARN=self.arn, aws_retry=True).get("ResourceTags") or [])

    def refuse_others(self, tags: dict[str, str]) -> None:
        owner = self.given["owner"]
        if any(tags.get(key) != value for key, value in owner.items()):
            self.module.fail_json(
                msg=f"AWS Budgets has a budget {self.given['name']} of somebody else: found the tags {tags}, expected {owner}; it is left alone. "
                    "Give the stack another name, or add the tags if it is this stack's own")  # fmt: skip

    def notifications(self) -> list[tuple[dict[str, Any], set[str]]]:
        """What is told when, and to whom."""
        pages = self.client.get_paginator("describe_notifications_for_budget").paginate(**self.key)
        found = []
        for one in pages.build_full_result().get("Notifications") or []:
            plain = {key: one[key] for key in ("NotificationType", "ComparisonOperator", "Threshold", "ThresholdType") if key in one}
            people = self.client.describe_subscribers_for_notification(Notification=plain, aws_retry=True, **self.key).get("Subscribers") or []
            found.append((plain, {person["Address"] for person in people}))
        return found

    def wanted(self) -> dict[str, Any]:
        tags = [f"user:{key}${value}" for key, value in sorted(self.given["cost_tags"].items())]
        return {
            "BudgetName": self.given["name"], "BudgetType": "COST", "TimeUnit": "MONTHLY", "CostFilters": {"TagKeyValue": tags} if tags else {},
            "BudgetLimit": {"Amount": str(self.given["limit"]), "Unit": "USD"},
        }  # fmt: skip

    def wanted_notifications(self) -> list[dict[str, Any]]:
        return [
            {"NotificationType": kind, "ComparisonOperator": "GREATER_THAN", "Threshold": float(self.given[percent]), "ThresholdType": "PERCENTAGE"}
            for kind, percent in (("FORECASTED", "forecast_percent"), ("ACTUAL", "actual_percent"))
        ]

    def people(self, addresses: set[str]) -> list[dict[str, str]]:
        return [{"SubscriptionType": "EMAIL", "Address": address} for address in sorted(addresses)]

    def present(self) -> dict[str, Any]:
        wanted, mails, found = self.wanted(), set(self.given["mail_to"]), self.find()
        told = [(one, mails) for one in self.wanted_notifications()]
        if found is None:
            if not self.module.check_mode:
                self.client.create_budget(
                    AccountId=self.account, Budget=wanted, aws_retry=True,
                    NotificationsWithSubscribers=[{"Notification": one, "Subscribers": self.people(mails)} for one, _mails in told],
                    ResourceTags=ansible_dict_to_boto3_tag_list(self.given["tags"] | self.given["owner"]))  # fmt: skip
            return {"changed": True, "diff": {"before": {}, "after": shown(wanted, told)}}
        tags = self.tags()
        self.refuse_others(tags)
        now = self.notifications()
        before, after = shown(found, now), shown(wanted, told)
        limits = any(before[key] != after[key] for key in ("limit", "costs", "month"))
        missing = {key: value for key, value in self.given["tags"].items() if tags.get(key) != value}
        if not self.module.check_mode:
            if limits:
                rest = {key: value for key, value in found.items() if key not in (*ANSWERED_ONLY, "FilterExpression", "Metrics")}
                self.client.update_budget(AccountId=self.account, NewBudget=rest | wanted, aws_retry=True)
            self.tell(now, told)
            if missing:
                self.client.tag_resource(ResourceARN=self.arn, ResourceTags=ansible_dict_to_boto3_tag_list(missing), aws_retry=True)
        return {"changed": before != after or bool(missing), "diff": {"before": before, "after": after}}

    def tell(self, now: list[tuple[dict[str, Any], set[str]]], told: list[tuple[dict[str, Any], set[str]]]) -> None:
        """First those that come: a notification without anybody to tell is not allowed."""
        for one, mails in told:
            have = next((people for plain, people in now if plain == one), None)
            if have is None:
                self.client.create_notification(Notification=one, Subscribers=self.people(mails), aws_retry=True, **self.key)
                continue
            for person in self.people(mails - have):
                self.client.create_subscriber(Notification=one, Subscriber=person, aws_retry=True, **self.key)
            for person in self.people(have - mails):
                self.client.delete_subscriber(Notification=one, Subscriber=person, aws_retry=True, **self.key)
        for plain, _people in now:
            if plain not in [one for one, _mails in told]:
                self.client.delete_notification(Notification=plain, aws_retry=True, **self.key)

    def absent(self) -> dict[str, Any]:
        found = self.find()
        if found is None:
            return {"changed": False}
        self.refuse_others(self.tags())
        diff = {"before": shown(found, self.notifications()), "after": {}}
        if not self.module.check_mode:
            self.client.delete_budget(aws_retry=True, **self.key)
        return {"changed": True, "diff": diff}


def shown(budget: dict[str, Any], told: list[tuple[dict[str, Any], set[str]]]) -> dict[str, Any]:
    """What can be changed, in a form that can be compared: AWS answers 300 with 300.0."""
    limit = budget.get("BudgetLimit") or {"Amount": "0", "Unit": "USD"}
    return {
        "limit": f"{Decimal(limit['Amount']):.2f} {limit['Unit']}",
        "costs": {key: sorted(values) for key, values in (budget.get("CostFilters") or {}).items()},
        "month": budget["TimeUnit"],
        "mails": sorted(f"{one['NotificationType']} {one['ComparisonOperator']} {one['Threshold']:g} {one.get('ThresholdType', 'PERCENTAGE')}: "
                        f"{', '.join(sorted(people))}" for one, people in told),
    }  # fmt: skip


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "limit": {"type": "int"},
            "cost_tags": {"type": "dict", "default": {}},
            "forecast_percent": {"type": "int", "default": 80},
            "actual_percent": {"type": "int", "default": 100},
            "mail_to": {"type": "list", "elements": "str", "default": []},
            "owner": {"type": "dict", "default": {}},
            "tags": {"type": "dict", "default": {}},
        },
        required_if=[("state", "present", ["limit"])],
        supports_check_mode=True,
    )
    given = module.params
    if given["state"] == "present" and (given["limit"] < 1 or not 1 <= len(set(given["mail_to"])) <= 10):
        module.fail_json(
            msg=f"budget {given['name']}: found limit {given['limit']} and {len(set(given['mail_to']))} addresses in mail_to, expected 1 dollar "
                "or more and 1 to 10 addresses; to have no budget write state: absent")  # fmt: skip
    try:
        budget = Budget(module)
        done = budget.present() if given["state"] == "present" else budget.absent()
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as exc:
        module.fail_json_aws(exc, msg=f"the budget {given['name']} could not be brought to {given['state']}")
    module.exit_json(arn=budget.arn, **done)


if __name__ == "__main__":
    main()
