"""docs/aws.md: what it tells a person to type can be typed, and what it says of cost is what the collection computes."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.session
import jmespath
import pytest
from ansible_collections.trust.stack.plugins.module_utils import aws_cost
from ansible_collections.trust.stack.plugins.module_utils.stackfile import parse
from botocore import xform_name

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/aws.md").read_text(encoding="utf-8")
SHELL = "\n".join(re.findall(r"^ *```sh\n(.*?)^ *```", TEXT, re.M | re.S))
COMMANDS = [line.strip() for line in SHELL.splitlines() if re.match(r"\s*aws ", line)]
CLI = {"query", "output", "max-items"}  # of the command line itself
SESSION = botocore.session.get_session()
DEFAULTS = """\
plugin: trust.stack.stack
stack: shop
provider: ec2
region: eu-west-1
zones: [a, b]
layers:
  lb: {instances: 2, failover: route53}
  app: 2
  worker: 2
  database: {managed: rds}
  redis: {managed: elasticache}
  memcached: {managed: elasticache}
  mail: {managed: ses, domain: example.com}
  monitor: 1
"""


def answer(shape: Any, depth: int = 0) -> Any:
    """An answer of this shape in which everything is there once."""
    if depth > 8:
        return "x"
    if shape.type_name == "structure":
        return {name: answer(member, depth + 1) for name, member in shape.members.items()}
    if shape.type_name == "list":
        return [answer(shape.member, depth + 1)]
    return {"x": answer(shape.value, depth + 1)} if shape.type_name == "map" else "x"


def flat(value: Any) -> list[Any]:
    return [one for part in value for one in flat(part)] if isinstance(value, list) else [value]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_of_aws_is_one_that_it_knows(command: str) -> None:
    _aws, service, operation, *words = shlex.split(command, comments=True)
    if operation == "wait":
        assert words[0] in [xform_name(name, "-") for name in SESSION.get_waiter_model(service).waiter_names]
        operation, words = "describe-db-instances", words[1:]
    model = SESSION.get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in names, f"{service} knows no {operation}"
    shape = model.operation_model(names[operation])
    options = {word[2:] for word in words if word.startswith("--")}
    known = {xform_name(name, "-") for name in shape.input_shape.members} if shape.input_shape else set()
    assert {one.removeprefix("no-") for one in options - CLI} <= known
    given = {one.removeprefix("no-") for one in options}
    assert {xform_name(name, "-") for name in (shape.input_shape.required_members if shape.input_shape else [])} <= given
    if "query" in options:
        query = re.sub(r"\[\?[^\]]*\]", "[]", words[words.index("--query") + 1])
        found = flat(jmespath.search(query, answer(shape.output_shape)))
        assert found and None not in found, f"{query} finds nothing in what {operation} answers"


def test_there_are_commands_for_each_thing_that_only_an_account_can_show() -> None:
    chapter = TEXT.partition("## What only an account can show")[2].partition("\n## ")[0]
    things = re.split(r"^\*\*", chapter, flags=re.M)[1:]
    assert len(things) > 15
    # a mailbox of one's own has no command, and a larger class is a line of the stack file
    assert [one[:40] for one in things if "```sh" not in one and "stack file" not in one] == []
    for services in ("rds reboot-db-instance", "elasticache test-failover", "route53 get-health-check-status", "sesv2 send-email", "cloudwatch set-alarm-state",
                     "budgets describe-budgets", "autoscaling put-scheduled-update-group-action"):  # fmt: skip
        assert any(command.startswith(f"aws {services} ") for command in COMMANDS), services


def test_playbooks_and_links_are_there() -> None:
    assert {name for name in re.findall(r"playbooks/[a-z]+\.yml", TEXT) if not (ROOT / name).exists()} == set()
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", TEXT)]
    assert [link for link in links if link and not (ROOT / "docs" / link).exists()] == []
    assert "What only an account can show" in TEXT and "(#what-only-an-account-can-show)" in TEXT
    assert all(len(line) <= 160 or line.lstrip().startswith(("|", "aws ", "ansible")) for line in TEXT.splitlines())


def test_the_sums_are_those_that_the_collection_computes() -> None:
    stack = parse(DEFAULTS)
    hours = aws_cost.hours_a_week(stack, datetime(2027, 3, 1, tzinfo=UTC))
    found = aws_cost.estimate(aws_cost.of_stack(stack), aws_cost.prices(stack.region), hours)
    assert found.unknown() == ()
    chapter = TEXT.partition("## What it costs")[2]
    said = {name: int(number) for name, number in re.findall(r"(about|database|gateways) \(?(\d+)(?: USD a month|\s+with|\))", chapter)}
    assert said == {"about": round(found.total.most / 5) * 5, "database": round(found.of("database").most), "gateways": round(found.of("network").most)}
