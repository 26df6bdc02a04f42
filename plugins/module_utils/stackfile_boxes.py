# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The boxes of a stack on AWS: what its layers may say when a service of AWS stands in for instances, and about instances there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from .stackfile_nodes import Reader

DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
DOMAIN_EXPECTED = "a domain in small letters, such as tickets.example.com"
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
VERSION = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True)
class Flag:
    """True or false."""

    default: bool


@dataclass(frozen=True)
class Number:
    least: int
    most: int
    default: int


@dataclass(frozen=True)
class Word:
    """A text that matches; without a default it must be there, unless `needed` is False."""

    pattern: re.Pattern[str]
    expected: str
    default: str = ""
    needed: bool = False


@dataclass(frozen=True)
class Choice:
    of: tuple[str, ...]
    default: str = ""  # empty: it must be said


Kind = Flag | Number | Word | Choice


def size(prefix: str, default: str) -> Word:
    """The size of a machine, in the words of the service: EC2's m7g.large, RDS' db.m7g.large, ElastiCache's cache.m7g.large."""
    return Word(re.compile(rf"{re.escape(prefix)}[a-z][a-z0-9-]*\.[a-z0-9]+"), f"a size such as {default}", default)


# layer: the service that may stand in for its instances, and what can be said of it
MANAGED: dict[str, tuple[str, dict[str, Kind]]] = {
    "database": ("rds", {
        "engine": Choice(("mysql", "mariadb"), "mysql"),
        "version": Word(VERSION, 'a version in quotes, such as "8.4"'),
        "multi_az": Flag(True),
        "class": size("db.", "db.t4g.medium"),
        "storage": Number(20, 65536, 100),  # GiB
        "backup_days": Number(1, 35, 7),
    }),
    "redis": ("elasticache", {
        "version": Word(VERSION, 'a version in quotes, such as "7.1"', "7.1"),
        "multi_az": Flag(True),
        "class": size("cache.", "cache.t4g.small"),
        "backup_days": Number(0, 35, 1),
    }),
    "memcached": ("elasticache", {
        "nodes": Number(2, 40, 2),
        "cross_az": Flag(True),
        "class": size("cache.", "cache.t4g.small"),
    }),
    "mail": ("ses", {"domain": Word(DOMAIN, DOMAIN_EXPECTED, needed=True)}),
}  # fmt: skip
# What can be said of instances there, beside their number.
INSTANCES: dict[str, dict[str, Kind]] = {
    "lb": {
        "class": size("", "t4g.small"),
        "failover": Choice(("route53", "nlb")),
        "domain": Word(DOMAIN, DOMAIN_EXPECTED),
    },
    "app": {"class": size("", "t4g.medium")},
    "worker": {"class": size("", "t4g.medium")},
    "memcached": {"class": size("", "t4g.small")},
    "monitor": {"class": size("", "t4g.small")},
}
# Nothing there moves the address that the balancers share at home, over which the app finds its database, and a mail sink is no mail service.
ALWAYS_MANAGED = ("database", "redis", "mail")


def example(layer: str) -> str:
    """What one could write for a managed layer."""
    said = "".join(f", {key}: example.com" for key, kind in MANAGED[layer][1].items() if isinstance(kind, Word) and kind.needed)
    return f"{{managed: {MANAGED[layer][0]}{said}}}"


def is_managed(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode) and any(key.value == "managed" for key, _value in node.value)


def managed(reader: Reader, node: yaml.Node, layer: str, provider: str, also: Mapping[str, str]) -> dict[str, Any]:
    """What a box says, with the defaults for what it does not say; {} when it cannot be."""
    path = f"layers.{layer}"
    values = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    if layer not in MANAGED:
        expected, mend = f"managed in: {', '.join(MANAGED)}", f"write for example {layer}: 2"
        reader.note(values["managed"], f"{path}.managed", f"no service stands in for {layer} instances", expected, mend)
        return {}
    service, kinds = MANAGED[layer]
    if provider and provider != "ec2":
        expected, mend = f"instances, with provider: {provider}", f'write for example "{layer}: 2", or provider: ec2'
        reader.note(values["managed"], f"{path}.managed", f"{service} is a service of AWS", expected, mend)
        return {}
    needed = {key: isinstance(kind, Word) and kind.needed for key, kind in kinds.items()}
    keys = reader.mapping(node, path, {"managed": True, **needed, "variables": False}, also)
    reader.choice(keys["managed"], f"{path}.managed", (service,))
    return {"managed": service} | _said(reader, keys, kinds, path)


def instances(reader: Reader, keys: Mapping[str, yaml.Node], layer: str) -> dict[str, Any]:
    """What a layer of instances on EC2 says beside their number; `keys` may be empty."""
    return _said(reader, keys, INSTANCES.get(layer, {}), f"layers.{layer}")


def _said(reader: Reader, keys: Mapping[str, yaml.Node], kinds: Mapping[str, Kind], path: str) -> dict[str, Any]:
    return {key: _value(reader, keys[key], f"{path}.{key}", kind) if key in keys else kind.default for key, kind in kinds.items()}


def _value(reader: Reader, node: yaml.Node, path: str, kind: Kind) -> Any:
    if isinstance(kind, Flag):
        return reader.flag(node, path)
    if isinstance(kind, Number):
        return reader.count(node, path, kind.most, kind.least)
    if isinstance(kind, Choice):
        return reader.choice(node, path, kind.of)
    return reader.text(node, path, kind.pattern, kind.expected)
