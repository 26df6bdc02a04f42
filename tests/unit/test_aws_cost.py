"""What a stack on AWS costs: sums that were done by hand, on paper, from the prices of eu-west-1 as the table has them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.trust.stack.plugins.module_utils import aws_cost, aws_costtext
from ansible_collections.trust.stack.plugins.module_utils import aws_prices as table
from ansible_collections.trust.stack.plugins.module_utils.forecast import PlanError
from ansible_collections.trust.stack.plugins.module_utils.stackfile import parse
from ansible_collections.trust.stack.plugins.module_utils.stackfile_boxes import INSTANCES, MANAGED
from test_inventory_stack import ansible
from test_stackfile import GOOD, changed
from test_stackfile_ec2 import AWS

MONDAY = datetime(2027, 3, 1, tzinfo=UTC)
SIZE = re.compile(r"(db\.|cache\.)?[a-z][0-9][a-z]*\.[0-9a-z]+")


def estimate(text: str, prices: dict[str, object] | None = None, assumed: aws_cost.Assumed | None = None) -> aws_cost.Estimate:
    stack = parse(text)
    hours = aws_cost.hours_a_week(stack, MONDAY)
    return aws_cost.estimate(aws_cost.of_stack(stack), aws_cost.prices(stack.region, prices), hours, assumed)


def said(old: str, new: str) -> list[str]:
    before, after = estimate(old), estimate(new)
    return aws_costtext.difference(before, after, aws_cost.changes(before, after))


def test_each_box_costs_what_was_added_up_by_hand() -> None:
    found = estimate(AWS)
    assert {box: f"{found.of(box).most:.4f}" for box in found.boxes} == {
        "lb": "41.1840",         # 2 x 0.0184 x 730 = 26.864, disks 40 x 0.088 = 3.52, addresses 7.30, checks 2 x 0.50, options 2 x 1.00, zone 0.50
        "app": "139.9000",        # 2 x 0.091 x 730 = 132.86, disks 80 x 0.088 = 7.04; the two that live by the clock have no hours
        "worker": "57.2480",     # 2 x 0.0368 x 730 = 53.728, disks 3.52
        "database": "126.1400",   # 2 x 0.069 x 730 = 100.74, disks 2 x 100 x 0.127 = 25.40
        "redis": "49.6400",       # 2 x 0.034 x 730
        "memcached": "49.6400",   # 2 x 0.034 x 730
        "monitor": "15.1920",    # 0.0184 x 730 = 13.432, disk 1.76
        "network": "77.3800",     # 2 x 0.048 x 730 = 70.08, addresses 7.30
        "alarms": "1.3000",        # database 3, Redis 2 x 2, Memcached 1, mails 2, balancers 2, monitor 1: 13 x 0.10
    }  # fmt: skip
    assert (found.total.least, found.total.most) == (Decimal("557.624"), Decimal("557.624"))
    assert found.unknown() == ()
    assert aws_costtext.sheet(found)[-1].split() == ["together", "557.62"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        # 0.069 x 730 = 50.37 for the second machine, 100 x 0.127 = 12.70 for its disk
        ("multi_az: false, class: db", "multi_az: true, class: db", ["database multi_az false -> true: +63.07 USD", "together: +63.07 USD a month"]),
        # 2 x (0.138 - 0.069) x 730
        ("class: db.t4g.medium", "class: db.t4g.large",
         ["database class db.t4g.medium -> db.t4g.large: +100.74 USD", "together: +100.74 USD a month"]),
        # 2 x (0.138 - 0.069) x 730 + 2 x 150 x 0.127 = 100.74 + 38.10
        ("class: db.t4g.medium", "class: db.t4g.large, storage: 250",
         ["database class db.t4g.medium -> db.t4g.large, storage 100 -> 250: +138.84 USD", "together: +138.84 USD a month"]),
        # 2 x (0.068 - 0.034) x 730
        ("redis: {managed: elasticache, multi_az: true", "redis: {managed: elasticache, class: cache.t4g.medium, multi_az: true",
         ["redis class cache.t4g.small -> cache.t4g.medium: +49.64 USD", "together: +49.64 USD a month"]),
        # the replica stays, in the primary's zone
        ("redis: {managed: elasticache, multi_az: true", "redis: {managed: elasticache, multi_az: false", []),
        ("nodes: 2", "nodes: 3", ["memcached nodes 2 -> 3: +24.82 USD", "together: +24.82 USD a month"]),
        # 0.091 x 730 = 66.43 and a disk, 1.76
        ("always: 2, time: 2", "always: 3, time: 2",
         ["app instances 2 always + 2 time -> 3 always + 2 time: +68.19 USD", "together: +68.19 USD a month"]),
        # checks and options 3.00 less; 0.0252 x 730 = 18.396 and two addresses 7.30 more
        ("failover: route53", "failover: nlb", ["lb failover route53 -> nlb: +22.70 USD", "together: +22.70 USD a month"]),
        # 2 x 0.034 x 730 = 49.64 less; 2 x 0.0184 x 730 = 26.864 and disks 3.52 more; and one alarm less
        ("memcached: {managed: elasticache, nodes: 2, cross_az: true}", "memcached: 2",
         [("memcached managed elasticache -> nothing, nodes 2 -> nothing, cross_az true -> nothing, class cache.t4g.small -> t4g.small, "
           "instances 0 -> 2 always: -19.26 USD"), "alarms 13 alarms -> 12 alarms: -0.10 USD", "together: -19.36 USD a month"]),
        ("  monitor: 1\n", "", ["monitor gone: -15.19 USD", "alarms 13 alarms -> 12 alarms: -0.10 USD", "together: -15.29 USD a month"]),
        # a way out and its address: 0.048 x 730 + 0.005 x 730
        ("zones: [a, b]", "zones: [a, b, c]",
         ["network 2 NAT gateways -> 3 NAT gateways, their 2 public addresses -> their 3 public addresses: +38.69 USD", "together: +38.69 USD a month"]),
        # the third one serves no visitor with route53: 0.0184 x 730 = 13.432, a disk 1.76, an address 3.65, an alarm, and no check
        ("lb: {instances: 2", "lb: {instances: 3",
         ["lb instances 2 always -> 3 always: +18.84 USD", "alarms 13 alarms -> 14 alarms: +0.10 USD", "together: +18.94 USD a month"]),
        # what costs nothing is not told
        ("multi_az: true, class: db", "multi_az: true, backup_days: 9, class: db", []),
    ],
)  # fmt: skip
def test_a_tick_is_told_with_what_it_changes(old: str, new: str, told: list[str]) -> None:
    before = AWS.replace("multi_az: true, class: db", old) if old.startswith("multi_az: false") else AWS
    assert said(before, changed(old, new, before)) == told


def test_hours_by_the_clock_count_and_stopped_instances_cost_their_disk() -> None:
    schedule = "schedule: {windows: [{name: rush, days: [fri], from: '09:00', to: '12:00', instances: 4}]}"
    text = changed("class: m7g.large", f"class: m7g.large, {schedule}", AWS)
    line = next(line for line in estimate(text).lines if "by the clock" in line.what)
    assert line.what == "2 x m7g.large by the clock, together 6 h a week"
    assert round(line.cost.most, 4) == Decimal("2.3725")   # 6 / 168 x 730 = 26.0714 h x 0.091
    assert line.cost.least == line.cost.most


def test_what_load_decides_is_a_range() -> None:
    found = estimate(changed("{always: 2, time: 2}", "{always: 2, load: 2}", AWS))
    # 557.624 without them, or 2 x 0.091 x 730 = 132.86 more
    assert aws_costtext.money(found.total) == "557.62 to 690.48"
    # one of 0.091 x 730 = 66.43 that may run always or never, and its disk in either case
    assert said(AWS, changed("{always: 2, time: 2}", "{always: 2, time: 2, load: 1}", AWS)) == [
        "app instances 2 always + 2 time -> 2 always + 2 time + 1 load: +1.76 to +68.19 USD",
        "together: +1.76 to +68.19 USD a month"]  # fmt: skip


def test_what_an_auto_scaling_group_may_add_is_a_range() -> None:
    stack, known = parse(AWS), aws_cost.prices("eu-west-1")
    hours = aws_cost.hours_a_week(stack, MONDAY)
    now = aws_cost.of_stack(stack)
    before, after = (aws_cost.estimate(replace(now, groups=groups), known, hours) for groups in ({}, {"app": 4}))
    # 4 x (0.091 x 730 + 20 x 0.088) = 4 x (66.43 + 1.76), or nothing: what AWS ends has no disk either
    assert aws_costtext.difference(before, after, aws_cost.changes(before, after)) == [
        "app instances 2 always + 2 time -> 2 always + 2 time + up to 4 by asg: +0.00 to +272.76 USD", "together: +0.00 to +272.76 USD a month"]  # fmt: skip
    kept = {"boxes": stack.boxes, "instances": [], "groups": {"app": 4}}
    assert aws_cost.of_before(kept, stack).groups == {"app": 4}
    group = SimpleNamespace(largest=4)
    assert aws_cost.of_stack(SimpleNamespace(**(vars(stack) | {"all_zones": stack.all_zones, "groups": {"app": group}}))).groups == {"app": 4}  # type: ignore[arg-type]


def test_before_names_what_is_there_no_more() -> None:
    """Hours of an instance that is gone are not known any more."""
    stack = parse(AWS)
    before = {"boxes": stack.boxes, "instances": [{"name": "app-a-9", "layer": "app", "zone": "a", "type": "time", "online": False}]}
    found = aws_cost.estimate(aws_cost.of_before(before, stack), aws_cost.prices(stack.region), {})
    assert [(line.what, aws_costtext.money(line.cost)) for line in found.lines if line.box == "app"] == [
        ("1 x m7g.large by the clock, hours not known", "0.00 to 66.43"), ("1 disk of 20 GiB, billed also while stopped", "1.76")]  # fmt: skip


def test_a_price_that_is_missing_is_told_and_guessed_nowhere() -> None:
    text = changed("class: db.t4g.medium", "class: db.m7g.large", AWS)
    found = estimate(text)
    assert found.unknown() == ("db.m7g.large",)
    assert found.of("database").most == Decimal("25.400")   # the disks
    assert any("no price known for db.m7g.large" in line for line in aws_costtext.sheet(found))
    assert "without what has no price" in aws_costtext.sheet(found)[-1]
    lines = aws_costtext.notes(found, aws_cost.prices("eu-west-1"))
    assert any("No price known for db.m7g.large in eu-west-1" in line and "https://aws.amazon.com/rds/mysql/pricing/" in line for line in lines)
    assert said(AWS, text) == [
        "database class db.t4g.medium -> db.m7g.large: -100.74 USD and no price known for db.m7g.large",
        "together without what has no price: -100.74 USD a month"]  # fmt: skip
    handed = estimate(text, {"db.m7g.large": 0.2})
    assert (handed.unknown(), handed.of("database").most) == ((), Decimal("317.400"))   # 2 x 0.2 x 730 = 292, disks 25.40


def test_a_region_without_prices_fails_nothing() -> None:
    found = estimate(changed("eu-west-1", "eu-central-1", AWS))
    assert found.total == aws_cost.Range()
    assert {"t4g.small", "db.t4g.medium", "nat_hour", "ebs_gb"} <= set(found.unknown())
    text = changed("eu-west-1", "eu-central-1", AWS)
    assert said(text, changed("class: db.t4g.medium", "class: db.t4g.large", text)) == [
        "database class db.t4g.medium -> db.t4g.large: no price known for db.t4g.medium, rds_gb, db.t4g.large",
        "together without what has no price: +0.00 USD a month"]  # fmt: skip
    first = aws_costtext.notes(found, aws_cost.prices("eu-central-1"))[0]
    assert "no prices of eu-central-1" in first and "eu-west-1 and us-east-1" in first


def test_what_is_assumed_can_be_said() -> None:
    one = estimate(AWS, assumed=aws_cost.Assumed(disk=30, nat="one", alarms=False))
    assert estimate(AWS, assumed=aws_cost.Assumed(https=True)).total.most == Decimal("559.624")  # another option of two checks
    # 9 disks of 10 GiB more are 7.92; a way out and its address less 38.69; no alarms 1.30
    assert one.total.most - estimate(AWS).total.most == Decimal("7.92") - Decimal("38.69") - Decimal("1.30")


def test_every_price_says_where_it_comes_from_and_where_to_look_it_up() -> None:
    for region, sources in table.PRICES.items():
        names = [name for of_source in sources.values() for name in of_source]
        assert len(names) == len(set(names)), region
        assert sources.keys() <= table.SOURCES.keys()
        assert all(name in table.UNITS or SIZE.fullmatch(name) for name in names)
        assert all(aws_costtext.look_up(name).startswith("https://aws.amazon.com/") for name in names)
        assert aws_costtext.look_up("db.t4g.large").endswith("rds/mysql/pricing/") and aws_costtext.look_up("t4g.large").endswith("on-demand/")
        defaults = {kind["class"].default for _service, kind in MANAGED.values() if "class" in kind} | {kind["class"].default for kind in INSTANCES.values()}
        assert defaults | table.UNITS.keys() <= set(names), region
    assert all(source.date <= table.DATE for source in table.SOURCES.values())
    used = {source for sources in table.PRICES.values() for source in sources}
    assert used == table.SOURCES.keys()


def test_weak_prices_and_the_terms_are_told() -> None:
    lines = "\n".join(aws_costtext.notes(estimate(AWS), aws_cost.prices("eu-west-1")))
    assert "Not confirmed by a page: alarm_month, cache.t4g.small" in lines
    assert "load balancer" not in lines
    for word in ("An estimate", "on demand", table.DATE, "without traffic, taxes", "reserved"):
        assert word in lines
    nlb = estimate(changed("failover: route53", "failover: nlb", AWS))
    assert "capacity unit of a network load balancer 0.006 per hour" in "\n".join(aws_costtext.notes(nlb, aws_cost.prices("eu-west-1")))


@pytest.mark.parametrize("price", [-1, "cheap", True, "NaN"])
def test_a_price_that_is_none_is_refused_with_the_mend(price: object) -> None:
    with pytest.raises(PlanError, match=r"prices\.t4g\.small.*mend"):
        aws_cost.prices("eu-west-1", {"t4g.small": price})


@pytest.mark.parametrize("before", [{"instances": [{"name": "app-a-1"}]}, {"boxes": [1]}, {"instances": 3}, {"boxes": {"database": {"storage": "big"}}}])
def test_a_before_that_is_none_is_refused(before: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match=r"before.*aws\.json"):
        aws_cost.of_before(before, parse(AWS))


PLAY = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - trust.stack.stack_cost: {stack_file: stack.yml, before: "{{ before | default({}) }}"}
      register: cost
    - debug: {msg: "{{ cost.said }}"}
"""


def test_ansible_shows_the_difference_and_changes_nothing_without_one(tmp_path: Path) -> None:
    (tmp_path / "stack.yml").write_text(AWS, encoding="utf-8")
    (tmp_path / "play.yml").write_text(PLAY, encoding="utf-8")
    stack = parse(AWS)
    boxes = {layer: dict(box) for layer, box in stack.boxes.items()}
    boxes["database"]["multi_az"] = False
    machines = [{"name": one.name, "layer": one.layer, "zone": one.zone, "type": one.type} for one in stack.instances]

    def play(**before: Any) -> str:
        (tmp_path / "before.json").write_text(json.dumps({"before": before}), encoding="utf-8")
        ran = ansible(tmp_path, "playbook", "-i", "localhost,", "play.yml", "--check", "--diff", "-e", "@before.json")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    shown = play(boxes=boxes, instances=machines)
    assert "+database multi_az false -> true: +63.07 USD" in shown
    assert re.search(r"^-database +1 x db\.t4g\.medium, in one zone +50\.37$", shown, re.M)
    assert re.search(r"^\+database +2 x db\.t4g\.medium, in two zones +100\.74$", shown, re.M)
    assert re.search(r"^\+\+\+ after: shop, USD a month, as ticked", shown, re.M)
    assert "changed=1" in shown
    assert "An estimate" in shown
    boxes["database"]["multi_az"] = True
    assert "changed=0" in play(boxes=boxes, instances=machines)
    assert "changed=0" in play()


def test_a_stack_elsewhere_has_no_such_price(tmp_path: Path) -> None:
    (tmp_path / "stack.yml").write_text(GOOD, encoding="utf-8")
    ran = ansible(tmp_path, "adhoc", "localhost", "-m", "trust.stack.stack_cost", "-a", "stack_file=stack.yml")
    assert '"lines": []' in ran.stdout, ran.stdout + ran.stderr
