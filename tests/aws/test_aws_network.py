"""The network and the instances of a stack on AWS: who may speak to whom, what is made once, what is left alone, and what is gone at the end."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.aws import Aws

BOOK = Path(__file__).with_name("aws_network.yml")
OURS = [{"Name": "tag:stack", "Values": ["shop"]}]


def changed(done: subprocess.CompletedProcess[str]) -> int:
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return int(re.search(r"changed=(\d+)", done.stdout.rpartition("PLAY RECAP")[2])[1])  # type: ignore[index]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def play(aws: Aws, state: Path) -> Any:
    return lambda *words: aws.play(BOOK, "-e", f"instance_state_dir={state}", *words)


@pytest.fixture(scope="module")
def made(aws: Aws, play: Any, state: Path) -> dict[str, Any]:
    """In an account in which a foreign instance has a name like ours; the first run was throttled, the second one changes nothing."""
    subnet = aws.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    image = aws.client("ec2").describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]
    aws.client("ec2").run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, TagSpecifications=[
        {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "shop-lb-a-1"}]}])  # fmt: skip
    assert changed(play("--check")) > 0
    assert aws.client("ec2").describe_vpcs(Filters=OURS)["Vpcs"] == []
    aws.fault({"match": "Action=RunInstances", "times": 2, "status": 503, "code": "RequestLimitExceeded"})
    assert changed(play("-e", f"made={state}/made.json")) > 10
    return json.loads((state / "made.json").read_text())


def instances(aws: Aws) -> dict[str, dict[str, Any]]:
    found = aws.client("ec2").describe_instances(Filters=OURS)["Reservations"]
    every = [one for reservation in found for one in reservation["Instances"] if one["State"]["Name"] != "terminated"]
    named = {next(tag["Value"] for tag in one["Tags"] if tag["Key"] == "Name"): one for one in every}
    assert len(named) == len(every)
    return named


def test_a_second_run_and_check_mode_change_nothing(play: Any, made: dict[str, Any]) -> None:
    assert changed(play("--check")) == 0
    assert changed(play()) == 0


def test_each_zone_has_a_public_and_a_private_subnet_with_its_own_way_out(aws: Aws, made: dict[str, Any]) -> None:
    ec2 = aws.client("ec2")
    subnets = {one["SubnetId"]: one for one in ec2.describe_subnets(Filters=OURS)["Subnets"]}
    ways_out = {one["NatGatewayId"]: subnets[one["SubnetId"]]["AvailabilityZone"] for one in ec2.describe_nat_gateways(Filters=OURS)["NatGateways"]}
    tables = {
        association["SubnetId"]: table for table in ec2.describe_route_tables(Filters=OURS)["RouteTables"] for association in table["Associations"]
        if "SubnetId" in association
    }  # fmt: skip
    for tier in ("public", "private"):
        for zone, number in made["network"]["subnets"][tier].items():
            one = subnets[number]
            assert (one["AvailabilityZone"], one["MapPublicIpOnLaunch"]) == (f"eu-west-1{zone}", tier == "public")
            out = next(route for route in tables[number]["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0")
            if tier == "public":
                assert out["GatewayId"].startswith("igw-")
            else:
                assert ways_out[out["NatGatewayId"]] == one["AvailabilityZone"]


def test_a_port_is_open_only_to_those_who_need_it(aws: Aws, made: dict[str, Any]) -> None:
    layer_of = {number: layer for layer, number in made["network"]["security_groups"].items()}
    groups = aws.client("ec2").describe_security_groups(GroupIds=list(layer_of))["SecurityGroups"]
    found = {
        (layer_of[group["GroupId"]], rule["FromPort"], source)
        for group in groups for rule in group["IpPermissions"]
        for source in [*(pair["CidrIp"] for pair in rule["IpRanges"]), *(layer_of[pair["GroupId"]] for pair in rule["UserIdGroupPairs"])]
    }  # fmt: skip
    assert all(rule["FromPort"] == rule["ToPort"] and rule["IpProtocol"] == "tcp" for group in groups for rule in group["IpPermissions"])
    assert {(to, port) for to, port, source in found if source == "0.0.0.0/0"} == {("lb", 80), ("lb", 443)}
    assert {(to, source) for to, port, source in found if port == 22} == {
        ("lb", "192.0.2.0/24"), ("monitor", "192.0.2.0/24"), *((to, "lb") for to in ("lb", "app", "worker", "memcached", "monitor"))}  # fmt: skip
    assert {source for to, _port, source in found if to == "database"} == {"app", "worker"}
    assert {source for to, port, source in found if (to, port) == ("app", 8000)} == {"lb"}
    assert {source for to, port, source in found if to in ("redis", "memcached") and port in (6379, 11211)} == {"app", "worker", "monitor"}


def test_instances_are_where_they_belong_and_those_for_later_are_off(aws: Aws, made: dict[str, Any]) -> None:
    found = instances(aws)
    assert {name: one["State"]["Name"] for name, one in found.items()} == {
        "shop-lb-a-1": "running", "shop-app-b-1": "running", "shop-app-a-2": "stopped"}  # fmt: skip
    subnets, groups = made["network"]["subnets"], made["network"]["security_groups"]
    assert {name: one["SubnetId"] for name, one in found.items()} == {
        "shop-lb-a-1": subnets["public"]["a"], "shop-app-b-1": subnets["private"]["b"], "shop-app-a-2": subnets["private"]["a"]}  # fmt: skip
    assert [one["GroupId"] for one in found["shop-app-b-1"]["SecurityGroups"]] == [groups["app"]]
    assert all(tag["Key"] != "making" for one in found.values() for tag in one["Tags"])
    # Of the two images for this machine the newer one.
    assert found["shop-lb-a-1"]["ImageId"] == "ami-0deb1a13a64000002"
    assert {name: (one["id"], one["address"]) for name, one in made["instances"].items()} == {
        name.removeprefix("shop-"): (one["InstanceId"], one["PrivateIpAddress"]) for name, one in found.items()}  # fmt: skip


def test_instances_are_started_and_stopped_by_their_ids(aws: Aws, play: Any, made: dict[str, Any]) -> None:
    ids = {name: one["id"] for name, one in made["instances"].items()}

    def power(state: str) -> int:
        return changed(play("-e", json.dumps({"part": "power", "instance_state": state, "instance_list": [{"name": "app-a-2", "id": ids["app-a-2"]}]})))

    assert power("running") == 1
    assert instances(aws)["shop-app-a-2"]["State"]["Name"] == "running"
    assert power("running") == 0
    assert power("stopped") == 1
    assert [one["State"]["Name"] for name, one in instances(aws).items()].count("running") == 2


def test_what_a_run_that_was_killed_has_left_on_is_off_after_the_next(aws: Aws, play: Any, made: dict[str, Any]) -> None:
    """As the first run leaves an instance for later when it ends between making and stopping it."""
    ec2, number = aws.client("ec2"), made["instances"]["app-a-2"]["id"]
    ec2.start_instances(InstanceIds=[number])
    assert changed(play("-e", "part=instances", "-e", json.dumps({"aws_network_made": made["network"]}))) == 0, "one that was started is left alone"
    ec2.create_tags(Resources=[number], Tags=[{"Key": "making", "Value": "yes"}])
    assert changed(play("-e", "part=instances", "-e", json.dumps({"aws_network_made": made["network"]}))) == 2
    assert instances(aws)["shop-app-a-2"]["State"]["Name"] == "stopped"


def with_list(made: dict[str, Any], instances: list[dict[str, Any]], **said: Any) -> str:
    classes = {"lb": "t4g.small", "app": "m7i.large"}
    ec2 = {"subnets": made["network"]["subnets"], "security_groups": made["network"]["security_groups"], "classes": classes} | said
    return json.dumps({"part": "instances", "instance_list": instances, "instance_ec2": ec2})


def test_what_is_no_longer_wanted_is_said_and_goes_only_when_it_is_named(aws: Aws, play: Any, made: dict[str, Any]) -> None:
    every = [{"name": name, "layer": name.split("-")[0], "zone": name.split("-")[1], "type": "always", "online": True} for name in ("lb-a-1", "app-b-1")]
    before = {name: one["InstanceId"] for name, one in instances(aws).items()}
    done = play("-e", with_list(made, every))
    assert changed(done) == 0
    assert "and paid for: app-a-2." in " ".join(done.stdout.split())
    done = play("-e", with_list(made, every, remove=["app-b-1", "nobody"]))
    assert done.returncode and "found app-b-1, nobody; expected instances of this stack (app-a-2, app-b-1, lb-a-1)" in " ".join(done.stdout.split())
    done = play("-e", with_list(made, every, remove=["lb-a-1"]))
    assert done.returncode and "nothing would be left of lb" in " ".join(done.stdout.split())
    assert {name: one["InstanceId"] for name, one in instances(aws).items()} == before
    assert changed(play("-e", with_list(made, every, remove=["app-a-2"]))) == 1
    assert set(instances(aws)) == {"shop-lb-a-1", "shop-app-b-1"}


def test_another_size_is_said_and_comes_with_a_new_instance(aws: Aws, play: Any, made: dict[str, Any]) -> None:
    two = [{"name": name, "layer": "app", "zone": name.split("-")[1], "type": "always", "online": True} for name in ("app-b-1", "app-a-1")]
    classes = {"lb": "t4g.small", "app": "m7i.xlarge"}
    done = play("-e", with_list(made, two, classes=classes))
    assert "app-b-1 is m7i.large, stack.yml says m7i.xlarge" in " ".join(done.stdout.split())
    assert {name: one["InstanceType"] for name, one in instances(aws).items() if "app" in name} == {"shop-app-b-1": "m7i.large", "shop-app-a-1": "m7i.xlarge"}
    assert changed(play("-e", with_list(made, two, classes=classes, remove=["app-b-1"]))) == 2
    assert {one["InstanceType"] for name, one in instances(aws).items() if "app" in name} == {"m7i.xlarge"}


def test_who_may_not_or_whose_token_is_over_is_told(aws: Aws, play: Any, made: dict[str, Any]) -> None:
    for code in ("UnauthorizedOperation", "RequestExpired"):
        aws.fault({"match": "Action=DescribeVpcs", "times": 99, "code": code})
        done = play()
        aws.fault()
        assert done.returncode != 0
        assert code in done.stdout + done.stderr


def test_a_region_without_the_image_is_told_with_the_mend(aws: Aws, play: Any, made: dict[str, Any]) -> None:
    more = {"instance_list": [{"name": "app-b-9", "layer": "app", "zone": "b", "type": "always", "online": True}]}
    ec2 = {"classes": {"app": "m7i.large"}, "profiles": {}, "ami_owner": "1", "ami": "debian-13-*", "disk": 20,
           "subnets": made["network"]["subnets"], "security_groups": made["network"]["security_groups"]}  # fmt: skip
    done = play("-e", json.dumps(more | {"part": "instances", "instance_ec2": ec2}))
    assert done.returncode != 0
    assert "has no image debian-13-* of owner 1 for x86_64" in " ".join(done.stdout.split())
    assert "shop-app-b-9" not in instances(aws)


def test_at_the_end_nothing_of_the_stack_is_left_and_all_else_is(aws: Aws, play: Any, made: dict[str, Any]) -> None:
    ec2 = aws.client("ec2")
    away = {"instance_state": "absent", "aws_network_state": "absent", "aws_network_made": {"subnets": {}, "security_groups": {}}}
    assert changed(play("-e", json.dumps(away))) > 5
    assert instances(aws) == {}
    for what, key in (("vpcs", "Vpcs"), ("subnets", "Subnets"), ("route_tables", "RouteTables"), ("security_groups", "SecurityGroups"),
                      ("internet_gateways", "InternetGateways")):  # fmt: skip
        assert getattr(ec2, f"describe_{what}")(Filters=OURS)[key] == [], what
    assert ec2.describe_addresses()["Addresses"] == []
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    running = [one["State"]["Name"] for found in ec2.describe_instances()["Reservations"] for one in found["Instances"]]
    assert running.count("running") == 1  # the foreign one
