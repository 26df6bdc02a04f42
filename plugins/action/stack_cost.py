# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the stack costs a month, told inside ansible-playbook: nothing is asked of AWS, and no process of its own is needed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible_collections.trust.stack.plugins.module_utils import aws_cost, aws_costtext
from ansible_collections.trust.stack.plugins.module_utils.forecast import PlanError
from ansible_collections.trust.stack.plugins.module_utils.observe import UnseenError, instant
from ansible_collections.trust.stack.plugins.plugin_utils.deciding import DecidingAction, stack_of

ARGUMENTS: dict[str, dict[str, Any]] = {
    "stack_file": {"type": "path", "required": True},
    "before": {"type": "dict", "default": {}},
    "prices": {"type": "dict", "default": {}},
    "disk": {"type": "int", "default": 20},
    "nat": {"type": "str", "choices": ["zone", "one"], "default": "zone"},
    "alarms": {"type": "bool", "default": True},
    "https": {"type": "bool", "default": False},
    "now": {"type": "str", "default": ""},
}


def told(given: dict[str, Any]) -> dict[str, Any]:
    stack = stack_of(given)
    if stack.provider != "ec2":
        return {"said": [], "lines": [], "unknown": [], "changes": []}
    known = aws_cost.prices(stack.region, given["prices"])
    today = (instant(given["now"]) or datetime.now(UTC)).replace(hour=0, minute=0, second=0, microsecond=0)
    hours = aws_cost.hours_a_week(stack, today)
    assumed = aws_cost.Assumed(given["disk"], given["nat"], given["alarms"], given["https"])
    after = aws_cost.estimate(aws_cost.of_stack(stack), known, hours, assumed)
    lines = aws_costtext.sheet(after)
    found: dict[str, Any] = {
        "lines": lines, "unknown": list(after.unknown()), "least": float(after.total.least), "most": float(after.total.most), "changes": []}  # fmt: skip
    if given["before"]:
        before = aws_cost.estimate(aws_cost.of_before(given["before"], stack), known, hours, assumed)
        found["changes"] = aws_costtext.difference(before, after, aws_cost.changes(before, after))
        if found["changes"]:
            old, new = aws_costtext.sheet(before), [*lines, "", *found["changes"]]
            heads = {f"{when}_header": f"{stack.name}, USD a month, {how}" for when, how in (("before", "as provisioned"), ("after", "as ticked"))}
            found |= {"changed": True, "diff": {"before": "\n".join(old) + "\n", "after": "\n".join(new) + "\n"} | heads}
    return found | {"said": [*lines, *(["", *found["changes"]] if found["changes"] else []), "", *aws_costtext.notes(after, known)]}


class ActionModule(DecidingAction):
    ARGUMENTS = ARGUMENTS
    LEFT_ALONE = "the cost cannot be told"

    def decide(self, given: dict[str, Any], check_mode: bool) -> dict[str, Any]:
        try:
            return told(given)
        except PlanError as exc:
            raise UnseenError(str(exc)) from exc
