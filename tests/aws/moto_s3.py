"""What moto's S3 makes of a bucket that wants TLS."""

from __future__ import annotations

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket


def permission(self: Any, action: str, resource: str) -> Any:
    """AWS: what is refused without TLS is not refused with it, and clients of AWS use it. moto reads no conditions and refuses all."""
    if self.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(self.policy.decode())
    policy["Statement"] = [one for one in policy["Statement"] if "aws:SecureTransport" not in json.dumps(one.get("Condition", {}))]
    return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource) if policy["Statement"] else PermissionResult.NEUTRAL


def fill() -> None:
    FakeBucket.get_permission = permission
