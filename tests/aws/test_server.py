"""The server's own word: a refusal is understood in every protocol, and strikes only what it was asked for."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import create_parser
from refusal import refusal
from support.aws import Aws

# One call of each protocol, what it is found by, and how AWS calls credentials that are too old there.
CALLS: dict[str, tuple[str, str, dict[str, Any], str, str]] = {
    "query": ("elasticache", "describe_cache_clusters", {}, "Action=DescribeCacheClusters", "ExpiredToken"),
    "ec2": ("ec2", "describe_instances", {}, "Action=DescribeInstances", "RequestExpired"),
    "json": ("secretsmanager", "list_secrets", {}, "secretsmanager.ListSecrets", "ExpiredTokenException"),
    "json 1.0": ("cloudwatch", "describe_alarms", {}, "GraniteServiceVersion20100801.DescribeAlarms", "ExpiredTokenException"),
    "rest-json": ("sesv2", "list_email_identities", {}, "POST /v2/email/", "ExpiredTokenException"),
    "rest-xml": ("route53", "list_hosted_zones", {}, "GET /2013-04-01/hostedzone", "ExpiredToken"),
    "s3": ("s3", "list_objects_v2", {"Bucket": "a-bucket"}, "/a-bucket", "ExpiredToken"),
}


@pytest.mark.parametrize("protocol", CALLS)
def test_a_refusal_is_shown_with_its_code_once_and_only_where_it_was_asked_for(aws: Aws, protocol: str) -> None:
    service, call, words, match, code = CALLS[protocol]
    client = aws.client(service)
    if service == "s3":
        client.create_bucket(Bucket="a-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    aws.fault({"match": match, "times": 1, "code": code})
    with pytest.raises(ClientError) as refused:
        getattr(client, call)(**words)
    assert refused.value.response["Error"] == {"Code": code, "Message": "asked for by the test"} | (
        {"Type": "Sender"} if protocol in ("query", "rest-xml") else {})  # fmt: skip
    getattr(client, call)(**words)  # spent
    aws.fault({"match": "Action=SomethingElse", "times": 1, "code": code})
    getattr(client, call)(**words)
    aws.fault()


def test_a_refusal_in_cbor_is_one_too() -> None:
    """No client asks in it yet as long as it may ask in JSON; botocore can read it."""
    headers, body = refusal({"HTTP_SMITHY_PROTOCOL": "rpc-v2-cbor"}, "ExpiredTokenException")
    read = create_parser("smithy-rpc-v2-cbor").parse({"headers": dict(headers), "body": body, "status_code": 400}, None)
    assert (read["Error"]["Code"], read["Error"]["Message"]) == ("ExpiredTokenException", "asked for by the test")
