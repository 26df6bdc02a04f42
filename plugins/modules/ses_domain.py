#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: ses_domain
short_description: Make, change or remove a domain that SES sends mails from, with its configuration set
description:
  - A domain identity signed by DKIM (2048 bits), a MAIL FROM domain below it, and a configuration set that tells a topic of bounces and complaints.
    The module of community.aws knows only version 1 of the service, without DKIM's records and without configuration sets.
  - An identity or a configuration set that is there and lacks the tags of I(owner) is somebody else's and is neither changed nor removed.
author: Trust Stack (@trust-stack)
version_added: "0.3.0"
options:
  domain:
    description: The domain of the senders' addresses.
    type: str
    required: true
  state:
    description: V(absent) removes the identity and the configuration set. Records of the DNS are not touched; they are returned.
    type: str
    choices: [present, absent]
    default: present
  configuration_set:
    description: Name of the configuration set. Addresses that bounce or complain are kept from getting more mails.
    type: str
    required: true
  mail_from:
    description: Domain below O(domain) to which mail servers send bounces, so that SPF speaks of this domain too. Empty means SES' own.
    type: str
    default: ""
  topic_arn:
    description: Topic that is told of O(events). Empty means none.
    type: str
    default: ""
  events:
    description: What the topic is told of.
    type: list
    elements: str
    default: [BOUNCE, COMPLAINT]
extends_documentation_fragment:
  - trust.stack.owned
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    description: Predicts. DKIM's records of a domain that is not there yet are chosen by SES and cannot be foretold.
  diff_mode:
    support: full
    description: Shows what differs, before and after.
"""

EXAMPLES = r"""
- name: Mails of the shop
  trust.stack.ses_domain:
    domain: tickets.example.com
    configuration_set: shop-mail
    mail_from: bounce.tickets.example.com
    topic_arn: arn:aws:sns:eu-west-1:123456789012:shop-mail
    owner: {stack: shop}
"""

RETURN = r"""
dkim_records:
  description: The records that prove the domain to SES and its mails to others; empty while the domain is not there.
  returned: always
  type: list
  elements: dict
  sample: [{name: abc._domainkey.tickets.example.com, type: CNAME, value: abc.dkim.amazonses.com}]
mail_from_records:
  description: The records of the MAIL FROM domain.
  returned: always
  type: list
  elements: dict
  sample: [{name: bounce.tickets.example.com, type: MX, value: 10 feedback-smtp.eu-west-1.amazonses.com}]
verified:
  description: Whether SES has found the records and sends from this domain.
  returned: always
  type: bool
sandbox:
  description: Whether the account may send only to verified addresses; none when SES does not say.
  returned: always
  type: bool
"""

import contextlib
from collections.abc import Callable
from typing import Any

with contextlib.suppress(ImportError):
    import botocore  # AnsibleAWSModule says what is missing

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list, boto3_tag_list_to_ansible_dict

DESTINATION = "feedback"


class Ses:
    """What is there, what is wanted, and the calls between them. `before` and `after` gather what differs."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.given = module.params
        self.client = module.client("sesv2", retry_decorator=AWSRetry.jittered_backoff())
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        name, group = self.given["domain"], self.given["configuration_set"]
        self.identity = self._find(self.client.get_email_identity, EmailIdentity=name)
        self.group = self._find(self.client.get_configuration_set, ConfigurationSetName=group)
        self._refuse_foreign("the identity", name, self.identity)
        self._refuse_foreign("the configuration set", group, self.group)

    @staticmethod
    def _find(ask: Callable[..., dict[str, Any]], **words: str) -> dict[str, Any] | None:
        try:
            return ask(aws_retry=True, **words)
        except is_boto3_error_code("NotFoundException"):
            return None

    def _refuse_foreign(self, what: str, name: str, found: dict[str, Any] | None) -> None:
        if found is None:
            return
        tags, owner = boto3_tag_list_to_ansible_dict(found.get("Tags") or []), self.given["owner"]
        if any(tags.get(key) != value for key, value in owner.items()):
            self.module.fail_json(
                msg=f"SES has {what} {name} of somebody else: found the tags {tags}, expected {owner}; it is left alone. "
                    "Choose another domain or stack, or add the tags if it is this stack's own")  # fmt: skip

    def step(self, what: str, have: Any, want: Any, call: Callable[..., Any], **words: Any) -> None:
        """One call, if what is there differs; none in check mode."""
        if have == want:
            return
        self.before[what], self.after[what] = have, want
        if not self.module.check_mode:
            call(aws_retry=True, **words)

    def present(self) -> None:
        given, client = self.given, self.client
        name, group, tags = given["domain"], given["configuration_set"], given["tags"] | given["owner"]
        listed = ansible_dict_to_boto3_tag_list(tags)
        self.step("configuration_set", group if self.group else None, group, client.create_configuration_set, ConfigurationSetName=group, Tags=listed,
                  ReputationOptions={"ReputationMetricsEnabled": True}, SuppressionOptions={"SuppressedReasons": ["BOUNCE", "COMPLAINT"]})  # fmt: skip
        self._tell(group)
        self.step("domain", name if self.identity else None, name, client.create_email_identity, EmailIdentity=name, Tags=listed,
                  DkimSigningAttributes={"NextSigningKeyLength": "RSA_2048_BIT"}, ConfigurationSetName=group)  # fmt: skip
        if self.identity:
            self.step("its_configuration_set", self.identity.get("ConfigurationSetName"), group,
                      client.put_email_identity_configuration_set_attributes, EmailIdentity=name, ConfigurationSetName=group)  # fmt: skip
        have = ((self.identity or {}).get("MailFromAttributes") or {}).get("MailFromDomain") or ""
        # Without its MX record mails are sent all the same, from SES' own domain.
        self.step("mail_from", have, given["mail_from"], client.put_email_identity_mail_from_attributes, EmailIdentity=name,
                  BehaviorOnMxFailure="USE_DEFAULT_VALUE", **({"MailFromDomain": given["mail_from"]} if given["mail_from"] else {}))  # fmt: skip
        for kind, value, found in (("identity", name, self.identity), ("configuration-set", group, self.group)):
            if found is not None:
                self._tag(kind, value, boto3_tag_list_to_ansible_dict(found.get("Tags") or []), tags)

    def _tell(self, group: str) -> None:
        """Let the topic know of bounces and complaints."""
        told = self.client.get_configuration_set_event_destinations(ConfigurationSetName=group, aws_retry=True)["EventDestinations"] if self.group else []
        now = next((one for one in told if one["Name"] == DESTINATION), None)
        have = None if now is None else {
            "topic": (now.get("SnsDestination") or {}).get("TopicArn"), "events": sorted(now["MatchingEventTypes"]), "enabled": now["Enabled"]}  # fmt: skip
        topic, events = self.given["topic_arn"], sorted(self.given["events"])
        want = {"topic": topic, "events": events, "enabled": True} if topic else None
        words: dict[str, Any] = {"ConfigurationSetName": group, "EventDestinationName": DESTINATION}
        if want:
            words["EventDestination"] = {"Enabled": True, "MatchingEventTypes": events, "SnsDestination": {"TopicArn": topic}}
        verb = "delete" if not want else "create" if not have else "update"
        self.step("told", have, want, getattr(self.client, f"{verb}_configuration_set_event_destination"), **words)

    def _tag(self, kind: str, name: str, have: dict[str, str], want: dict[str, str]) -> None:
        missing = {key: value for key, value in want.items() if have.get(key) != value}
        # The ARN is needed only here: identities do not tell theirs.
        if missing:
            account = self.module.client("sts").get_caller_identity()["Arn"].split(":")
            arn = f"arn:{account[1]}:ses:{self.client.meta.region_name}:{account[4]}:{kind}/{name}"
            self.step(f"tags of {kind}", {key: have.get(key) for key in missing}, missing, self.client.tag_resource,
                      ResourceArn=arn, Tags=ansible_dict_to_boto3_tag_list(missing))  # fmt: skip

    def absent(self) -> None:
        name, group = self.given["domain"], self.given["configuration_set"]
        self.step("domain", name if self.identity else None, None, self.client.delete_email_identity, EmailIdentity=name)
        self.step("configuration_set", group if self.group else None, None, self.client.delete_configuration_set, ConfigurationSetName=group)

    def told(self) -> dict[str, Any]:
        """The records, from what was there before a removal and after anything else."""
        given = self.given
        identity = self.identity or {}
        if given["state"] == "present" and self.after and not self.module.check_mode:
            identity = self._find(self.client.get_email_identity, EmailIdentity=given["domain"]) or {}
        below = given["mail_from"]
        mail_from = [
            {"name": below, "type": "MX", "value": f"10 feedback-smtp.{self.client.meta.region_name}.amazonses.com"},
            {"name": below, "type": "TXT", "value": '"v=spf1 include:amazonses.com ~all"'},
        ]
        return {
            "dkim_records": [
                {"name": f"{token}._domainkey.{given['domain']}", "type": "CNAME", "value": f"{token}.dkim.amazonses.com"}
                for token in (identity.get("DkimAttributes") or {}).get("Tokens") or []
            ],
            "mail_from_records": mail_from if below else [],
            "verified": bool(identity.get("VerifiedForSendingStatus")),
            "sandbox": self._sandbox(),
        }

    def _sandbox(self) -> bool | None:
        """Nice to know: whoever may not ask is not stopped."""
        try:
            production = self.client.get_account(aws_retry=True).get("ProductionAccessEnabled")
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
            return None
        return None if production is None else not production


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "domain": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "configuration_set": {"type": "str", "required": True},
            "mail_from": {"type": "str", "default": ""},
            "topic_arn": {"type": "str", "default": ""},
            "events": {"type": "list", "elements": "str", "default": ["BOUNCE", "COMPLAINT"]},
            "owner": {"type": "dict", "default": {}},
            "tags": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    given = module.params
    if given["mail_from"] and not given["mail_from"].endswith("." + given["domain"]):
        module.fail_json(
            msg=f"mail_from: found {given['mail_from']}, expected a domain below {given['domain']}; write for example bounce.{given['domain']}")  # fmt: skip
    try:
        ses = Ses(module)
        (ses.present if given["state"] == "present" else ses.absent)()
        told = ses.told()
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as exc:
        module.fail_json_aws(exc, msg=f"the domain {given['domain']} of SES could not be brought to {given['state']}")
    module.exit_json(changed=bool(ses.before), diff={"before": ses.before, "after": ses.after}, **told)


if __name__ == "__main__":
    main()
