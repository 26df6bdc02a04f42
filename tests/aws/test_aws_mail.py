"""The mails of a stack on AWS: domain, topic and records made once, changed one by one, and nothing of anybody else's touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.aws import Aws, outcome

BOOK = Path(__file__).with_name("aws_mail.yml")
DOMAIN, TOPIC = "tickets.example.com", "arn:aws:sns:eu-west-1:123456789012:shop-mail"
DMARC = ("_dmarc.tickets.example.com.", "TXT")


@pytest.fixture(scope="module")
def play(aws: Aws) -> Any:
    def run(*words: str, **said: Any) -> tuple[int, str]:
        """How much changed (-1: it was refused), and what was said."""
        done = aws.play(BOOK, "-e", json.dumps({f"aws_mail_{key}": value for key, value in said.items()}), *words)
        return outcome(done)

    return run


@pytest.fixture(scope="module")
def zone(aws: Aws) -> str:
    """The zone above the domain, between others that must not be taken for it."""
    dns = aws.client("route53")
    dns.create_hosted_zone(Name="notexample.com", CallerReference="1")
    dns.create_hosted_zone(
        Name=DOMAIN, CallerReference="2", HostedZoneConfig={"PrivateZone": True}, VPC={"VPCRegion": "eu-west-1", "VPCId": vpc(aws)})  # fmt: skip
    return dns.create_hosted_zone(Name="example.com", CallerReference="3")["HostedZone"]["Id"]


def vpc(aws: Aws) -> str:
    return aws.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]


def records(aws: Aws, zone: str) -> dict[tuple[str, str], str]:
    """All but the zone's own."""
    found = aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return {(one["Name"], one["Type"]): one["ResourceRecords"][0]["Value"] for one in found if one["Type"] not in ("NS", "SOA")}


def write(aws: Aws, zone: str, action: str, name: str, value: str) -> None:
    one = {"Name": name, "Type": "TXT", "TTL": 300, "ResourceRecords": [{"Value": value}]}
    aws.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": one}]})


def there(aws: Aws) -> tuple[list[str], list[str], list[str]]:
    ses = aws.client("sesv2")
    identities = [one["IdentityName"] for one in ses.list_email_identities()["EmailIdentities"]]
    return identities, ses.list_configuration_sets()["ConfigurationSets"], [one["TopicArn"] for one in aws.client("sns").list_topics()["Topics"]]


def listeners(aws: Aws) -> list[str]:
    return [one["Endpoint"] for one in aws.client("sns").list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]]


def test_it_is_foretold_made_once_and_proven_by_records(aws: Aws, play: Any, zone: str) -> None:
    changed, said = play("--check")
    assert (changed, there(aws), records(aws, zone)) == (3, ([], [], []), {}), said[-3000:]
    changed, said = play()
    assert (changed, there(aws)) == (4, ([DOMAIN], ["shop-mail"], [TOPIC])), said[-3000:]
    assert "SES is in its sandbox" in said and "Enter where its records are kept" not in said
    ses = aws.client("sesv2")
    identity = ses.get_email_identity(EmailIdentity=DOMAIN)
    assert identity["ConfigurationSetName"] == "shop-mail"
    assert {"Key": "stack", "Value": "shop"} in identity["Tags"]
    dkim = {(f"{one}._domainkey.{DOMAIN}.", "CNAME"): f"{one}.dkim.amazonses.com" for one in identity["DkimAttributes"]["Tokens"]}
    bounce = f"bounce.{DOMAIN}."
    spf = '"v=spf1 include:amazonses.com ~all"'
    assert records(aws, zone) == dkim | {
        (bounce, "MX"): "10 feedback-smtp.eu-west-1.amazonses.com", (bounce, "TXT"): spf, DMARC: '"v=DMARC1; p=none"'}  # fmt: skip
    told = ses.get_configuration_set_event_destinations(ConfigurationSetName="shop-mail")["EventDestinations"][0]
    assert (told["SnsDestination"]["TopicArn"], told["MatchingEventTypes"], told["Enabled"]) == (TOPIC, ["BOUNCE", "COMPLAINT"], True)
    policy = json.loads(aws.client("sns").get_topic_attributes(TopicArn=TOPIC)["Attributes"]["Policy"])
    assert [one["Condition"] for one in policy["Statement"] if one["Principal"] == {"Service": "ses.amazonaws.com"}] == [
        {"StringEquals": {"AWS:SourceAccount": "123456789012"}}]  # fmt: skip
    assert listeners(aws) == ["https://tickets.example.com/hooks/ses"]
    assert play()[0] == 0
    assert play("--check")[0] == 0


def test_what_differs_is_changed_and_nothing_else(aws: Aws, play: Any, zone: str) -> None:
    aws.client("sesv2").delete_configuration_set_event_destination(ConfigurationSetName="shop-mail", EventDestinationName="feedback")
    aws.fault({"match": "/v2/email/account", "times": 9, "status": 400, "code": "AccessDeniedException"})
    before = records(aws, zone)
    changed, said = play(hook_url="https://other.example.com/ses")  # the listener, and what was lost
    aws.fault()
    assert changed == 2, said[-3000:]
    assert listeners(aws)[-1] == "https://other.example.com/ses"
    assert len(aws.client("sesv2").get_configuration_set_event_destinations(ConfigurationSetName="shop-mail")["EventDestinations"]) == 1
    assert records(aws, zone) == before
    assert "sandbox" not in said  # SES did not say so
    changed, said = play(hook_url="http://tickets.example.com/hooks/ses")
    assert changed == -1 and "found http://tickets.example.com/hooks/ses, expected an address with https://" in said


def test_nothing_is_left_but_what_others_wrote(aws: Aws, play: Any, zone: str) -> None:
    write(aws, zone, "UPSERT", DMARC[0], '"v=DMARC1; p=reject"')
    assert play()[0] == 1  # the listener, back again
    changed, said = play(state="absent")
    assert (changed, there(aws)) == (3, ([], [], [])), said[-3000:]
    assert records(aws, zone) == {DMARC: '"v=DMARC1; p=reject"'}
    assert play(state="absent")[0] == 0


def test_what_is_somebody_elses_is_refused_and_not_touched(aws: Aws, play: Any, zone: str) -> None:
    write(aws, zone, "UPSERT", f"bounce.{DOMAIN}.", '"v=spf1 -all"')
    before = records(aws, zone)
    changed, said = play()
    assert changed == -1 and 'found \\"v=spf1 -all\\", expected \\"v=spf1 include:amazonses.com ~all\\" or none' in said
    assert (there(aws), records(aws, zone)) == (([], [], []), before)
    aws.client("sesv2").create_email_identity(EmailIdentity=DOMAIN, Tags=[{"Key": "stack", "Value": "shop2"}])
    for state in ("present", "absent"):
        changed, said = play(state=state)
        assert changed == -1 and f"the identity {DOMAIN} of somebody else" in said
    assert (there(aws), records(aws, zone)) == (([DOMAIN], [], []), before)
    aws.client("sns").create_topic(Name="shop-mail")
    changed, said = play(state="absent")
    assert changed == -1 and "SNS has a topic shop-mail without the tag stack=shop" in said
    assert there(aws) == ([DOMAIN], [], [TOPIC])


def test_without_a_zone_the_records_are_said(aws: Aws, play: Any) -> None:
    changed, said = play(domain="mail.elsewhere.org", stack="other", hook_url="")
    assert changed == 3, said[-3000:]
    tokens = aws.client("sesv2").get_email_identity(EmailIdentity="mail.elsewhere.org")["DkimAttributes"]["Tokens"]
    for record in (*(f"{one}._domainkey.mail.elsewhere.org CNAME {one}.dkim.amazonses.com" for one in tokens),
                   "bounce.mail.elsewhere.org MX 10 feedback-smtp.eu-west-1.amazonses.com", "_dmarc.mail.elsewhere.org TXT"):  # fmt: skip
        assert record in said
