# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: parameters
short_description: What Parameter Store keeps for a stack
version_added: "0.1.0"
author: Trust Stack (@trust-stack)
description:
  - Gives the parameters right below C(/<stack>/) of AWS' Systems Manager, decrypted, and says which of them are the stack's own by their tag C(stack).
  - P(amazon.aws.ssm_parameter#lookup) knows no tags, and shows the values from C(-vvvv) on.
options:
  _terms:
    description: The name of the stack.
    type: list
    elements: str
    required: true
extends_documentation_fragment:
  - amazon.aws.boto3
  - amazon.aws.common.plugins
  - amazon.aws.region.plugins
seealso:
  - module: trust.stack.stack_secrets
"""

EXAMPLES = r"""
- name: Take over the secrets that another control node made
  trust.stack.stack_secrets:
    path: "{{ stack_secrets_file }}"
    password_file: "{{ stack_vault_password_file }}"
    names: []
    known: "{{ lookup('trust.stack.parameters', 'shop').ours }}"
"""

RETURN = r"""
_raw:
  description: For each stack C(ours), names and values, and C(foreign), names alone.
  type: list
  elements: dict
"""

from contextlib import suppress
from typing import Any

with suppress(ImportError):  # the parent class says so
    from botocore.exceptions import BotoCoreError, ClientError

from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.plugin_utils.lookup import AWSLookupBase


class LookupModule(AWSLookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        super().run(terms, variables, **kwargs)
        client = self.client("ssm", AWSRetry.jittered_backoff())
        try:
            return [self._of(client, str(stack)) for stack in terms]
        except (BotoCoreError, ClientError) as error:
            self.fail_aws(f"Parameter Store: the secrets of stack {', '.join(terms)} cannot be read", error)

    def _of(self, client: Any, stack: str) -> dict[str, Any]:
        ours, foreign = {}, []
        pages = client.get_paginator("get_parameters_by_path").paginate(Path=f"/{stack}/", WithDecryption=True)
        for one in pages.build_full_result()["Parameters"]:
            name = one["Name"].rpartition("/")[2]
            tags = client.list_tags_for_resource(ResourceType="Parameter", ResourceId=one["Name"], aws_retry=True)["TagList"]
            if {"Key": "stack", "Value": stack} in tags:
                ours[name] = one["Value"]
            else:
                foreign.append(name)
        return {"ours": ours, "foreign": sorted(foreign)}
