"""Everything that runs on a stack, with provider ec2, from a control node outside of its network: by ssh over the balancers, by the power of EC2,
by the figures in CloudWatch, with releases in S3 and mails through SES."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import Site, changed

pytestmark = pytest.mark.timeout(3600)  # the first test brings the whole stack up
RUSH = "2027-03-14T10:05:00+00:00"
QUIET = "2027-03-14T15:00:00+00:00"


def until(true: Callable[[], Any], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.5)


def test_it_is_set_up_deployed_and_sells_a_ticket(site: Site) -> None:
    site.run("setup")
    site.run("deploy")
    said = site.run("smoke")
    assert "Bought a free and a paid ticket" in said
    assert [name for name, status in site.servers().items() if status == "UP"] == ["app-a-1", "app-b-1"]
    address = site.made["instances"]["lb-a-1"]["public"]
    assert urllib.request.urlopen(f"http://{address}/", timeout=5).status == 200
    # to the database by TLS, and only by TLS
    ciphers = site.podman("exec", "trust-aws-services", "mariadb", "-Ne", "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'boxoffice'")
    assert int(ciphers) > 0


def test_the_mails_went_through_ses(site: Site) -> None:
    until(lambda: len(site.mails()) >= 2, "two mails in SES")
    assert {one["source"] for one in site.mails()} == {"tickets@example.com"}
    assert all("Stack check" in one["text"] for one in site.mails())


def test_a_second_setup_and_deploy_change_nothing(site: Site) -> None:
    assert changed(site.run("setup")) == 0
    assert changed(site.run("deploy")) == 0


def test_the_release_is_in_the_bucket_by_its_digest(site: Site) -> None:
    found = site.aws.client("s3").list_objects_v2(Bucket=site.made["bucket"]["name"], Prefix="releases/")["Contents"]
    assert len(found) == 1
    assert found[0]["Size"] > 1_000_000


def test_a_tick_starts_by_the_clock_and_stops_again(site: Site) -> None:
    site.run("scale", "-e", f"scale_now={RUSH}")
    assert site.state("worker-a-2") == "running"
    assert site.inside("worker-a-2", "systemctl is-active boxoffice-worker").strip() == "active"
    site.run("scale", "-e", f"scale_now={QUIET}")
    assert site.state("worker-a-2") == "stopped"


def test_a_tick_starts_by_the_load_that_cloudwatch_shows(site: Site) -> None:
    cloudwatch = site.aws.client("cloudwatch")
    until(lambda: cloudwatch.list_metrics(Namespace="TrustStack")["Metrics"], "the monitor has published", 120)
    site.inside("monitor-b-1", "systemctl stop 'cloudwatch*.timer'")

    def busy(percent: float) -> None:
        cloudwatch.put_metric_data(Namespace="TrustStack", MetricData=[
            {"MetricName": "cpu", "Dimensions": [{"Name": key, "Value": value} for key, value in (("stack", "shop"), ("layer", "app"), ("name", name))],
             "Timestamp": datetime.now(UTC), "Value": percent} for name in ("app-a-1", "app-b-1")])  # fmt: skip

    for _half_minute in range(6):
        busy(95)
        site.run("scale")
        if site.state("app-a-2") == "running":
            break
        time.sleep(30)
    assert site.state("app-a-2") == "running"
    until(lambda: site.servers()["app-a-2"] == "UP", "the balancers have let it in")


def test_an_instance_is_stopped_by_hand_and_drained_before(site: Site) -> None:
    site.run("stop", "-e", "stop=app-a-2")
    assert site.state("app-a-2") == "stopped"
    assert site.servers()["app-a-2"] == "MAINT"


def test_an_instance_that_ec2_has_stopped_is_healed(site: Site) -> None:
    site.aws.client("ec2").stop_instances(InstanceIds=[site.id("worker-a-1")])
    until(lambda: site.id("worker-a-1") not in site.machines.running, "it is off")
    said = site.run("heal")
    assert "worker-a-1" in said
    assert site.state("worker-a-1") == "running"
    assert site.inside("worker-a-1", "systemctl is-active boxoffice-worker").strip() == "active"


def test_with_one_balancer_gone_the_other_is_the_way_in(site: Site) -> None:
    site.machines.kill(site.id("lb-a-1"))
    said = site.run("plan", check=False)
    assert "unreachable" not in said.lower()
    site.run("start", "-e", "start=app-a-2")
    assert site.servers("lb-b-1")["app-a-2"] == "UP"
    site.run("stop", "-e", "stop=app-a-2")
    site.podman("start", site.id("lb-a-1"))


def test_where_aws_does_not_answer_nothing_is_started_or_stopped(site: Site) -> None:
    site.aws.fault({"match": "Action=DescribeInstances", "times": 99, "status": 403, "code": "RequestExpired"})
    said = site.run("scale", "-e", f"scale_now={RUSH}", check=False)
    site.aws.fault()
    assert "nothing was started or stopped" in " ".join(said.split()) and "RequestExpired" in said
    assert site.state("worker-a-2") == "stopped"


def drilled(site: Site, *words: str) -> dict[str, Any]:
    """The figures of a drill that went well."""
    said = site.run("drill", "-e", "confirm=shop", *words)
    print(said[said.index("Pages "):])
    return json.loads((site.folder / ".state/drills.jsonl").read_text(encoding="utf-8").splitlines()[-1])


def test_a_drill_wants_the_stack_s_name(site: Site) -> None:
    assert 'confirm: found "", expected the name of the stack' in " ".join(site.run("drill", "-e", "drill=app", check=False).split())
    assert not (site.folder / ".state/drills.jsonl").exists()


def test_a_drill_stops_an_instance_by_force_and_brings_it_back(site: Site) -> None:
    figures = drilled(site, "-e", "drill=app")
    assert (figures["drill"], figures["how"], figures["verdict"], figures["lost"]) == ("app-a-1", "power", "passed", 0)
    assert "app-a-1: off" in [what for _when, what in figures["timeline"]]
    assert site.state("app-a-1") == "running"
    assert site.servers()["app-a-1"] == "UP"


def test_a_drill_freezes_over_a_balancer_s_ssh(site: Site) -> None:
    figures = drilled(site, "-e", "drill=app-b-1", "-e", "how=freeze")
    assert (figures["drill"], figures["verdict"]) == ("app-b-1", "passed")
    assert {"app-b-1 in lb-a-1: DOWN", "app-b-1: its services go on"} <= {what for _when, what in figures["timeline"]}


def test_a_drill_makes_rds_fail_over_and_buyers_wait_for_it(site: Site) -> None:
    """moto changes the zones at RDS' own call; what that does to connections is done here when it has."""
    rds = site.aws.client("rds")

    def zone() -> str:
        return rds.describe_db_instances(DBInstanceIdentifier="shop-database")["DBInstances"][0]["AvailabilityZone"]

    before, away = zone(), []

    def switch() -> None:
        until(lambda: zone() != before, "RDS has failed over", 120)
        for verb, pause in (("kill --signal=KILL", 0), ("stop", 5), ("start", 0)):
            site.podman("exec", "trust-aws-services", "sh", "-c", f"systemctl {verb} mariadb")
            time.sleep(pause)
        away.append(True)

    other = threading.Thread(target=switch)
    other.start()
    figures = drilled(site, "-e", "drill=database", "-e", "least=20")
    other.join()
    assert away
    assert (figures["drill"], figures["how"], figures["verdict"], figures["lost"]) == ("database", "failover", "passed", 0)
    assert 3 < figures["seconds_without_orders"] < 60


def test_a_drill_makes_elasticache_fail_over(site: Site) -> None:
    cache = site.aws.client("elasticache")

    def primary() -> str:
        nodes = cache.describe_replication_groups(ReplicationGroupId="shop-redis")["ReplicationGroups"][0]["NodeGroups"][0]["NodeGroupMembers"]
        return next(one["CacheClusterId"] for one in nodes if one["CurrentRole"] == "primary")

    before = primary()

    def switch() -> None:
        until(lambda: primary() != before, "ElastiCache has failed over", 120)
        site.podman("exec", "trust-aws-services", "sh", "-c", "kill -STOP $(pidof redis-server); sleep 5; kill -CONT $(pidof redis-server)")

    other = threading.Thread(target=switch)
    other.start()
    figures = drilled(site, "-e", "drill=redis", "-e", "least=20")
    other.join()
    assert primary() != before
    assert (figures["how"], figures["verdict"], figures["lost"], figures["without_ticket"]) == ("failover", "passed", 0, 0)
