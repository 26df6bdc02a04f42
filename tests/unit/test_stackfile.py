"""The stack file: what it gives, and what it says about each mistake."""

from __future__ import annotations

import pytest
from ansible_collections.trust.stack.plugins.module_utils.stackfile import LAYERS, MOST, Stack, parse
from ansible_collections.trust.stack.plugins.module_utils.stackfile_nodes import SHOWN, Problem, StackFileError
from hypothesis import given, settings
from hypothesis import strategies as st

GOOD = """\
---
plugin: trust.stack.stack
stack: local
provider: podman
zones: [a, b]
quorum_zone: c
layers:
  lb: 2
  app: 2
  worker: 2
  database: 2
  redis: 2
  memcached: 2
  arbiter: 1
  mail: 1
"""
STATIC = """\
plugin: trust.stack.stack
stack: own
provider: static
zones: [a, b]
virtual_ip: 192.0.2.10
layers:
  lb:
    - {name: lb-a-1, zone: a, host: 192.0.2.11}
    - {name: lb-b-1, zone: b, host: 192.0.2.12}
"""


def changed(old: str, new: str, text: str = GOOD) -> str:
    assert old in text
    return text.replace(old, new)


def problems(text: str) -> list[Problem]:
    with pytest.raises(StackFileError) as caught:
        parse(text)
    return caught.value.problems


def only(text: str) -> Problem:
    found = problems(text)
    assert len(found) == 1, found
    return found[0]


def names(stack: Stack, layer: str) -> list[str]:
    return [one.name for one in stack.layer(layer)]


def test_a_good_file() -> None:
    stack = parse(GOOD)
    assert (stack.name, stack.provider, stack.all_zones) == ("local", "podman", ("a", "b", "c"))
    assert names(stack, "app") == ["app-a-1", "app-b-1"]
    assert [(one.name, one.zone) for one in stack.layer("arbiter") + stack.layer("mail")] == [
        ("arbiter-c-1", "c"),
        ("mail-c-1", "c"),
    ]
    assert {one.type for one in stack.instances} == {"always"}


def test_instances_alternate_over_the_zones() -> None:
    assert names(parse(changed("app: 2", "app: 5")), "app") == ["app-a-1", "app-b-1", "app-a-2", "app-b-2", "app-a-3"]


def test_the_three_forms_of_a_layer_are_one() -> None:
    listed = "app:\n    - {name: app-a-1, zone: a}\n    - {name: app-b-1, zone: b, type: always}"
    mapping = "app: {instances: 2, variables: {app_workers: 4}}"
    for form in (listed, mapping):
        assert names(parse(changed("app: 2", form)), "app") == ["app-a-1", "app-b-1"]
    assert parse(changed("app: 2", mapping)).has_variables
    assert not parse(GOOD).has_variables


def test_instances_that_come_and_go() -> None:
    listed = "app: [{name: app-a-1, zone: a}, {name: app-b-1, zone: b}, {name: app-a-2, zone: a, type: time}]"
    assert [one.type for one in parse(changed("app: 2", listed)).layer("app")] == ["always", "always", "time"]


def test_own_machines() -> None:
    assert [one.host for one in parse(STATIC).instances] == ["192.0.2.11", "192.0.2.12"]


def test_three_zones_need_no_arbiter() -> None:
    text = changed("[a, b]", "[a, b, d]").replace("  arbiter: 1\n", "").replace("database: 2", "database: 3")
    assert names(parse(text.replace("redis: 2", "redis: 3")), "database") == [
        "database-a-1",
        "database-b-1",
        "database-d-1",
    ]


def test_all_mistakes_are_collected_and_the_first_are_shown() -> None:
    text = "".join(f"a{number}x: 1\n" for number in range(SHOWN + 3)) + GOOD[4:]
    with pytest.raises(StackFileError) as caught:
        parse(text, "shop/stack.yml")
    shown = str(caught.value)
    assert len(caught.value.problems) == SHOWN + 3
    assert [f"shop/stack.yml:{number + 1}: " in shown for number in range(SHOWN + 3)] == [True] * SHOWN + [False] * 3
    assert f"{SHOWN + 3} mistakes" in shown
    assert "and 3 more" in shown


def test_the_message_has_everything() -> None:
    with pytest.raises(StackFileError) as caught:
        parse(changed("app: 2", "ap: 2"), "shop/stack.yml")
    assert str(caught.value).splitlines()[2:] == [
        "shop/stack.yml:9: layers.ap: there is no such layer",
        '    found:    "ap"',
        "    expected: one of: lb, app, worker, database, redis, memcached, arbiter, monitor, mail",
        '    mend:     did you mean "app"?',
    ]


@settings(deadline=None)
@given(
    st.sampled_from([layer for layer in LAYERS if layer not in ("arbiter", "monitor", "mail")]),
    st.integers(1, 12),
    st.integers(1, 12),
)
def test_growing_never_renames(layer: str, few: int, more: int) -> None:
    def instances(number: int) -> list[tuple[str, str]]:
        text = changed(f"{layer}: 2", f"{layer}: {2 * number}")
        return [(one.name, one.zone) for one in parse(text).layer(layer)]

    assert instances(few + more)[: 2 * few] == instances(few)


@settings(deadline=None)
@given(st.integers(2, MOST), st.integers(1, 20), st.lists(st.sampled_from("abdefgh"), min_size=2, unique=True))
def test_names_are_unique(app: int, worker: int, zones: list[str]) -> None:
    text = changed("[a, b]", f"[{', '.join(zones)}]").replace("app: 2", f"app: {app}").replace("worker: 2", f"worker: {worker + 1}")
    every = [one.name for one in parse(text).instances]
    assert len(every) == len(set(every))


@settings(max_examples=300, deadline=None)
@given(st.text() | st.text(alphabet="ab:[]{}-&*!|>'\"#%\n\t 01,?"))
def test_no_text_crashes_it(text: str) -> None:
    with pytest.raises(StackFileError):
        parse(text)


def mistakes(text: str) -> list[Problem]:
    try:
        parse(text)
    except StackFileError as error:
        return error.problems or [Problem(0, "", "an error without a problem", "", "", "")]
    return []


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(GOOD)), st.integers(0, 12), st.text(alphabet="ab:[]{}-&*!|>'\"#%\n\t 01,?", max_size=8))
def test_no_slip_in_a_good_file_crashes_it(start: int, length: int, new: str) -> None:
    found = mistakes(GOOD[:start] + new + GOOD[start + length :])
    assert all(1 <= one.line <= GOOD.count("\n") + 10 and one.what and one.mend for one in found)


CIRCLE = "variables: &a\n  x: *a\n" + GOOD[4:]
BROKEN = ["a: " + "[" * 1000, "&a [*a]", "a: b: c", "\x00", "? [a]\n: b", CIRCLE.replace("app: 2", "app: *a")]


@pytest.mark.parametrize("text", BROKEN)
def test_yaml_that_goes_in_circles(text: str) -> None:
    assert all(one.line >= 1 for one in mistakes(text))
    assert mistakes(text)


def test_variables_may_go_in_circles() -> None:
    assert not mistakes(CIRCLE)
