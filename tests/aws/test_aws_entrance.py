"""How visitors come in on AWS: by Route 53, by a load balancer, or by nothing but addresses, and from each to the others without a gap."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from support.aws import Aws

BOOK = Path(__file__).with_name("aws_entrance.yml")
DOMAIN = "tickets.example.com"


class Visitor:
    """Looks, again and again, whether the domain leads to an address or a load balancer that is there; a context manager."""

    def __init__(self, aws: Aws, account: dict[str, Any]) -> None:
        self.aws, self.account, self.over = aws, account, threading.Event()
        self.looks = 0
        self.lost: list[tuple[dict[str, Any], set[str]]] = []
        self.thread = threading.Thread(target=self.look)

    def look(self) -> None:
        while not self.over.wait(0.1):
            there = {*addresses(self.aws).values(), *(f"{one['DNSName']}." for one in self.aws.client("elbv2").describe_load_balancers()["LoadBalancers"])}
            found = records(self.aws, self.account)
            self.looks += 1
            if not found or not set(found.values()) <= there:
                self.lost.append((found, there))

    def __enter__(self) -> Visitor:
        self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        self.thread.join()


@pytest.fixture(scope="module")
def account(aws: Aws) -> dict[str, Any]:
    """Three balancers, a zone above the domain, a private one of the same name, and things that belong to others."""
    ec2, dns = aws.client("ec2"), aws.client("route53")
    subnets = {one["AvailabilityZone"][-1]: one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]}
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    image = ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]
    made = {
        name: ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnets[name[3]])["Instances"][0]["InstanceId"]
        for name in ("lb-a-1", "lb-b-1", "lb-c-1")
    }  # fmt: skip
    zone = dns.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    dns.create_hosted_zone(Name=DOMAIN, CallerReference="2", VPC={"VPCRegion": "eu-west-1", "VPCId": vpc}, HostedZoneConfig={"PrivateZone": True})
    check = dns.create_health_check(CallerReference="3", HealthCheckConfig={"Type": "TCP", "IPAddress": "192.0.2.9", "Port": 80})["HealthCheck"]["Id"]
    ec2.allocate_address(Domain="vpc")
    return {"instances": made, "vpc": vpc, "subnets": {zone: subnets[zone] for zone in "ab"}, "zone": zone, "check": check}


@pytest.fixture(scope="module")
def play(aws: Aws, account: dict[str, Any]) -> Any:
    def run(*runs: dict[str, Any], check: bool = False, balancers: int = 2) -> tuple[list[int], list[dict[str, Any]], str]:
        """How many tasks changed something in each run (-1: it was refused), what each published, and what was said."""
        ids = dict(list(account["instances"].items())[:balancers])
        variables = {"runs": runs, "aws_entrance_vpc": account["vpc"], "aws_entrance_subnets": account["subnets"],
                     "aws_entrance_instances": {name: {"id": number} for name, number in ids.items()}}  # fmt: skip
        done = aws.play(BOOK, "-e", json.dumps(variables), *(["--check"] if check else []))
        said = done.stdout + done.stderr
        made = [json.loads(one.replace('\\"', '"')) for one in re.findall(r"MADE(\{.*?\})MADE", said)]
        parts = re.split(r"\nTASK \[Show what was made\]", done.stdout)[: len(made) or 1]
        changed = [len(re.findall(r"TASK \[[^\]]*\] \**\n(?:(?!TASK \[).*\n)*?changed: ", part)) for part in parts]
        return (changed if done.returncode == 0 else [*changed[: len(made)], -1]), made, " ".join(said.split())

    return run


def records(aws: Aws, account: dict[str, Any]) -> dict[str, Any]:
    found = aws.client("route53").list_resource_record_sets(HostedZoneId=account["zone"])["ResourceRecordSets"]
    return {
        f"{one['Name']} {one.get('Failover', '')}".strip(): one.get("AliasTarget", {}).get("DNSName") or one["ResourceRecords"][0]["Value"]
        for one in found if one["Type"] in ("A", "CNAME")
    }  # fmt: skip


def addresses(aws: Aws) -> dict[str, str]:
    """Instance: address, of those that carry the stack's tag."""
    found = aws.client("ec2").describe_addresses(Filters=[{"Name": "tag:stack", "Values": ["shop"]}])["Addresses"]
    return {one.get("InstanceId", ""): one["PublicIp"] for one in found}


def checks(aws: Aws, account: dict[str, Any]) -> dict[str, dict[str, Any]]:
    dns = aws.client("route53")
    found = {one["Id"]: one["HealthCheckConfig"] for one in dns.list_health_checks()["HealthChecks"]}
    assert found.pop(account["check"])  # somebody else's is there whatever happens
    tags = {one: dns.list_tags_for_resource(ResourceType="healthcheck", ResourceId=one)["ResourceTagSet"]["Tags"] for one in found}
    return {next(tag["Value"] for tag in tags[one] if tag["Key"] == "Name"): found[one] for one in found}


def balancers(aws: Aws) -> tuple[list[str], list[str]]:
    elb = aws.client("elbv2")
    return ([one["LoadBalancerName"] for one in elb.describe_load_balancers()["LoadBalancers"]],
            sorted(one["TargetGroupName"] for one in elb.describe_target_groups()["TargetGroups"]))  # fmt: skip


def test_route53_is_foretold_made_once_and_leads_past_a_balancer_that_fails(aws: Aws, account: dict[str, Any], play: Any) -> None:
    changed, _made, said = play({}, check=True)
    assert changed == [3] and not addresses(aws) and not checks(aws, account) and not records(aws, account), said[-3000:]
    changed, made, said = play({}, {})
    assert changed == [3, 0], said[-3000:]
    first, second = (addresses(aws)[account["instances"][name]] for name in ("lb-a-1", "lb-b-1"))
    assert made[1] == {"url": f"https://{DOMAIN}", "domain": DOMAIN, "addresses": {"lb-a-1": first, "lb-b-1": second}, "nlb": ""}
    assert records(aws, account) == {f"{DOMAIN}. PRIMARY": first, f"{DOMAIN}. SECONDARY": second}
    found = aws.client("route53").list_resource_record_sets(HostedZoneId=account["zone"])["ResourceRecordSets"]
    assert all(one["TTL"] == 60 and one["HealthCheckId"] for one in found if one["Type"] == "A")
    assert {name: (one["Type"], one["IPAddress"], one["Port"], one["ResourcePath"], one["RequestInterval"], one["FailureThreshold"])
            for name, one in checks(aws, account).items()} == {
        "shop-lb-a-1-https": ("HTTPS", first, 443, "/health", 10, 3), "shop-lb-b-1-https": ("HTTPS", second, 443, "/health", 10, 3)}  # fmt: skip


def test_the_load_balancer_takes_over_without_a_gap_and_nothing_of_route53s_is_left(aws: Aws, account: dict[str, Any], play: Any) -> None:
    before = addresses(aws)
    foretold, _made, said = play({"failover": "nlb"}, check=True)
    assert "would be made: shop-entrance-80, shop-entrance-443" in said and balancers(aws) == ([], []), said[-3000:]
    with Visitor(aws, account) as visitor:
        changed, made, said = play({"failover": "nlb"}, {"failover": "nlb"})
    assert changed == [*foretold, 0] and foretold[0] > 0, said[-3000:]
    elb = aws.client("elbv2")
    one = elb.describe_load_balancers()["LoadBalancers"][0]
    assert made[1] == {"url": f"https://{DOMAIN}", "domain": DOMAIN, "nlb": one["DNSName"],
                       "addresses": {name: before[account["instances"][name]] for name in ("lb-a-1", "lb-b-1")}}  # fmt: skip
    assert visitor.looks > 10 and visitor.lost == []
    assert records(aws, account) == {f"{DOMAIN}. PRIMARY": f"{one['DNSName']}."}
    assert checks(aws, account) == {} and addresses(aws) == before
    assert (one["Type"], one["Scheme"], {zone["SubnetId"] for zone in one["AvailabilityZones"]}) == (
        "network", "internet-facing", set(account["subnets"].values()))  # fmt: skip
    attributes = elb.describe_load_balancer_attributes(LoadBalancerArn=one["LoadBalancerArn"])["Attributes"]
    assert {"Key": "load_balancing.cross_zone.enabled", "Value": "true"} in attributes
    groups = {group["TargetGroupArn"]: group for group in elb.describe_target_groups()["TargetGroups"]}
    listeners = elb.describe_listeners(LoadBalancerArn=one["LoadBalancerArn"])["Listeners"]
    assert {listener["Port"]: groups[listener["DefaultActions"][0]["TargetGroupArn"]]["TargetGroupName"] for listener in listeners} == {
        80: "shop-entrance-80", 443: "shop-entrance-443"}  # fmt: skip
    for arn, group in groups.items():
        expected = ("HTTPS" if group["Port"] == 443 else "HTTP", "/health", 10, 2, "200-399")
        assert (group["HealthCheckProtocol"], group["HealthCheckPath"], group["HealthCheckIntervalSeconds"], group["UnhealthyThresholdCount"],
                group["Matcher"]["HttpCode"]) == expected  # fmt: skip
        targets = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        assert {target["Target"]["Id"] for target in targets} == {account["instances"]["lb-a-1"], account["instances"]["lb-b-1"]}


def test_back_to_route53_with_another_domain_a_third_balancer_and_no_certificate(aws: Aws, account: dict[str, Any], play: Any) -> None:
    with Visitor(aws, account) as visitor:
        changed, made, said = play({"domain": "shop.example.com", "https": False}, balancers=3)
    first, second, third = (addresses(aws)[one] for one in account["instances"].values())
    assert changed[0] > 0 and visitor.lost == [], said[-3000:]
    assert made[0] == {"url": "http://shop.example.com", "domain": "shop.example.com", "nlb": "",
                       "addresses": {"lb-a-1": first, "lb-b-1": second, "lb-c-1": third}}  # fmt: skip
    assert "no record leads to lb-c-1" in said
    assert records(aws, account) == {"shop.example.com. PRIMARY": first, "shop.example.com. SECONDARY": second}
    assert {name: (one["Type"], one["Port"]) for name, one in checks(aws, account).items()} == {
        "shop-lb-a-1-http": ("HTTP", 80), "shop-lb-b-1-http": ("HTTP", 80)}  # fmt: skip
    assert balancers(aws) == ([], [])


def test_without_failover_nothing_but_addresses_is_left(aws: Aws, account: dict[str, Any], play: Any) -> None:
    third = addresses(aws)[account["instances"]["lb-c-1"]]
    changed, made, said = play({"failover": "", "domain": "shop.example.com"})
    assert changed[0] > 0 and made[0]["url"] == "https://shop.example.com", said[-3000:]
    assert (records(aws, account), checks(aws, account), balancers(aws)) == ({}, {}, ([], []))
    assert f"No failover is ticked. Enter where the records of shop.example.com are kept: shop.example.com A {made[0]['addresses']['lb-a-1']}" in said
    assert third not in addresses(aws).values() and len(addresses(aws)) == 2  # its balancer is gone


def test_what_is_somebody_elses_is_refused_and_not_touched(aws: Aws, account: dict[str, Any], play: Any) -> None:
    dns, elb, ec2 = aws.client("route53"), aws.client("elbv2"), aws.client("ec2")
    plain = {"Name": f"{DOMAIN}.", "Type": "A", "TTL": 300, "ResourceRecords": [{"Value": "192.0.2.7"}]}
    dns.change_resource_record_sets(HostedZoneId=account["zone"], ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": plain}]})
    group = elb.create_target_group(Name="shop-entrance-80", Protocol="TCP", Port=80, VpcId=account["vpc"])["TargetGroups"][0]
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=account["instances"]["lb-c-1"])
    check = {"ResourceType": "healthcheck", "ResourceId": account["check"]}
    dns.change_tags_for_resource(**check, AddTags=[{"Key": "Name", "Value": "shop-lb-a-1-https"}, {"Key": "stack", "Value": "shop2"}])
    before = addresses(aws)
    changed, _made, said = play({"failover": "nlb"}, balancers=3)
    assert changed == [-1]
    for text in (f"{DOMAIN}: found A 192.0.2.7, expected no A, AAAA or CNAME but this stack's own",
                 "target group shop-entrance-80: found the tags {}", f"found the Elastic IP {address['PublicIp']}, which is not this stack's"):  # fmt: skip
        assert text in said, said[-3000:]
    changed, _made, said = play({"state": "present"})
    assert changed == [-1] and "health check shop-lb-a-1-https: found the tags" in said and "target group shop" not in said
    assert (addresses(aws), checks(aws, account), balancers(aws)) == (before, {}, ([], ["shop-entrance-80"]))
    assert records(aws, account) == {f"{DOMAIN}.": "192.0.2.7"}
    dns.change_resource_record_sets(HostedZoneId=account["zone"], ChangeBatch={"Changes": [{"Action": "DELETE", "ResourceRecordSet": plain}]})
    elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])
    ec2.release_address(AllocationId=address["AllocationId"])


def test_addresses_that_the_account_may_not_have_are_refused_first(play: Any) -> None:
    changed, _made, said = play({"part": "preflight"}, {"part": "preflight", "elsewhere": 3}, balancers=2)
    assert changed == [0, -1]
    assert "found 3 of 5 that the account may have, expected room for 3 more (no balancer and 3 for other things)" in said


def test_without_a_zone_it_is_said_what_to_enter_and_at_the_end_nothing_is_left(aws: Aws, account: dict[str, Any], play: Any) -> None:
    changed, made, said = play({"domain": "elsewhere.org", "https": False}, {"state": "absent", "domain": "elsewhere.org"})
    assert changed == [2, 1] and made[1] == {}, said[-3000:]  # the domain is remembered, and the old one is forgotten
    first = made[0]["addresses"]["lb-a-1"]
    assert f"Route 53 has no public zone of elsewhere.org. Enter where the records of elsewhere.org are kept: elsewhere.org A {first}" in said
    assert (addresses(aws), checks(aws, account), balancers(aws), records(aws, account)) == ({}, {}, ([], []), {})
    assert len(aws.client("ec2").describe_addresses()["Addresses"]) == 1
