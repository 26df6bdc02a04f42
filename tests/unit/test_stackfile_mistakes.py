"""What the stack file says about each mistake: one message, with the line, the key path and the mend."""

from __future__ import annotations

import pytest
from test_stackfile import GOOD, STATIC, changed, only

LIST = "app: [{name: app-a-1, zone: a}, {name: app-b-1, zone: b}"
# what is changed: (old, new), then line, key path, a part of what is said, of what was found, of the mend
MISTAKES = {
    "unknown layer": (
        ("database: 2", "databse: 2"),
        11, "layers.databse", "no such layer", '"databse"', '"database"',
    ),
    "a layer's other name": (("lb: 2", "haproxy: 2"), 8, "layers.haproxy", "no such layer", '"haproxy"', '"lb"'),
    "unknown key": (("quorum_zone", "quorumzone"), 6, "quorumzone", "no such key", '"quorumzone"', '"quorum_zone"'),
    "unknown key in a layer": (
        ("app: 2", "app: {count: 2, instances: 2}"), 9, "layers.app.count", "no such key", '"count"', '"instances"',
    ),
    "unknown key in an instance": (
        ("app: 2", f"{LIST}, {{name: x, zone: a, typ: time}}]"),
        9, "layers.app[2].typ", "no such key", '"typ"', '"type"',
    ),
    "a shop without a database": (("  database: 2\n", ""), 9, "layers.app", "needs others", "no layer database", '"database: 2"'),
    "one zone": (("[a, b]", "[a]"), 5, "zones", "one zone is not enough", "1 zone", "add a zone"),
    "a zone twice": (("[a, b]", "[a, b, a]"), 5, "zones[2]", "stands twice", '"a"', "remove"),
    "duplicate key": (("worker: 2", "worker: 2\n  app: 3"), 11, "layers.app", "stands twice", "line 9", "remove"),
    "duplicate key in variables": (
        ("layers:", "variables:\n  x: {b: 1,\n    b: 2}\nlayers:"),
        9, "variables.x.b", "stands twice", "line 8", "remove",
    ),
    "duplicate name": (
        ("app: 2", f"{LIST},\n    {{name: app-a-1, zone: b}}]"),
        10, "layers.app", "two instances", '"app-a-1"', "rename",
    ),
    "a group's name": (("app: 2", f"{LIST}, {{name: lb, zone: a}}]"), 9, "layers.app", "taken", '"lb"', "app-a-1"),
    "zero": (("app: 2", "app: 0"), 9, "layers.app", "cannot be", '"0"', "remove"),
    "negative": (("app: 2", "app: {instances: -1}"), 9, "layers.app.instances", "cannot be", '"-1"', "remove"),
    "too many": (("app: 2", "app: 20000"), 9, "layers.app", "cannot be", '"20000"', "smaller"),
    "nothing": (("app: 2", "app:"), 9, "layers.app", "no instances", "nothing", "2"),
    "an empty list": (("app: 2", "app: []"), 9, "layers.app", "no instances", "an empty list", "2"),
    "a word for a number": (("app: 2", "app: two"), 9, "layers.app", "must be a number", '"two"', "2"),
    "a number in quotes": (("app: 2", 'app: "2"'), 9, "layers.app", "must be a number", '"2"', "without quotes"),
    "half an instance": (("app: 2", "app: 2.5"), 9, "layers.app", "must be a number", '"2.5"', "2"),
    "one of a pair": (
        ("app: 2", "app: 1"),
        9, "layers.app", "nothing could take over", "1 that is always on", "app: 2",
    ),
    "one of a pair at night": (
        ("app: 2", "app: [{name: app-a-1, zone: a}, {name: app-b-1, zone: b, type: time}]"),
        9, "layers.app", "nothing could take over", "1 that is always on", "app: 2",
    ),
    "both in one zone": (
        ("app: 2", "app: [{name: app-a-1, zone: a}, {name: app-a-2, zone: a}]"),
        9, "layers.app", "in one zone", "zone a", "zone b",
    ),
    "no arbiter": (
        ("  arbiter: 1\n", ""),
        11, "layers.database", "database and redis would stop", "1 of 2", "arbiter: 1",
    ),
    "three in two zones": (
        ("redis: 2", "redis: 3"),
        12, "layers.redis", "redis would stop", "2 of 4 votes", "redis: 2",
    ),
    "two arbiters": (("arbiter: 1", "arbiter: 2"), 14, "layers.arbiter", "even number of votes", "2", "arbiter: 1"),
    "no quorum zone": (
        ("quorum_zone: c\n", ""),
        13, "layers.arbiter", "a zone of its own", "no quorum_zone", "add quorum_zone",
    ),
    "quorum zone among the zones": (("zone: c", "zone: b"), 6, "quorum_zone", "fail together", '"b"', '"c"'),
    "arbiter elsewhere": (
        ("arbiter: 1", "arbiter: [{name: arbiter-a-1, zone: a}]"),
        14, "layers.arbiter", "fail together", "zone: a", "quorum zone",
    ),
    "database by the clock": (
        (
            "database: 2",
            "database: [{name: x, zone: a}, {name: y, zone: b}, {name: v, zone: a, type: time}, {name: w, zone: b}]",
        ),
        11, "layers.database", "cannot come and go", "type: time", "remove the type",
    ),
    "unknown zone": (("app: 2", f"{LIST}, {{name: x, zone: d}}]"), 9, "layers.app[2].zone", "choices", '"d"', '"a"'),
    "unknown type": (
        ("app: 2", f"{LIST}, {{name: x, zone: a, type: timed}}]"),
        9, "layers.app[2].type", "choices", '"timed"', '"time"',
    ),
    "a host of one's own": (
        ("app: 2", f"{LIST}, {{name: x, zone: a, host: 192.0.2.1}}]"),
        9, "layers.app[2].host", "your own machines", '"192.0.2.1"', "static",
    ),
    "no name": (
        ("app: 2", f"{LIST}, {{zone: a}}]"),
        9, "layers.app[2]", '"name" is missing', "nothing", "layers.app[2]",
    ),
    "bad letters": (("stack: local", "stack: My_Shop"), 3, "stack", "cannot be used", '"My_Shop"', '"my-shop"'),
    "bad letters in an instance": (
        ("app: 2", f"{LIST}, {{name: App 3, zone: a}}]"),
        9, "layers.app[2].name", "cannot be used", '"App 3"', "app-3",
    ),
    "a zone that YAML reads as no": (("[a, b]", "[a, no]"), 5, "zones[1]", "must be a text", "yes/no", '"no"'),
    "a number for a text": (("stack: local", "stack: 7"), 3, "stack", "must be a text", 'the number "7"', "quotes"),
    "provider": (("podman", "docker"), 4, "provider", "choices", '"docker"', '"podman"'),
    "another plugin": (
        ("trust.stack.stack", "trust.stack.stak"),
        2, "plugin", "choices", '"trust.stack.stak"', "trust.stack.stack",
    ),
    "layers as a list": (
        (GOOD[GOOD.index("layers:") :], "layers: [lb]"),
        7, "layers", "must be layers", "a list", "layer: value",
    ),
    "no layer": (
        (GOOD[GOOD.index("layers:") :], "layers: {}"),
        7, "layers", "there is no layer", "a mapping", "app: 2",
    ),
    "zones as a text": (("[a, b]", "a, b"), 5, "zones", "must be a list", '"a, b"', "[a, b]"),
    "a virtual address too many": (
        ("layers:", "virtual_ip: 192.0.2.9\nlayers:"),
        7, "virtual_ip", "finds the virtual", "192.0.2.9", "remove",
    ),
    "a variable's name": (
        ("layers:", "variables: {my-x: 1}\nlayers:"),
        7, "variables", "variable's name", '"my-x"', "_ for -",
    ),
    "variables as a list": (
        ("layers:", "variables: [a]\nlayers:"),
        7, "variables", "must be a mapping", "a list", "value",
    ),
    "a tab": (("  app: 2", "\tapp: 2"), 9, "", "a tab", "a tab", "two spaces"),
    "broken YAML": (("[a, b]", "[a, b"), 6, "", "not valid YAML", "quorum_zone", "brackets"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "line", "path", "what", "found", "mend"), MISTAKES.values(), ids=MISTAKES)
def test_one_mistake_is_told_once_with_its_line(change: tuple[str, str], line: int, path: str, what: str, found: str, mend: str) -> None:
    one = only(changed(*change))
    assert (one.line, one.path) == (line, path)
    assert what in one.what
    assert found in one.found
    assert mend in one.mend


@pytest.mark.parametrize("key", ["plugin: trust.stack.stack", "stack: local", "provider: podman", "zones: [a, b]"])
def test_a_missing_key(key: str) -> None:
    one = only(changed(key + "\n", ""))
    assert f'"{key.split(":")[0]}" is missing' in one.what
    assert one.expected == f'"{key}"'


def test_missing_layers() -> None:
    assert '"layers" is missing' in only(GOOD[: GOOD.index("layers:")]).what


@pytest.mark.parametrize(("text", "what"), [("", "empty"), ("---\n# nothing\n", "empty"), ("- a\n", "not a stack"), ("lb", "not a stack")])
def test_no_stack_at_all(text: str, what: str) -> None:
    assert what in only(text).what


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("virtual_ip: 192.0.2.10\n", ""), "an address that moves"),
        (("192.0.2.12", "192.0.2.11"), "address is taken"),
        (("192.0.2.12", "192.0.2.10"), "address is taken"),
        (("192.0.2.12", "my-host"), "not an address"),
        ((", host: 192.0.2.12", ""), '"host" is missing'),
        (("lb:", "app: 2\n  lb:"), "must be listed"),
    ],
)
def test_mistakes_with_own_machines(change: tuple[str, str], what: str) -> None:
    assert what in only(changed(*change, STATIC)).what
