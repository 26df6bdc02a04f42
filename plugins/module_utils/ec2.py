# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The stack's machines on EC2, as EC2 says they are now. What podman.py is for local ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .aws_calls import client, explained

MANAGED_BY = "trust.stack"
ON = ("pending", "running")
THERE = (*ON, "stopping", "stopped")  # what is terminated EC2 still lists for an hour
PAGE = 1000


def machines(stack: str, region: str) -> dict[str, dict[str, str]]:
    """All machines of one stack, by instance name: {"id", "state", "address", "public"}; an address that it has not is "". AwsError when AWS does not tell."""
    wanted = {"tag:stack": stack, "tag:managed-by": MANAGED_BY, "instance-state-name": list(THERE)}
    filters = [{"Name": key, "Values": value if isinstance(value, list) else [value]} for key, value in wanted.items()]
    found: dict[str, dict[str, str]] = {}
    with explained(f"EC2 in {region or '(no region)'}, DescribeInstances"):
        pages = client("ec2", region).get_paginator("describe_instances").paginate(Filters=filters, PaginationConfig={"PageSize": PAGE})
        for row in (row for page in pages for group in page["Reservations"] for row in group["Instances"]):
            tags = {tag["Key"]: tag["Value"] for tag in row.get("Tags", ())}
            name = tags.get("Name", "").removeprefix(f"{stack}-")
            machine = {
                "id": row["InstanceId"], "state": row["State"]["Name"],
                "address": row.get("PrivateIpAddress") or "", "public": row.get("PublicIpAddress") or ""}  # fmt: skip
            # Of two with one name, which somebody has made by hand, the one that is on counts: it is the one that serves.
            if name and (name not in found or (on(machine), machine["id"]) > (on(found[name]), found[name]["id"])):
                found[name] = machine
    return found


def on(machine: Mapping[str, Any]) -> bool:
    """Running, or about to."""
    return machine["state"] in ON
