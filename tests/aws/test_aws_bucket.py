"""The bucket of a stack on AWS: closed and tidy, foretold by hand since its modules cannot, and never gone with what it holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.aws import Aws, outcome

BOOK = Path(__file__).with_name("aws_bucket.yml")
NAME = "shop-123456789012-eu-west-1"


@pytest.fixture(scope="module")
def play(aws: Aws) -> Any:
    def run(*words: str, **said: Any) -> tuple[int, str]:
        """How much changed (-1: it was refused), and what was said."""
        done = aws.play(BOOK, "-e", json.dumps({f"aws_bucket_{key}": value for key, value in said.items()}), *words)
        return outcome(done)

    return run


def buckets(aws: Aws) -> list[str]:
    return [one["Name"] for one in aws.client("s3").list_buckets()["Buckets"]]


def rules(aws: Aws) -> dict[str, Any]:
    return {one["ID"]: one for one in aws.client("s3").get_bucket_lifecycle_configuration(Bucket=NAME)["Rules"]}


def test_it_is_foretold_and_made_once_closed_and_tidy(aws: Aws, play: Any) -> None:
    changed, said = play("--check")
    assert (changed, buckets(aws)) == (1, []), said[-3000:]
    assert f"The bucket {NAME} would be made" in said, said[-2500:]
    changed, said = play()
    assert (changed, buckets(aws)) == (2, [NAME]), said[-3000:]
    assert f'"arn": "arn:aws:s3:::{NAME}"' in said, said[-2500:]
    s3 = aws.client("s3")
    assert s3.get_bucket_location(Bucket=NAME)["LocationConstraint"] == "eu-west-1"
    assert set(s3.get_public_access_block(Bucket=NAME)["PublicAccessBlockConfiguration"].values()) == {True}
    encryption = s3.get_bucket_encryption(Bucket=NAME)["ServerSideEncryptionConfiguration"]["Rules"]
    assert [one["ApplyServerSideEncryptionByDefault"] for one in encryption] == [{"SSEAlgorithm": "AES256"}]
    assert s3.get_bucket_ownership_controls(Bucket=NAME)["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert "Status" not in s3.get_bucket_versioning(Bucket=NAME)
    statement = json.loads(s3.get_bucket_policy(Bucket=NAME)["Policy"])["Statement"]
    assert [(one["Effect"], one["Principal"], one["Action"], one["Resource"], one["Condition"]) for one in statement] == [
        ("Deny", "*", "s3:*", [f"arn:aws:s3:::{NAME}", f"arn:aws:s3:::{NAME}/*"], {"Bool": {"aws:SecureTransport": "false"}})]  # fmt: skip
    found = rules(aws)
    assert {name: (one["Filter"], one.get("Expiration")) for name, one in found.items()} == {
        "exports": ({"Prefix": "exports/"}, {"Days": 7}), "releases": ({"Prefix": "releases/"}, None)}  # fmt: skip
    assert all(one["Status"] == "Enabled" and one["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1} for one in found.values())
    assert {one["Key"]: one["Value"] for one in s3.get_bucket_tagging(Bucket=NAME)["TagSet"]} == {
        "stack": "shop", "managed-by": "trust.stack", "Name": NAME}  # fmt: skip


def test_a_second_run_changes_nothing_and_check_mode_says_so(play: Any) -> None:
    assert play()[0] == 0
    assert play("--check")[0] == 0


def test_each_difference_is_foretold_and_mended(aws: Aws, play: Any) -> None:
    s3 = aws.client("s3")
    s3.put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Enabled"})
    s3.delete_bucket_policy(Bucket=NAME)
    s3.put_public_access_block(Bucket=NAME, PublicAccessBlockConfiguration={"BlockPublicAcls": False, "RestrictPublicBuckets": True})
    s3.put_bucket_ownership_controls(Bucket=NAME, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3.put_bucket_encryption(Bucket=NAME, ServerSideEncryptionConfiguration={
        "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]})  # fmt: skip
    s3.put_bucket_tagging(Bucket=NAME, Tagging={"TagSet": [{"Key": "stack", "Value": "shop"}]})
    changed, said = play("--check", exports_days=3)
    assert changed == 1
    assert "would be changed: tags, encryption, versioning, public access, owner of objects, policy, rule exports" in said, said[-2500:]
    assert rules(aws)["exports"]["Expiration"] == {"Days": 7}
    assert play(exports_days=3)[0] == 2
    assert rules(aws)["exports"]["Expiration"] == {"Days": 3}
    changed, said = play("--check", exports_days=3)
    assert changed == 0, said[-2000:]


def test_what_is_somebody_elses_is_refused_and_not_touched(aws: Aws, play: Any) -> None:
    s3 = aws.client("s3")
    aws.fault({"match": "/of-another-account", "times": 99, "status": 403, "code": "AccessDenied"})
    changed, said = play("--check", name="of-another-account")
    aws.fault()
    assert changed == -1
    assert "a bucket of-another-account that is not in account 123456789012: found the answer 403, expected 404" in said, said[-2500:]
    s3.create_bucket(Bucket="of-this-account", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for state in ("present", "absent"):
        changed, said = play(name="of-this-account", state=state, purge=True)
        assert changed == -1
        assert "a bucket of-this-account without the tag stack=shop: found the tags {}" in said, said[-2500:]
    changed, said = play(region="us-west-2", name=NAME)
    assert changed == -1 and f"The bucket {NAME} is in eu-west-1, expected us-west-2" in said, said[-2500:]
    assert sorted(buckets(aws)) == ["of-this-account", NAME]


def test_it_goes_with_what_it_holds_only_if_that_was_said(aws: Aws, play: Any) -> None:
    s3 = aws.client("s3")
    for key in ("exports/a.csv", "exports/b.csv", "releases/0a1b.tar", "readme"):
        s3.put_object(Bucket=NAME, Key=key, Body=b"x")
    changed, said = play(state="absent")
    assert changed == -1
    assert f"The bucket {NAME} is not empty: found elsewhere: 1, exports/: 2, releases/: 1; expected nothing" in said, said[-2500:]
    assert NAME in buckets(aws) and len(s3.list_objects_v2(Bucket=NAME)["Contents"]) == 4
    with pytest.raises(s3.exceptions.ClientError, match="BucketNotEmpty"):  # or the removal below would prove nothing
        s3.delete_bucket(Bucket=NAME)
    changed, said = play("--check", state="absent", purge=True)
    assert (changed, NAME in buckets(aws)) == (1, True), said[-2000:]
    assert len(s3.list_objects_v2(Bucket=NAME)["Contents"]) == 4
    assert play(state="absent", purge=True)[0] == 1
    assert buckets(aws) == ["of-this-account"]
    assert play(state="absent")[0] == 0
