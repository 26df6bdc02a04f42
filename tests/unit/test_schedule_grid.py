"""OpsWorks' grid: the hours it means, what it refuses, and that it goes in and out unchanged."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.trust.stack.plugins.module_utils.schedule import LayerSchedule, Member, edges, wanted
from ansible_collections.trust.stack.plugins.module_utils.schedule_grid import DAYS, Grid, GridError, export, merge, parse
from hypothesis import given, settings
from hypothesis import strategies as st

GRIDS, MINUTES = 1000, 8 * 24 * 60
START = datetime(2028, 2, 26, 7, 31, tzinfo=UTC)  # 8 days over a leap day, from the middle of an hour
DATA = st.dictionaries(
    st.sampled_from(DAYS),
    st.dictionaries(st.integers(0, 23).map(str), st.sampled_from(["on", "off"])),
)
Data = dict[str, dict[str, str]]


def made(seed: int) -> Data:
    pick = random.Random(seed)  # noqa: S311
    days = pick.sample(DAYS, pick.randint(0, 7))
    return {day: {str(hour): pick.choice(["on", "off"]) for hour in pick.sample(range(24), pick.randint(0, 24))} for day in days}


def reference(data: list[Data]) -> list[list[bool]]:
    """Minute by minute and grid by grid, by the names of the days as strftime has them: as OpsWorks' guide tells it."""
    marks = [(f"{now:%A}", str(int(f"{now:%H}"))) for now in (START + timedelta(minutes=n) for n in range(MINUTES))]
    return [[hours[day][hour] == "on" if day in hours and hour in hours[day] else False for day, hour in marks] for hours in data]


@pytest.fixture(scope="module")
def grids() -> list[Data]:
    return [made(seed) for seed in range(GRIDS)]


@pytest.fixture(scope="module")
def expected(grids: list[Data]) -> list[list[bool]]:
    return reference(grids)


def test_a_thousand_grids_on_each_minute_of_eight_days(grids: list[Data], expected: list[list[bool]]) -> None:
    names = [str(number) for number in range(GRIDS)]
    layer = LayerSchedule("app", timed=tuple(Member(name, "a", parse(data)) for name, data in zip(names, grids, strict=True)))
    columns = list(zip(*expected, strict=True))
    mismatches = 0
    for minute in range(MINUTES):
        there = [name for name, on in zip(names, columns[minute], strict=True) if on]
        mismatches += list(wanted(layer, START + timedelta(minutes=minute))) != there
    assert mismatches == 0
    assert sum(map(sum, expected)) > GRIDS * MINUTES / 10  # it looked at something


def test_a_thousand_grids_come_and_go_at_their_edges(grids: list[Data], expected: list[list[bool]]) -> None:
    for data, there in zip(grids, expected, strict=True):
        layer = LayerSchedule("app", timed=(Member("x", "a", parse(data)),))
        found = edges(layer, START + timedelta(minutes=1), START + timedelta(minutes=MINUTES))
        assert found == [START + timedelta(minutes=n) for n in range(1, MINUTES) if there[n] != there[n - 1]]


@settings(deadline=None)
@given(DATA)
def test_out_comes_what_went_in(data: Data) -> None:
    assert export(parse(data)) == data
    assert list(export(parse(data))) == list(data)
    for wrapped in ({"AutoScalingSchedule": data}, {"InstanceId": "i", "AutoScalingSchedule": data}, {"TimeBasedAutoScaling": data}):
        assert parse(wrapped) == parse(data)


@settings(deadline=None)
@given(DATA, DATA)
def test_an_update_replaces_only_the_hours_it_says(old: Data, update: Data) -> None:
    merged = export(merge(parse(old), parse(update)))
    for day in DAYS:
        for hour in map(str, range(24)):
            said = update.get(day, {}).get(hour) or old.get(day, {}).get(hour)
            assert merged.get(day, {}).get(hour) == said
    assert set(merged) == set(old) | set(update)
    assert merge(parse(old), Grid()) == parse(old)


def test_an_off_undoes_an_earlier_on() -> None:
    merged = merge(parse({"Friday": {"9": "on", "10": "on"}}), parse({"Friday": {"9": "off"}}))
    friday = datetime(2027, 3, 12, tzinfo=UTC)
    assert [hour for hour in range(24) if merged.wanted(friday + timedelta(hours=hour))] == [10]


MISTAKES: list[tuple[Any, str, str, str, str]] = [
    ({"Friday": {"24": "on"}}, "x.Friday.24", "no such hour", '"24"', '"0" of the next day'),
    ({"Friday": {"-1": "on"}}, "x.Friday.-1", "no such hour", '"-1"', "24 hours"),
    ({"Friday": {"09": "on"}}, "x.Friday.09", "no such hour", '"09"', 'write "9"'),
    ({"Friday": {"٩": "on"}}, "x.Friday.٩", "no such hour", '"٩"', "24 hours"),
    ({"Friday": {9: "on"}}, "x.Friday.9", "no such hour", "9 without quotes", 'write "9"'),
    ({"Friday": {"9": "ON"}}, "x.Friday.9", "neither on nor off", '"ON"', 'write "on"'),
    ({"Friday": {"9": True}}, "x.Friday.9", "neither on nor off", "True without quotes", 'write "on"'),
    ({"Friday": {"9": None}}, "x.Friday.9", "neither on nor off", "None", 'write "on"'),
    ({"Mon": {"9": "on"}}, "x.Mon", "no such day", '"Mon"', '"Monday"'),
    ({"tuesday": {}}, "x.tuesday", "no such day", '"tuesday"', '"Tuesday"'),
    ({"Samstag": {}}, "x.Samstag", "no such day", '"Samstag"', "English"),
    ({"Friday": ["9"]}, "x.Friday", "must be hours", "a list", '{"9": "on"}'),
    ([], "x", "not a grid", "a list", "Friday"),
    ({"AutoScalingSchedule": {"Mon": {}}}, "x.AutoScalingSchedule.Mon", "no such day", '"Mon"', '"Monday"'),
    ({"AutoScalingSchedule": {}, "Monday": {}}, "x.AutoScalingSchedule", "no such day", '"AutoScalingSchedule"', "in full"),
]


@pytest.mark.parametrize(("data", "path", "what", "found", "mend"), MISTAKES, ids=[row[1] for row in MISTAKES])
def test_what_opsworks_would_not_have_taken(data: Any, path: str, what: str, found: str, mend: str) -> None:
    with pytest.raises(GridError) as caught:
        parse(data, "x")
    one = caught.value
    assert one.path == path
    assert path in str(one)
    assert what in one.mistake.what
    assert found in one.mistake.found
    assert mend in one.mistake.mend
