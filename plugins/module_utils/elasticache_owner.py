# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whose a thing of ElastiCache is, by its tags, and the tags that are still missing."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list, boto3_tag_list_to_ansible_dict

OPTIONS: dict[str, Any] = {"owner": {"type": "dict", "default": {}}, "tags": {"type": "dict", "default": {}}}


def wanted(module: Any) -> list[dict[str, str]]:
    """The tags of something that is made."""
    return ansible_dict_to_boto3_tag_list(module.params["tags"] | module.params["owner"])


def owned(module: Any, client: Any, what: str, arn: str) -> dict[str, str]:
    """Its tags; fails if they are not the owner's. ElastiCache tells them only of what is available."""
    have = boto3_tag_list_to_ansible_dict(client.list_tags_for_resource(ResourceName=arn, aws_retry=True)["TagList"])
    owner = module.params["owner"]
    if any(have.get(key) != value for key, value in owner.items()):
        module.fail_json(
            msg=f"ElastiCache has a {what} {module.params['name']} of somebody else: found the tags {have}, expected {owner}; it is left alone. "
                "Choose another name, or add the tags if it is this stack's own")  # fmt: skip
    return have


def tagged(module: Any, client: Any, arn: str, have: dict[str, str]) -> bool:
    """Whether tags were missing. Others stay."""
    missing = {key: value for key, value in module.params["tags"].items() if have.get(key) != value}
    if missing and not module.check_mode:
        client.add_tags_to_resource(ResourceName=arn, Tags=ansible_dict_to_boto3_tag_list(missing), aws_retry=True)
    return bool(missing)
