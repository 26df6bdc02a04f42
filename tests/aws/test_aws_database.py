"""The database on RDS: made once, each box changed and changed back, and never lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.aws import Aws, outcome

BOOK = Path(__file__).with_name("aws_database.yml")
NAME = "shop-database"


@pytest.fixture(scope="module")
def play(aws: Aws) -> Any:
    subnets = [one["SubnetId"] for one in aws.client("ec2").describe_subnets()["Subnets"]][:2]
    groups = [one["GroupId"] for one in aws.client("ec2").describe_security_groups()["SecurityGroups"]][:1]
    where = {"aws_database_subnets": subnets, "aws_database_security_groups": groups}

    def run(*words: str, **said: Any) -> tuple[int, str]:
        """How much changed (-1: it was refused), and what was said."""
        done = aws.play(BOOK, "-e", json.dumps(where | {f"aws_database_{key}": value for key, value in said.items()}), *words)
        return outcome(done)

    return run


def databases(aws: Aws) -> list[dict[str, Any]]:
    found = aws.client("rds").describe_db_instances()["DBInstances"]
    return [{key: value for key, value in one.items() if key != "LatestRestorableTime"} for one in found]


def groups(aws: Aws) -> Any:
    rds = aws.client("rds")
    return rds.describe_db_subnet_groups()["DBSubnetGroups"], rds.describe_db_parameter_groups()["DBParameterGroups"]


def test_groups_of_somebody_else_are_refused_before_anything_is_done(aws: Aws, play: Any) -> None:
    rds, tags = aws.client("rds"), [{"Key": "stack", "Value": "shop"}, {"Key": "managed-by", "Value": "another"}]
    subnets = [one["SubnetId"] for one in aws.client("ec2").describe_subnets()["Subnets"]][:2]
    rds.create_db_parameter_group(DBParameterGroupName=f"{NAME}-mysql8-4", DBParameterGroupFamily="mysql8.4", Description="-", Tags=tags)
    rds.create_db_subnet_group(DBSubnetGroupName=NAME, DBSubnetGroupDescription="-", SubnetIds=subnets, Tags=tags)
    found = '{"stack": "shop", "managed-by": "another"}. It is somebody else\'s and is left alone'
    for what in (f"group of subnets {NAME}", f"group of parameters {NAME}-mysql8-4"):
        before = groups(aws)
        for wanted in ("present", "absent"):
            changed, said = play(state=wanted)
            assert (changed, groups(aws), databases(aws)) == (-1, before, [])
            assert f"RDS has a {what} without the tags" in said and found in said.replace("\\", "")
        if what.startswith("group of subnets"):
            rds.delete_db_subnet_group(DBSubnetGroupName=NAME)
    rds.delete_db_parameter_group(DBParameterGroupName=f"{NAME}-mysql8-4")


@pytest.fixture(scope="module")
def made(aws: Aws, play: Any) -> dict[str, Any]:
    changed, said = play("--check")
    assert changed > 0, said[-3000:]
    assert databases(aws) == []
    changed, said = play()
    assert changed == 3, said[-3000:]
    return databases(aws)[0]


def test_it_is_made_as_a_shop_needs_it_and_once(aws: Aws, play: Any, made: dict[str, Any]) -> None:
    assert (made["DBInstanceIdentifier"], made["Engine"], made["DBInstanceClass"]) == (NAME, "mysql", "db.t4g.medium")
    assert (made["MultiAZ"], made["StorageEncrypted"], made["DeletionProtection"], made["PubliclyAccessible"]) == (True, True, True, False)
    assert made["BackupRetentionPeriod"] == 7
    parameters = aws.client("rds").describe_db_parameters(DBParameterGroupName="shop-database-mysql8-4")["Parameters"]
    assert {one["ParameterName"]: one.get("ParameterValue") for one in parameters}["require_secure_transport"] == "ON"
    assert play("--check")[0] == 0
    changed, said = play()
    assert changed == 0
    assert f'"host": "{made["Endpoint"]["Address"]}"' in said
    assert '"zone": "eu-west-1a"' in said and '"secondary_zone": "eu-west-1b"' in said
    assert "a-password-that-only-tests-use" not in said


def test_each_box_changes_one_thing_and_back_and_says_before_what_it_costs(aws: Aws, play: Any, made: dict[str, Any]) -> None:
    def seen() -> tuple[Any, ...]:
        now = databases(aws)[0]
        return now["MultiAZ"], now["DBInstanceClass"], now["AllocatedStorage"], now["BackupRetentionPeriod"]

    changed, said = play(multi_az=False)
    assert (changed, seen()) == (1, (False, "db.t4g.medium", 100, 7))
    assert "multi_az true -> false" in said
    changed, said = play("--check", multi_az=False, **{"class": "db.r7g.large"})
    assert (changed, seen()) == (1, (False, "db.t4g.medium", 100, 7))
    assert "class db.t4g.medium -> db.r7g.large: several minutes" in said
    assert play(storage=200, backup_days=14)[0] == 1
    assert seen() == (True, "db.t4g.medium", 200, 14)
    changed, said = play(storage=200, **{"class": "db.r7g.large"})
    assert (changed, seen()) == (1, (True, "db.r7g.large", 200, 7))
    assert "typically 60 to 120 s" in said


def test_a_failover_that_is_asked_for_is_seen_in_the_zones(aws: Aws, play: Any, made: dict[str, Any]) -> None:
    rds, now = aws.client("rds"), databases(aws)[0]
    aws.busy(rds=2)
    rds.reboot_db_instance(DBInstanceIdentifier=NAME, ForceFailover=True)
    with pytest.raises(rds.exceptions.InvalidDBInstanceStateFault):
        rds.modify_db_instance(DBInstanceIdentifier=NAME, BackupRetentionPeriod=3)
    aws.busy()
    # Whoever comes while RDS is at it waits.
    changed, said = play("-e", "__aws_database_pause=1", storage=now["AllocatedStorage"], **{"class": now["DBInstanceClass"]})
    assert changed == 0 and "FAILED - RETRYING" in said
    assert '"zone": "eu-west-1b"' in said and '"secondary_zone": "eu-west-1a"' in said


def test_what_rds_cannot_do_is_refused_before_anything_is_done(aws: Aws, play: Any, made: dict[str, Any]) -> None:
    before = databases(aws)
    for wrong in ({"storage": 50}, {"engine": "mariadb", "storage": 200}):
        changed, said = play(**wrong)
        assert changed == -1
        assert "RDS neither shrinks a disk nor changes an engine" in said
    assert databases(aws) == before


def test_it_goes_only_with_a_snapshot_and_never_if_it_is_somebody_elses(aws: Aws, play: Any, made: dict[str, Any]) -> None:
    rds = aws.client("rds")
    arn = databases(aws)[0]["DBInstanceArn"]
    rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "stack", "Value": "another"}])
    changed, said = play(state="absent")
    assert changed == -1
    assert "It is somebody else's and is left alone" in said
    rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "stack", "Value": "shop"}])
    assert play(state="absent")[0] == 4
    assert databases(aws) == []
    assert [one["DBInstanceIdentifier"] for one in rds.describe_db_snapshots()["DBSnapshots"]] == [NAME]
    assert NAME not in [one["DBSubnetGroupName"] for one in rds.describe_db_subnet_groups()["DBSubnetGroups"]]
    assert play(state="absent")[0] == 0
