"""The whole stack on AWS by its playbooks: predicted, made in spite of what AWS does, changed box by box and back, taken over by another
control node, and gone without a trace but its data."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from support.aws import ROOT, Aws, Node, outcome

pytestmark = pytest.mark.timeout(3600)  # each run of a playbook is about a hundred calls of modules
STACK = (ROOT / "inventories/aws/stack.yml").read_text(encoding="utf-8")
TICKED = {  # old: new, each of them a box
    "instances: {always: 2, time: 2}": "instances: {always: 2, time: 3}",
    "failover: route53": "failover: nlb",
    "multi_az: true, class: db.t4g.medium": "multi_az: false, class: db.t4g.large",
    "redis: {managed: elasticache, multi_az: true}": "redis: {managed: elasticache, multi_az: false}",
    "nodes: 2, cross_az: true": "nodes: 3, cross_az: true",
}


class Founder(Node):
    """A control node with the example's stack file."""

    def __init__(self, folder: Path, aws: Aws) -> None:
        super().__init__(folder, aws)
        self.write(STACK)
        (folder / "rds-ca.pem").write_text("a certificate that no test here looks at\n", encoding="utf-8")

    def play(self, book: str, *words: str) -> tuple[int, str]:
        """How much changed (-1: it was refused), and what was said."""
        process = self.begin(book, *words)
        said, _none = process.communicate(timeout=1800)
        return outcome(subprocess.CompletedProcess(process.args, process.returncode, said, ""))


def kill(pid: int) -> None:
    """With all that it has begun: Ansible's workers have sessions of their own, and would wait for it for ever."""
    begun = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    os.kill(pid, signal.SIGKILL)
    for one in begun:
        with suppress(FileNotFoundError, ProcessLookupError):
            kill(int(one))


@pytest.fixture(scope="module")
def node(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Founder:
    aws.client("route53").create_hosted_zone(Name="example.com", CallerReference="the founder's own")
    return Founder(tmp_path_factory.mktemp("node"), aws)


@pytest.fixture(scope="module")
def stack(node: Founder) -> Founder:
    """Made in two runs: the first one is killed when half of it stands, the second one is throttled and reads what is not there yet."""
    half = node.begin("provision")
    end = time.monotonic() + 600
    while not node.aws.client("ec2").describe_instances()["Reservations"]:
        assert half.poll() is None, half.communicate()[0][-4000:]
        assert time.monotonic() < end
        time.sleep(0.2)
    kill(half.pid)
    half.communicate()
    assert not (node.folder / ".state/aws.json").exists()
    node.aws.fault(
        {"match": "Action=DescribeVpcs", "times": 2, "status": 503, "code": "RequestLimitExceeded"},
        {"match": "Action=CreateDBInstance", "times": 2, "code": "Throttling"},
        {"match": "Action=CreateReplicationGroup", "times": 1, "code": "Throttling"},
        {"match": "Action=DescribeInstances", "times": 1, "code": "InvalidInstanceID.NotFound"},
        {"match": "POST /v2/email/identities", "times": 1, "status": 429, "code": "TooManyRequestsException"},
    )
    changed, said = node.play("provision")
    node.aws.fault()
    assert changed > 10, said[-6000:]
    return node


def standing(aws: Aws) -> Counter[str]:
    """What costs money or leads somewhere, counted; of this stack or not."""
    ec2, elb, cache, rds = (aws.client(name) for name in ("ec2", "elbv2", "elasticache", "rds"))
    instances = [one for found in ec2.describe_instances()["Reservations"] for one in found["Instances"] if one["State"]["Name"] != "terminated"]
    zones = [one["Id"] for one in aws.client("route53").list_hosted_zones()["HostedZones"]]
    records = [one for zone in zones for one in aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]]
    return +Counter({
        "instances": len(instances),
        "vpcs": len([one for one in ec2.describe_vpcs()["Vpcs"] if not one["IsDefault"]]),
        "addresses": len(ec2.describe_addresses()["Addresses"]),
        "ways out": len([one for one in ec2.describe_nat_gateways()["NatGateways"] if one["State"] != "deleted"]),
        "keys": len(ec2.describe_key_pairs()["KeyPairs"]),
        "databases": len(rds.describe_db_instances()["DBInstances"]),
        "groups of the database": len(rds.describe_db_subnet_groups()["DBSubnetGroups"]),
        "redis": len(cache.describe_replication_groups()["ReplicationGroups"]),
        "memcached": len(cache.describe_cache_clusters()["CacheClusters"]),
        "load balancers": len(elb.describe_load_balancers()["LoadBalancers"]),
        "targets": len(elb.describe_target_groups()["TargetGroups"]),
        "health checks": len(aws.client("route53").list_health_checks()["HealthChecks"]),
        "records": len([one for one in records if one["Type"] not in ("NS", "SOA")]),
        "domains": len(aws.client("sesv2").list_email_identities()["EmailIdentities"]),
        "topics": len(aws.client("sns").list_topics()["Topics"]),
        "buckets": len(aws.client("s3").list_buckets()["Buckets"]),
        "roles": len([one for one in aws.client("iam").list_roles()["Roles"] if not one["Path"].startswith("/aws-service-role/")]),
        "profiles": len(aws.client("iam").list_instance_profiles()["InstanceProfiles"]),
        "secrets": len(aws.client("ssm").describe_parameters()["Parameters"]),
        "alarms": len(aws.client("cloudwatch").describe_alarms()["MetricAlarms"]),
    })  # fmt: skip


def watched(aws: Aws) -> set[str]:
    """The nodes of Redis that have alarms."""
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix="shop-alarms-redis-")["MetricAlarms"]
    return {pair["Value"] for one in alarms for pair in one["Dimensions"]}


def members(aws: Aws) -> set[str]:
    return set(aws.client("elasticache").describe_replication_groups()["ReplicationGroups"][0]["MemberClusters"])


def that_changed(said: str) -> Counter[str]:
    """The tasks that changed something, and how often."""
    tasks = (part.split("] ***", 1) for part in said.split("TASK [")[1:])
    return Counter({name.rpartition(" : ")[2]: done.count("changed: [") for name, done in tasks if "changed: [" in done})


REDIS = {"shop-redis-001", "shop-redis-002"}
WHOLE = {"instances": 9, "vpcs": 1, "addresses": 4, "ways out": 2, "keys": 1, "databases": 1, "redis": 1, "memcached": 1, "health checks": 2, "buckets": 1}


def test_check_mode_tells_what_would_be_made_and_what_it_costs(node: Founder) -> None:
    before = standing(node.aws)
    changed, said = node.play("provision", "--check", "--diff")
    assert changed > 10, said[-6000:]
    assert standing(node.aws) == before
    assert not (node.folder / ".state").exists()
    assert re.search(r"together +[1-9]\d\d\.\d\d", said), "what it costs a month"
    assert "would be made: lb-a-1, lb-b-1, app-a-1, app-b-1, app-a-2" in said


def test_a_run_that_was_killed_and_throttled_makes_nothing_twice(stack: Founder) -> None:
    found = standing(stack.aws)
    assert {what: found[what] for what in WHOLE} == WHOLE
    assert watched(stack.aws) == members(stack.aws) == REDIS
    ec2 = stack.aws.client("ec2")
    names = Counter(
        tag["Value"] for found in ec2.describe_instances()["Reservations"] for one in found["Instances"] for tag in one["Tags"] if tag["Key"] == "Name")
    assert set(names.values()) == {1}
    tagged = ec2.describe_instances(Filters=[{"Name": "tag:stack", "Values": ["shop"]}])["Reservations"]
    states = {one["State"]["Name"] for found in tagged for one in found["Instances"] if any(tag["Value"] == "time" for tag in one["Tags"])}
    assert states == {"stopped"}, "what comes by the clock is made and stopped"


def test_the_inventory_knows_all_of_it(stack: Founder) -> None:
    words = ["ansible-inventory", "-i", str(stack.folder / "stack.yml"), "--list"]
    found = json.loads(subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT).stdout)
    hosts = found["_meta"]["hostvars"]
    ec2 = {one["InstanceId"]: one for got in stack.aws.client("ec2").describe_instances()["Reservations"] for one in got["Instances"]}
    assert len(hosts) == 9
    for name, host in hosts.items():
        one = next(one for one in host["stack_instances"] if one["name"] == name)
        assert host["ansible_host"] == ec2[one["id"]]["PrivateIpAddress"]
    assert sorted(found["offline"]["hosts"]) == ["app-a-2", "app-b-2"]
    made = hosts["app-a-1"]["stack_made"]
    assert made["entrance"]["url"] == "http://tickets.example.com"
    public = {one["PublicIp"] for one in stack.aws.client("ec2").describe_addresses()["Addresses"]}
    assert {made["instances"][name]["public"] for name in ("lb-a-1", "lb-b-1")} < public, "addresses that stay"
    assert all(f"admin@{made['instances'][name]['public']}" in hosts["app-a-1"]["ansible_ssh_common_args"] for name in ("lb-a-1", "lb-b-1"))


def test_a_second_run_changes_nothing(stack: Founder) -> None:
    changed, said = stack.play("provision")
    assert changed == 0, said[-8000:]


def test_an_expired_token_is_told_by_its_name_before_anything_is_touched(stack: Founder) -> None:
    stack.aws.fault({"match": "Action=GetCallerIdentity", "times": 99, "status": 403, "code": "ExpiredToken"})
    changed, said = stack.play("provision")
    stack.aws.fault()
    assert changed == -1
    assert "ExpiredToken" in said


def test_each_box_changes_its_one_thing_and_check_mode_knew_it(stack: Founder) -> None:
    text = STACK
    for old, new in TICKED.items():
        assert old in text
        text = text.replace(old, new)
    stack.write(text)
    before = standing(stack.aws)
    foretold, said = stack.play("provision", "--check", "--diff")
    assert standing(stack.aws) == before
    assert "multi_az true -> false" in said, said[-6000:]
    assert "a failover, typically 60 to 120 s" in said, said[-6000:]
    before_it = that_changed(said)
    changed, said = stack.play("provision")
    assert changed > 0, said[-6000:]
    after = standing(stack.aws)
    assert {what: after[what] - before[what] for what in after | before if after[what] != before[what]} == {
        "instances": 1, "load balancers": 1, "targets": 1, "health checks": -2, "records": -1}  # fmt: skip
    database = stack.aws.client("rds").describe_db_instances()["DBInstances"][0]
    assert (database["MultiAZ"], database["DBInstanceClass"]) == (False, "db.t4g.large")
    assert stack.aws.client("elasticache").describe_replication_groups()["ReplicationGroups"][0]["MultiAZ"] == "disabled"
    assert watched(stack.aws) == members(stack.aws) == REDIS, "the replica stays, and is watched"
    assert stack.aws.client("elasticache").describe_cache_clusters()["CacheClusters"][0]["NumCacheNodes"] == 3
    assert foretold == changed - 1, f"all but the file aws.json; told otherwise: {before_it - that_changed(said)}, {that_changed(said) - before_it}"


def test_another_control_node_takes_over_and_ticks_them_back(stack: Founder, tmp_path: Path) -> None:
    other = Founder(tmp_path, stack.aws)
    changed, said = other.play("provision", "-e", "remove=app-a-3")
    assert changed > 0, said[-6000:]
    assert other.secrets() == stack.secrets()
    assert (tmp_path / ".state/id_ed25519").read_text() == (stack.folder / ".state/id_ed25519").read_text()
    found = standing(stack.aws)
    assert {what: found[what] for what in WHOLE} == WHOLE and found["load balancers"] == 0
    database = stack.aws.client("rds").describe_db_instances()["DBInstances"][0]
    assert (database["MultiAZ"], database["DBInstanceClass"]) == (True, "db.t4g.medium")
    assert other.made["instances"] == {name: one for name, one in stack.made["instances"].items() if name != "app-a-3"}


def test_what_is_removed_must_be_named(stack: Founder) -> None:
    before = standing(stack.aws)
    for words in ([], ["-e", "confirm=another"]):
        changed, said = stack.play("destroy", *words)
        assert changed == -1
        assert "-e confirm=shop" in said
    assert standing(stack.aws) == before


def test_at_the_end_only_data_is_left(stack: Founder) -> None:
    s3 = stack.aws.client("s3")
    s3.put_object(Bucket=stack.made["bucket"]["name"], Key="exports/attendees.csv", Body=b"a")
    changed, said = stack.play("destroy", "-e", "confirm=shop")
    assert changed == -1 and "exports/" in said, said[-3000:]
    assert standing(stack.aws)["databases"] == 1, "refused before anything is gone"
    changed, said = stack.play("destroy", "-e", "confirm=shop", "-e", "purge=true")
    assert changed > 0, said[-6000:]
    assert standing(stack.aws) == {}
    kept = stack.aws.client("rds").describe_db_snapshots()["DBSnapshots"]
    assert [one["DBSnapshotIdentifier"][:14] for one in kept if one["SnapshotType"] == "manual"] == ["shop-database-"]
    assert not (stack.folder / ".state").exists()
    assert len(stack.aws.client("route53").list_hosted_zones()["HostedZones"]) == 1, "the founder's own"
