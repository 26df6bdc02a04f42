"""The stack file of a stack on AWS: what its boxes give, and what is said about each mistake."""

from __future__ import annotations

import pytest
from ansible_collections.trust.stack.plugins.module_utils.stackfile import parse
from test_stackfile import GOOD, changed, names, only, problems

AWS = """\
plugin: trust.stack.stack
stack: shop
provider: ec2
region: eu-west-1
zones: [a, b]
layers:
  lb: {instances: 2, failover: route53}
  app: {instances: {always: 2, time: 2}, class: m7g.large}
  worker: 2
  database: {managed: rds, engine: mysql, multi_az: true, class: db.t4g.medium}
  redis: {managed: elasticache, multi_az: true}
  memcached: {managed: elasticache, nodes: 2, cross_az: true}
  mail: {managed: ses, domain: example.com}
  monitor: 1
"""


def test_the_boxes_say_what_stands_in_for_instances() -> None:
    stack = parse(AWS)
    assert (stack.region, stack.all_zones) == ("eu-west-1", ("a", "b"))
    assert names(stack, "app") == ["app-a-1", "app-b-1", "app-a-2", "app-b-2"]
    assert [stack.managed(layer) for layer in ("database", "redis", "memcached", "mail", "app")] == ["rds", "elasticache", "elasticache", "ses", ""]
    assert names(stack, "database") == names(stack, "mail") == []


def test_what_is_not_said_has_a_default() -> None:
    boxes = parse(AWS).boxes
    assert boxes["database"] == {
        "managed": "rds", "engine": "mysql", "version": "", "multi_az": True, "class": "db.t4g.medium", "storage": 100, "backup_days": 7}  # fmt: skip
    assert boxes["redis"] == {"managed": "elasticache", "version": "7.1", "multi_az": True, "class": "cache.t4g.small", "backup_days": 1}
    assert boxes["memcached"] == {"managed": "elasticache", "nodes": 2, "cross_az": True, "class": "cache.t4g.small"}
    assert boxes["lb"] == {"class": "t4g.small", "failover": "route53", "domain": ""}
    assert (boxes["app"], boxes["worker"]) == ({"class": "m7g.large"}, {"class": "t4g.medium"})


@pytest.mark.parametrize(
    ("old", "new", "layer", "key", "value"),
    [
        ("multi_az: true, class: db", "multi_az: false, class: db", "database", "multi_az", False),
        ("db.t4g.medium", "db.r7g.2xlarge", "database", "class", "db.r7g.2xlarge"),
        ("engine: mysql", 'engine: mariadb, version: "11.8"', "database", "version", "11.8"),
        ("nodes: 2", "nodes: 3", "memcached", "nodes", 3),
        ("cross_az: true", "cross_az: no", "memcached", "cross_az", False),
        ("failover: route53", "failover: nlb, domain: tickets.example.com", "lb", "domain", "tickets.example.com"),
    ],
)
def test_each_box_can_be_changed(old: str, new: str, layer: str, key: str, value: object) -> None:
    before, after = parse(AWS).boxes, parse(changed(old, new, AWS)).boxes
    assert after[layer][key] == value
    assert {name: box for name, box in before.items() if name != layer} == {name: box for name, box in after.items() if name != layer}


def test_memcached_may_stay_on_instances() -> None:
    stack = parse(changed("{managed: elasticache, nodes: 2, cross_az: true}", "2", AWS))
    assert names(stack, "memcached") == ["memcached-a-1", "memcached-b-1"]
    assert stack.boxes["memcached"] == {"class": "t4g.small"}


# what is changed: (old, new), then line, key path, a part of what is said, of what was found, of the mend
MISTAKES = {
    "no region": (("region: eu-west-1\n", ""), 3, "region", "must be told where", "nothing", "nearest"),
    "a region's name": (("eu-west-1", "Ireland"), 4, "region", "cannot be used", '"Ireland"', "choose another"),
    "a zone's whole name": (("[a, b]", "[a, eu-west-1b]"), 5, "zones", "no zone there", '"eu-west-1b"', '"b"'),
    "no failover": ((", failover: route53", ""), 7, "layers.lb", "past a balancer that fails", "nothing", "failover: route53"),
    "another failover": (("route53", "keepalived"), 7, "layers.lb.failover", "choices", '"keepalived"', "route53"),
    "one balancer": (("{instances: 2, failover", "{instances: 1, failover"), 7, "layers.lb", "nothing could take over", "1", "lb: 2"),
    "a size without its service": (("db.t4g.medium", "t4g.medium"), 10, "layers.database.class", "cannot be used", '"t4g.medium"', "choose"),
    "another service": (("managed: rds", "managed: aurora"), 10, "layers.database.managed", "choices", '"aurora"', "rds"),
    "a version that YAML rounds": (("engine: mysql", "version: 8.40"), 10, "layers.database.version", "must be a text", "8.40", "quotes"),
    "a small disk": (("engine: mysql", "storage: 5"), 10, "layers.database.storage", "cannot be", '"5"', "remove"),
    "neither true nor false": (("multi_az: true}", "multi_az: both}"), 11, "layers.redis.multi_az", "true or false", '"both"', "true"),
    "true in quotes": (("multi_az: true}", 'multi_az: "true"}'), 11, "layers.redis.multi_az", "true or false", '"true"', "without quotes"),
    "one node": (("nodes: 2", "nodes: 1"), 12, "layers.memcached.nodes", "cannot be", '"1"', "remove"),
    "an unknown key": (("cross_az", "crossaz"), 12, "layers.memcached.crossaz", "no such key", '"crossaz"', '"cross_az"'),
    "mail without a domain": ((", domain: example.com", ""), 13, "layers.mail", '"domain" is missing', "nothing", "add it"),
    "no domain": (("domain: example.com", "domain: example"), 13, "layers.mail.domain", "cannot be used", '"example"', "choose"),
    "instances of a service": (
        ("{managed: rds, engine: mysql, multi_az: true, class: db.t4g.medium}", "2"),
        10, "layers.database", "is a service", "2 instances", "{managed: rds}",
    ),
    "a mail sink": (("{managed: ses, domain: example.com}", "1"), 13, "layers.mail", "is a service", "1 instances", "domain: example.com"),
    "a managed app": (("worker: 2", "worker: {managed: lambda}"), 9, "layers.worker.managed", "stands in", '"lambda"', "worker: 2"),
    "two kinds of processor": (
        ("worker: 2", "worker: {instances: 2, class: m7i.large}"), 9, "layers.worker.class", "one kind of processor", '"m7i.large"', "Graviton"),
    "an arbiter without voters": (("  monitor: 1", "  monitor: 1\n  arbiter: 1"), 15, "layers.arbiter", "needs the arbiter", "arbiter", "remove"),
    "no mail": (("  mail: {managed: ses, domain: example.com}\n", ""), 8, "layers.app", "needs others", "no layer mail", "mail: {managed: ses"),
    "a virtual address": (("layers:", "virtual_ip: 192.0.2.1\nlayers:"), 6, "virtual_ip", "finds the virtual", "192.0.2.1", "remove"),
}  # fmt: skip
QUORUM = {"an arbiter without voters": ("zones: [a, b]\n", "zones: [a, b]\nquorum_zone: c\n")}


@pytest.mark.parametrize("case", MISTAKES)
def test_one_mistake_is_told_once_with_its_line(case: str) -> None:
    change, line, path, what, found, mend = MISTAKES[case]
    one = only(changed(*change, changed(*QUORUM.get(case, ("", "")), AWS)))
    assert (one.line - (case in QUORUM), one.path) == (line, path)
    assert what in one.what
    assert found in one.found
    assert mend in one.mend


def test_boxes_belong_to_ec2() -> None:
    one = only(changed("database: 2", "database: {managed: rds}", GOOD))
    assert (one.path, one.found) == ("layers.database.managed", '"rds"')
    assert "provider: ec2" in one.mend
    assert only(changed("zones:", "region: eu-west-1\nzones:", GOOD)).path == "region"
    assert only(changed("lb: 2", "lb: {instances: 2, failover: route53}", GOOD)).path == "layers.lb.failover"


def test_a_local_stack_with_another_provider_is_told_all_that_it_needs() -> None:
    found = [one.path for one in problems(changed("podman", "ec2", GOOD))]
    assert found == ["region", "layers.lb", "layers.database", "layers.redis", "layers.mail"]
