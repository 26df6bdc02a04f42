"""What each layer may do on AWS: no file gives more than it must, and IAM has what the files say, nothing of others touched."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import boto3
import jinja2
import pytest
import yaml
from support.aws import ROOT, Aws, outcome

ROLE, BOOK = ROOT / "roles/aws_access", Path(__file__).with_name("aws_access.yml")
ACCOUNT = "123456789012"
HERE, CONTROL = f"eu-west-1:{ACCOUNT}", f"arn:aws:iam::{ACCOUNT}:policy/shop-control"
SAID = {
    "aws_access_stack": "shop", "aws_access_region": "eu-west-1", "aws_access_bucket": "shop-files", "aws_access_mail_domain": "tickets.example.com",
    "__aws_access_account": ACCOUNT, "__aws_access_partition": "aws",
}  # fmt: skip
BUCKET, EVERYTHING = "arn:aws:s3:::shop-files", "*"


def only(actions: str, *resources: str) -> dict[str, set[str]]:
    return {action: set(resources) for action in actions.split()}


EXPORTS = only("s3:GetObject s3:PutObject", f"{BUCKET}/exports/*")
# layer: action: on what at most. AWS has no resources for those with *, see the Service Authorization Reference.
MAY: dict[str, dict[str, set[str]]] = {
    "app": EXPORTS,
    "worker": EXPORTS | only(
        "ses:SendEmail ses:SendRawEmail", f"arn:aws:ses:{HERE}:identity/tickets.example.com", f"arn:aws:ses:{HERE}:configuration-set/shop-mail"),
    "monitor": only("cloudwatch:PutMetricData", EVERYTHING) | only("sns:Publish", f"arn:aws:sns:{HERE}:shop-alarms"),
    "control": only("ec2:DescribeInstances ec2:DescribeInstanceStatus autoscaling:DescribeAutoScalingGroups", EVERYTHING)
    | only("autoscaling:CompleteLifecycleAction autoscaling:RecordLifecycleActionHeartbeat",
           f"arn:aws:autoscaling:{HERE}:autoScalingGroup:*:autoScalingGroupName/shop-*")
    | only("cloudwatch:GetMetricData cloudwatch:GetMetricStatistics cloudwatch:ListMetrics", EVERYTHING)
    | only("ec2:StartInstances ec2:StopInstances", f"arn:aws:ec2:{HERE}:instance/*")
    | only("s3:GetObject s3:PutObject", f"{BUCKET}/releases/*")
    | only("s3:ListBucket", BUCKET)
    | only("ssm:GetParameter ssm:GetParametersByPath ssm:ListTagsForResource", f"arn:aws:ssm:{HERE}:parameter/shop", f"arn:aws:ssm:{HERE}:parameter/shop/*"),
}  # fmt: skip
# What the resources leave open is closed by a condition.
ONLY_IF = {
    "cloudwatch:PutMetricData": {"StringEquals": {"cloudwatch:namespace": "TrustStack"}},
    "autoscaling:CompleteLifecycleAction": {"StringEquals": {"aws:ResourceTag/stack": "shop"}},
    "autoscaling:RecordLifecycleActionHeartbeat": {"StringEquals": {"aws:ResourceTag/stack": "shop"}},
    "ec2:StartInstances": {"StringEquals": {"aws:ResourceTag/stack": "shop"}},
    "ec2:StopInstances": {"StringEquals": {"aws:ResourceTag/stack": "shop"}},
    "s3:ListBucket": {"StringLike": {"s3:prefix": "releases/*"}},
}
OTHER_NAMES = {"s3:ListBucket": "ListObjectsV2"}  # IAM's name: the call's


def rendered(layer: str, **said: Any) -> dict[str, Any]:
    folder = jinja2.FileSystemLoader(ROLE / "templates")
    template = jinja2.Environment(loader=folder, undefined=jinja2.StrictUndefined, trim_blocks=True).get_template(f"{layer}.json.j2")
    return json.loads(template.render(SAID | said))


def calls(service: str) -> set[str]:
    clients = [boto3.client(name, region_name="eu-west-1") for name in ([service, "sesv2"] if service == "ses" else [service])]
    return {call for client in clients for call in client.meta.service_model.operation_names}


def several(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def too_much(layer: str, policy: dict[str, Any]) -> list[str]:
    """What is wrong with a policy, in words."""
    found = []
    for statement in policy["Statement"]:
        if set(statement) - {"Sid", "Effect", "Action", "Resource", "Condition"} or statement["Effect"] != "Allow":
            found.append(f"{sorted(statement)} {statement['Effect']}")
        for action in several(statement.get("Action", [])):
            service, _, call = action.partition(":")
            if "*" in action or "?" in action:
                found.append(f"{action} is many")
            elif OTHER_NAMES.get(action, call) not in calls(service):
                found.append(f"{action} does not exist")
            wide = set(several(statement.get("Resource", EVERYTHING))) - MAY[layer].get(action, set())
            found += [f"{action} on {one}" for one in sorted(wide)]
            if statement.get("Condition", {}) != ONLY_IF.get(action, {}):
                found.append(f"{action} if {statement.get('Condition')}")
    return found


FILES = sorted(path.name.removesuffix(".json.j2") for path in (ROLE / "templates").iterdir())


@pytest.mark.parametrize("layer", FILES)
def test_no_file_gives_more_than_the_layer_must_have(layer: str) -> None:
    policy = rendered(layer)
    assert policy["Version"] == "2012-10-17"
    assert too_much(layer, policy) == []
    given = {action for statement in policy["Statement"] for action in several(statement["Action"])}
    assert given == set(MAY[layer])
    without = rendered(layer, aws_access_bucket="", aws_access_mail_domain="")
    assert not re.search("s3|ses:", json.dumps(without)) and too_much(layer, without) == []


def test_the_role_knows_of_every_file() -> None:
    assert sorted(yaml.safe_load((ROLE / "vars/main.yml").read_text())["__aws_access_known"]) == [one for one in FILES if one != "control"]


@pytest.mark.parametrize(("layer", "wider"), [
    ("app", {"Action": "*"}),
    ("app", {"Action": "s3:*"}),
    ("app", {"Action": ["s3:GetObject", "s3:PutObject", "s3:Get*"]}),
    ("app", {"Action": ["s3:GetObject", "s3:DeleteObject"]}),
    ("app", {"Action": ["s3:GetObjekt"]}),
    ("app", {"Resource": "*"}),
    ("app", {"Resource": "arn:aws:s3:::*/exports/*"}),
    ("app", {"Resource": [f"{BUCKET}/exports/*", f"{BUCKET}/releases/*"]}),
    ("app", {"NotAction": "s3:DeleteBucket"}),
    ("monitor", {"Condition": {}}),
    ("monitor", {"Condition": {"StringLike": {"cloudwatch:namespace": "*"}}}),
    ("monitor", {"Action": ["cloudwatch:PutMetricData", "cloudwatch:PutMetricAlarm"]}),
])  # fmt: skip
def test_a_wider_file_is_found(layer: str, wider: dict[str, Any]) -> None:
    policy = rendered(layer)
    policy["Statement"][0] |= wider
    assert too_much(layer, policy)


@pytest.fixture(scope="module")
def play(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = tmp_path_factory.mktemp("made") / "made.json"

    def run(*words: str, **said: Any) -> tuple[int, str, dict[str, Any]]:
        """How much changed (-1: it was refused), what was said, and what the role published."""
        given = {"made": str(file)} | {f"aws_access_{key}" if key != "show" else key: value for key, value in said.items()}
        done = aws.play(BOOK, "-e", json.dumps(given), *words)
        return *outcome(done), json.loads(file.read_text()) if done.returncode == 0 and "--check" not in words else {}

    return run


def there(aws: Aws) -> tuple[list[str], list[str], list[str]]:
    iam = aws.client("iam")
    return (
        sorted(one["RoleName"] for one in iam.list_roles()["Roles"]),
        sorted(one["InstanceProfileName"] for one in iam.list_instance_profiles()["InstanceProfiles"]),
        [one["PolicyName"] for one in iam.list_policies(Scope="Local")["Policies"]])  # fmt: skip


NAMES = ["shop-app", "shop-monitor", "shop-worker"]


def test_each_layer_with_rights_has_a_role_and_only_those(aws: Aws, play: Any) -> None:
    changed, said, _made = play("--check", layers=["monitor"])
    assert changed == 2 and there(aws) == ([], [], []), said[-3000:]
    changed, said, made = play(show=True)
    assert (changed, there(aws)) == (3, (NAMES, NAMES, [])), said[-3000:]
    assert made["profiles"] == {"app": "shop-app", "worker": "shop-worker", "monitor": "shop-monitor"}
    assert made["control"] == {"arn": "", "policy": rendered("control")}
    assert "aws:ResourceTag/stack" in said  # shown
    iam = aws.client("iam")
    for name in NAMES:
        layer, role = name.removeprefix("shop-"), iam.get_role(RoleName=name)["Role"]
        assert role["AssumeRolePolicyDocument"]["Statement"] == [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]  # fmt: skip
        assert {one["Key"]: one["Value"] for one in role["Tags"]} == {
            "stack": "shop", "region": "eu-west-1", "managed-by": "trust.stack", "layer": layer, "Name": name}  # fmt: skip
        assert iam.list_role_policies(RoleName=name)["PolicyNames"] == [name]
        policy = iam.get_role_policy(RoleName=name, PolicyName=name)["PolicyDocument"]
        assert policy == rendered(layer) == made["policies"][layer]
        assert [one["RoleName"] for one in iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]] == [name]


def test_a_layer_that_loses_its_rights_loses_its_role_and_what_was_added_by_hand_goes(aws: Aws, play: Any) -> None:
    iam = aws.client("iam")
    iam.put_role_policy(RoleName="shop-worker", PolicyName="by-hand", PolicyDocument=json.dumps(rendered("control")))
    iam.attach_role_policy(RoleName="shop-worker", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    fewer = {"control": True, "bucket": "", "layers": ["lb", "app", "worker"]}
    changed, said, made = play(**fewer)
    # Two roles and their profiles, three policies of the worker, and the one that was asked for.
    assert (changed, there(aws)) == (8, (["shop-worker"], ["shop-worker"], ["shop-control"])), said[-3000:]
    assert made["profiles"] == {"worker": "shop-worker"}
    assert iam.list_role_policies(RoleName="shop-worker")["PolicyNames"] == ["shop-worker"]
    assert iam.list_attached_role_policies(RoleName="shop-worker")["AttachedPolicies"] == []
    policy = iam.get_role_policy(RoleName="shop-worker", PolicyName="shop-worker")["PolicyDocument"]
    assert [one["Sid"] for one in policy["Statement"]] == ["Mails"]
    assert made["control"]["arn"] == CONTROL
    document = iam.get_policy_version(PolicyArn=CONTROL, VersionId="v1")["PolicyVersion"]["Document"]
    assert document == rendered("control", aws_access_bucket="")
    assert play(**fewer)[0] == 0


def test_what_is_somebody_elses_is_refused_and_not_touched(aws: Aws, play: Any) -> None:
    iam = aws.client("iam")
    iam.create_instance_profile(InstanceProfileName="shop-monitor")
    iam.tag_policy(PolicyArn=CONTROL, Tags=[{"Key": "stack", "Value": "shop2"}])
    iam.tag_role(RoleName="shop-worker", Tags=[{"Key": "region", "Value": "us-east-1"}])
    before = there(aws)
    changed, said, _made = play(state="absent")
    assert changed == -1
    for text in ("role shop-worker with the tags", "instance profile shop-monitor with the tags {}", "policy shop-control with the tags"):
        assert text in said
    assert "expected the tags stack=shop and region=eu-west-1" in said
    assert there(aws) == before
    iam.delete_instance_profile(InstanceProfileName="shop-monitor")
    iam.tag_policy(PolicyArn=CONTROL, Tags=[{"Key": "stack", "Value": "shop"}])
    iam.tag_role(RoleName="shop-worker", Tags=[{"Key": "region", "Value": "eu-west-1"}])


def test_nothing_is_left(aws: Aws, play: Any) -> None:
    aws.client("iam").create_role(RoleName="shop2-app", AssumeRolePolicyDocument="{}")
    changed, said, made = play(state="absent")
    assert (changed, there(aws), made) == (3, (["shop2-app"], [], []), {}), said[-3000:]
    assert play(state="absent")[0] == 0
