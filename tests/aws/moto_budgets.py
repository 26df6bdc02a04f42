"""What moto's AWS Budgets leaves out: changes of a budget, who is told, and tags."""

from __future__ import annotations

import json
from typing import Any

from moto.budgets import models, responses
from moto.budgets.exceptions import NotFoundException

make = responses.BudgetsResponse.create_budget
describe = models.Budget.to_dict
forget = models.BudgetsBackend.delete_budget
tags: dict[str, dict[str, str]] = {}  # name of the budget: its tags


def described(self: Any) -> dict[str, Any]:
    """AWS answers with one decimal place more than it was told, and with a health that it does not take back."""
    found = describe(self)
    return found | {"BudgetLimit": found["BudgetLimit"] | {"Amount": f"{float(found['BudgetLimit']['Amount']):.1f}"},
                    "HealthStatus": {"Status": "HEALTHY", "LastUpdatedTime": 1}}  # fmt: skip


def made(self: Any) -> str:
    answer = make(self)
    tags[self._get_param("Budget")["BudgetName"]] = {one["Key"]: one["Value"] for one in self._get_param("ResourceTags") or []}
    return answer


def forgotten(self: Any, account_id: str, budget_name: str) -> None:
    forget(self, account_id, budget_name)
    tags.pop(budget_name, None)


def updated(self: Any) -> str:
    new = self._get_param("NewBudget")
    if {"CalculatedSpend", "HealthStatus"} & new.keys():
        raise NotFoundException("ValidationException: only AWS tells these")
    self.backend.describe_budget(self.current_account, new["BudgetName"])
    self.backend.budgets[self.current_account][new["BudgetName"]].budget = new
    return "{}"


def subscribers(self: Any) -> list[dict[str, str]]:
    budget = self.backend.budgets[self.current_account][self._get_param("BudgetName")]
    for one in budget.notifications:
        if one.details == self._get_param("Notification"):
            return one.subscribers
    raise NotFoundException("Unable to get notification - the notification doesn't exist.")


def told(self: Any) -> str:
    return json.dumps({"Subscribers": subscribers(self)})


def joined(self: Any) -> str:
    subscribers(self).append(self._get_param("Subscriber"))
    return "{}"


def left(self: Any) -> str:
    """AWS refuses to leave a notification without anybody."""
    people = subscribers(self)
    if len(people) < 2:
        raise NotFoundException("InvalidParameterException: the last subscriber")
    people.remove(self._get_param("Subscriber"))
    return "{}"


def tagged(self: Any) -> str:
    found = tags.setdefault(self._get_param("ResourceARN").rpartition("/")[2], {})
    found.update({one["Key"]: one["Value"] for one in self._get_param("ResourceTags")})
    return "{}"


def listed(self: Any) -> str:
    found = tags.get(self._get_param("ResourceARN").rpartition("/")[2], {})
    return json.dumps({"ResourceTags": [{"Key": key, "Value": value} for key, value in found.items()]})


def fill() -> None:
    models.Budget.to_dict = described
    models.BudgetsBackend.delete_budget = forgotten
    response = responses.BudgetsResponse
    response.create_budget = made
    response.update_budget = updated
    response.describe_subscribers_for_notification = told
    response.create_subscriber = joined
    response.delete_subscriber = left
    response.tag_resource = tagged
    response.list_tags_for_resource = listed
