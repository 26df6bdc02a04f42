"""The Auto Scaling groups of a stack: made once, a changed window changes its own actions, and nothing is left."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.aws import Aws, outcome

BOOK = Path(__file__).with_name("aws_asg.yml")
STACK = """\
plugin: trust.stack.stack
stack: shop
provider: ec2
region: eu-west-1
zones: [a, b]
layers:
  lb: {{instances: 2, failover: route53}}
  app:
    instances: 2
    scaling: asg
    most: 6
    class: {app}
    schedule:
      time_zone: Europe/Dublin
      ready_by: false
      except: ["2026-12-25"]
      windows:
        - {{name: rush, days: [fri], from: "09:30", to: "12:00", instances: {rush}}}
        - {{name: sale, at: "2026-12-15 10:00", for: 90 min, instances: 6}}
  worker: {worker}
  database: {{managed: rds}}
  redis: {{managed: elasticache}}
  memcached: {{managed: elasticache}}
  mail: {{managed: ses, domain: example.com}}
  monitor: 1
"""
BY_LOAD = "{instances: 2, scaling: asg, most: 5, load: {Enable: true, UpScaling: {CpuThreshold: 80, BacklogThreshold: 50}}}"


@pytest.fixture(scope="module")
def play(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("asg")
    ec2 = aws.client("ec2")
    subnets = {one["AvailabilityZone"][-1]: one["SubnetId"] for one in ec2.describe_subnets()["Subnets"] if one["AvailabilityZone"][-1] in "ab"}
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]

    def run(*words: str, rush: int = 5, app: str = "m7g.large", worker: str = BY_LOAD, **said: Any) -> tuple[int, str]:
        """How much changed (-1: it was refused), and what was said."""
        (folder / "stack.yml").write_text(STACK.format(rush=rush, app=app, worker=worker))
        given = {"stack_file": f"{folder}/stack.yml", "state_dir": str(folder), "subnets": subnets, "security_groups": {"app": group, "worker": group}}
        done = aws.play(BOOK, "-e", json.dumps({f"aws_asg_{key}": value for key, value in (given | said).items()}), *words)
        return outcome(done)

    return run


def groups(aws: Aws) -> dict[str, dict[str, Any]]:
    return {one["AutoScalingGroupName"]: one for one in aws.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]}


def actions(aws: Aws) -> dict[str, tuple[Any, ...]]:
    """Desired size, cron text, zone, first and last time of each."""
    found = aws.client("autoscaling").describe_scheduled_actions()["ScheduledUpdateGroupActions"]

    def time(one: dict[str, Any], key: str) -> str:
        return f"{one[key]:%m-%d %H:%M}" if key in one else ""

    return {
        one["ScheduledActionName"].removeprefix("shop-app-"):
            (one.get("DesiredCapacity"), one.get("Recurrence", ""), one.get("TimeZone", ""), time(one, "StartTime"), time(one, "EndTime"))
        for one in found}  # fmt: skip


WANTED = {
    "fri-0930-europe-dublin": (3, "30 9 * * 5", "Europe/Dublin", "", "12-18 09:31"),
    "fri-0930-europe-dublin-from-20270101": (3, "30 9 * * 5", "Europe/Dublin", "01-01 09:30", ""),
    "fri-1200-europe-dublin": (0, "0 12 * * 5", "Europe/Dublin", "", ""),
    "once-20261215T1000Z": (4, "", "", "12-15 10:00", ""),
    "once-20261215T1130Z": (0, "", "", "12-15 11:30", ""),
}


def test_they_are_made_once(aws: Aws, play: Any) -> None:
    changed, said = play("--check")
    assert changed > 0, said[-3000:]
    assert groups(aws) == {}
    changed, said = play()
    assert changed > 0, said[-3000:]
    made = groups(aws)
    assert {name: (one["MinSize"], one["DesiredCapacity"], one["MaxSize"]) for name, one in made.items()} == {"shop-app": (0, 0, 4), "shop-worker": (1, 1, 3)}
    assert actions(aws) == WANTED
    assert play("--check")[0] == 0
    changed, said = play()
    assert changed == 0, said[-3000:]


def test_hooks_targets_and_machines(aws: Aws, play: Any) -> None:
    asking = aws.client("autoscaling")
    for name in ("shop-app", "shop-worker"):
        hooks = asking.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]
        assert {(one["LifecycleHookName"], one["LifecycleTransition"], one["DefaultResult"], one["HeartbeatTimeout"]) for one in hooks} == {
            ("setup", "autoscaling:EC2_INSTANCE_LAUNCHING", "ABANDON", 1200), ("drain", "autoscaling:EC2_INSTANCE_TERMINATING", "CONTINUE", 900)}  # fmt: skip
    policies = {one["PolicyName"]: one["TargetTrackingConfiguration"] for one in asking.describe_policies()["ScalingPolicies"]}
    assert {name: (one["TargetValue"], one["DisableScaleIn"]) for name, one in policies.items()} == {
        "shop-worker-cpu": (55.0, False), "shop-worker-backlog": (50.0, True)}  # fmt: skip
    # The worker that came with the group waits to be set up: its hook was there before it.
    worker = groups(aws)["shop-worker"]["Instances"][0]
    assert worker["LifecycleState"] == "Pending:Wait"
    here = aws.client("ec2").describe_instances(InstanceIds=[worker["InstanceId"]])["Reservations"][0]["Instances"][0]
    tags = {one["Key"]: one["Value"] for one in here["Tags"] if not one["Key"].startswith("aws:")}
    assert tags == {"Name": "shop-worker-asg", "layer": "worker", "managed-by": "trust.stack", "stack": "shop", "type": "asg"}
    assert (here["InstanceType"], here["KeyName"], here["ImageId"]) == ("t4g.medium", "shop", "ami-0deb1a13a64000002")


def test_a_changed_window_changes_its_own_action(aws: Aws, play: Any) -> None:
    asking = aws.client("autoscaling")
    asking.put_scheduled_update_group_action(AutoScalingGroupName="shop-app", ScheduledActionName="by-hand", Recurrence="0 1 * * *", DesiredCapacity=1)
    changed, said = play(rush=4)
    assert changed == 1, said[-3000:]
    assert actions(aws) == WANTED | {name: (2, *WANTED[name][1:]) for name in ("fri-0930-europe-dublin", "fri-0930-europe-dublin-from-20270101")}


def test_the_size_follows_the_clock_and_each_change_is_one(aws: Aws, play: Any) -> None:
    # Both to another kind of processor, since they run one release.
    fewer = BY_LOAD.replace(", BacklogThreshold: 50", "").replace("most: 5", "most: 5, class: m7i.xlarge")
    changed, said = play(now="2026-12-11T10:00:00Z", app="m7i.large", worker=fewer)
    assert changed == 6, said[-3000:]  # app: size and actions; worker: one target less; each: template, and its version in the group
    app, worker = (groups(aws)[name] for name in ("shop-app", "shop-worker"))
    assert (app["DesiredCapacity"], {one["LifecycleState"] for one in app["Instances"]}) == (3, {"Pending:Wait"})
    assert [one["PolicyName"] for one in aws.client("autoscaling").describe_policies()["ScalingPolicies"]] == ["shop-worker-cpu"]
    for group, size in ((app, "m7i.large"), (worker, "m7i.xlarge")):
        template = group["LaunchTemplate"]
        found = aws.client("ec2").describe_launch_template_versions(LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]])
        data = found["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        assert (template["Version"], data["InstanceType"], data["ImageId"]) == ("2", size, "ami-0deb1a13a64000003")


def test_a_layer_that_no_longer_scales_so_loses_its_group(aws: Aws, play: Any) -> None:
    changed, said = play(worker="{instances: 2}", now="2026-12-11T10:00:00Z")
    assert changed > 0, said[-3000:]
    assert list(groups(aws)) == ["shop-app"]
    assert [one["LaunchTemplateName"] for one in aws.client("ec2").describe_launch_templates()["LaunchTemplates"]] == ["shop-app"]


def test_nothing_is_left_and_a_foreign_group_stays(aws: Aws, play: Any) -> None:
    assert play(state="absent")[0] > 0
    assert (groups(aws), actions(aws)) == ({}, {})
    assert aws.client("ec2").describe_launch_templates()["LaunchTemplates"] == []
    states = {one["State"]["Name"] for found in aws.client("ec2").describe_instances()["Reservations"] for one in found["Instances"]}
    assert states <= {"terminated"}
    assert play(state="absent")[0] == 0
    asking = aws.client("autoscaling")
    asking.create_launch_configuration(LaunchConfigurationName="theirs", ImageId="ami-0deb1a13a64000001", InstanceType="t3.micro")
    asking.create_auto_scaling_group(
        AutoScalingGroupName="shop-app", LaunchConfigurationName="theirs", MinSize=0, MaxSize=1, AvailabilityZones=["eu-west-1a"],
        Tags=[{"Key": "stack", "Value": "other"}])  # fmt: skip
    for said in ({}, {"state": "absent"}):
        changed, output = play(**said)
        assert changed == -1
        assert re.search(r"Auto Scaling group shop-app is not this stack's: found tags .*other.* expected stack: shop .* give this stack another name", output)
    assert list(groups(aws)) == ["shop-app"]
    assert aws.client("ec2").describe_launch_templates()["LaunchTemplates"] == []
