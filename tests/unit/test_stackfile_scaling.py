"""The keys of the stack file that say when instances come and go: what they give, and what is said about each mistake."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
import yaml
from ansible_collections.trust.stack.plugins.module_utils.load import DEFAULT_DOWN, DEFAULT_UP, LoadSettings, Thresholds
from ansible_collections.trust.stack.plugins.module_utils.schedule import DAY, LayerSchedule, Member, Window
from ansible_collections.trust.stack.plugins.module_utils.schedule_grid import export
from ansible_collections.trust.stack.plugins.module_utils.schedule_grid import parse as grid
from ansible_collections.trust.stack.plugins.module_utils.stackfile import MOST, Stack, parse
from ansible_collections.trust.stack.plugins.module_utils.stackfile_nodes import Reader
from ansible_collections.trust.stack.plugins.module_utils.stackfile_scaling import export_load, load
from hypothesis import given, settings
from hypothesis import strategies as st
from test_stackfile import GOOD, STATIC, changed, mistakes, only

APP = """\
  app:
    instances: {always: 2, time: 2, load: 2}
    schedule:
      time_zone: Europe/Dublin
      ready_by: true
      on_sales: false
      windows:
        - {name: friday rush, days: [fri], from: "09:30", to: "12:00", instances: 4}
        - {name: evenings, days: [mon, tue], from: "18:00", to: "00:30", instances: [app-a-2], except: [2026-12-28]}
        - {name: spring sale, at: "2027-03-14 10:00", for: 90 min, time_zone: America/New_York, instances: 3}
        - {name: always, from: "00:00", to: "24:00", instances: 3, priority: 7}
      except: ["2026-12-25", "2026-12-26"]
    load:
      Enable: true
      UpScaling: {InstanceCount: 2, ThresholdsWaitTime: 3, CpuThreshold: 70.5, QueueThreshold: 1, MemoryThreshold: -1, Alarms: []}
      DownScaling: {IgnoreMetricsTime: 100, CpuThreshold: -1}
"""
LIST = "  app: [{name: app-a-1, zone: a}, {name: app-b-1, zone: b}, {name: app-a-2, zone: a, type: time, "
FULL = changed("  app: 2\n", APP) + "  monitor: 1\n"
TOP = "layers.app.schedule"


def test_a_full_file() -> None:
    stack = parse(FULL)
    skip = frozenset([date(2026, 12, 25), date(2026, 12, 26)])
    assert [(one.name, one.type) for one in stack.layer("app")] == [
        ("app-a-1", "always"),
        ("app-b-1", "always"),
        ("app-a-2", "time"),
        ("app-b-2", "time"),
        ("app-a-3", "load"),
        ("app-b-3", "load"),
    ]
    assert [one.name for one in stack.movable] == ["app-a-2", "app-b-2", "app-a-3", "app-b-3"]
    assert stack.schedules == {
        "app": LayerSchedule(
            "app",
            (Member("app-a-1", "a"), Member("app-b-1", "b")),
            (Member("app-a-2", "a"), Member("app-b-2", "b")),
            (
                Window("friday rush", 4, "Europe/Dublin", frozenset([4]), 570, 720, skip),
                Window("evenings", ("app-a-2",), "Europe/Dublin", frozenset([0, 1]), 1080, DAY + 30, skip | {date(2026, 12, 28)}),
                Window("spring sale", 3, "America/New_York", at=datetime(2027, 3, 14, 10), length=timedelta(minutes=90), priority=10),
                Window("always", 3, "Europe/Dublin", begin=0, end=DAY, skip=skip, priority=7),
            ),
        )
    }
    up = Thresholds(2, 3, 5, 70.5, None, None, 1.0, None, None)
    assert stack.loads == {"app": LoadSettings(True, up, Thresholds(1, 10, 100, None, None, None, None, None, None))}


def test_a_file_that_says_nothing_has_nothing() -> None:
    stack = parse(GOOD)
    assert (stack.schedules, stack.loads, stack.movable) == ({}, {}, ())
    only_types = parse(changed("app: 2", "app: {instances: {always: 3, time: 1, load: 1}}"))
    assert [one.name for one in only_types.layer("app")] == ["app-a-1", "app-b-1", "app-a-2", "app-b-2", "app-a-3"]
    assert only_types.schedules["app"].timed == (Member("app-b-2", "b"),)
    assert only_types.loads == {}


def test_defaults_are_those_of_opsworks() -> None:
    text = changed("app: 2", "app: {instances: {always: 2, load: 1, time: 1}, load: {}, schedule: {}}")
    stack = parse(text)
    assert stack.loads == {"app": LoadSettings(False, DEFAULT_UP, DEFAULT_DOWN)}
    assert (stack.schedules["app"].ready_by, stack.schedules["app"].on_sales) == (None, False)


@pytest.mark.parametrize(
    ("said", "lead"),
    [("true", None), ("yes", None), ("false", timedelta(0)), ('"10 min"', timedelta(minutes=10)), ("2 h", timedelta(hours=2))],
)
def test_ready_by(said: str, lead: timedelta | None) -> None:
    assert parse(changed("ready_by: true", f"ready_by: {said}", FULL)).schedules["app"].ready_by == lead


@pytest.mark.parametrize(("said", "length"), [("90 min", 90), ("90min", 90), ("2 h", 120), ("1 day", DAY), ('"3 days"', 3 * DAY), ("31 days", 31 * DAY)])
def test_lengths(said: str, length: int) -> None:
    assert parse(changed("for: 90 min", f"for: {said}", FULL)).schedules["app"].windows[2].length == timedelta(minutes=length)


GRIDS = {
    "ours": 'schedule: {Friday: {"9": "on", "10": "on"}, Monday: {}}',
    "without quotes": "schedule: {Friday: {9: on, 10: on}, Monday: {}}",
    "CloudFormation": 'TimeBasedAutoScaling: {Friday: {"9": "on", "10": "on"}, Monday: {}}',
    "an answer": 'AutoScalingSchedule: {Friday: {"9": "on", "10": "on"}, Monday: {}}',
    "an answer inside": 'schedule: {InstanceId: x, AutoScalingSchedule: {Friday: {"9": "on", "10": "on"}, Monday: {}}}',
}


@pytest.mark.parametrize("said", GRIDS.values(), ids=GRIDS)
def test_a_grid_in_each_of_its_forms(said: str) -> None:
    stack: Stack = parse(changed("  app: 2", LIST + said + "}]"))
    data = {"Friday": {"9": "on", "10": "on"}, "Monday": {}}
    found = stack.layer("app")[2].grid
    assert found == grid(data) and export(found) == data
    assert stack.schedules["app"].timed == (Member("app-a-2", "a", grid(data)),)


THRESHOLD = st.none() | st.integers(0, 100).map(float)
SIDE = st.builds(Thresholds, st.integers(1, MOST), *[st.integers(1, 100)] * 2, *[THRESHOLD] * 6)


@settings(deadline=None)
@given(st.booleans(), SIDE, SIDE)
def test_thresholds_come_out_as_they_went_in(enable: bool, up: Thresholds, down: Thresholds) -> None:
    given_ = LoadSettings(enable, up, down)
    reader = Reader()
    assert load(reader, yaml.compose(yaml.safe_dump(export_load(given_))), "x", MOST) == given_
    assert not reader.problems


RUSH = '{name: friday rush, days: [fri], from: "09:30", to: "12:00", instances: 4}'
SALE = '{name: spring sale, at: "2027-03-14 10:00", for: 90 min, time_zone: America/New_York, instances: 3}'
UP, DOWN = "layers.app.load.UpScaling", "layers.app.load.DownScaling"
# what is changed: (old, new), then line, key path, a part of what is said, of what was found, of the mend
MISTAKES = {
    "unknown zone": (("Europe/Dublin", "Europe/Dubln"), 12, f"{TOP}.time_zone", "no such time zone", "Europe/Dubln", '"Europe/Dublin"'),
    "a city": (("Europe/Dublin", "dublin"), 12, f"{TOP}.time_zone", "no such time zone", '"dublin"', '"Europe/Dublin"'),
    "words": (("Europe/Dublin", "New York"), 12, f"{TOP}.time_zone", "no such time zone", '"New York"', '"America/New_York"'),
    "a continent": (("Europe/Dublin", "Europe"), 12, f"{TOP}.time_zone", "no such time zone", '"Europe"', "Europe/"),
    "leap seconds": (("Europe/Dublin", "right/Europe/Dublin"), 12, f"{TOP}.time_zone", "no such", "right/", '"Europe/Dublin"'),
    "a path": (("Europe/Dublin", "../../etc/passwd"), 12, f"{TOP}.time_zone", "no such", "../", "Europe/Dublin"),
    "a window's zone": (("America/New_York", "EDT"), 18, f"{TOP}.windows[2].time_zone", "no such time zone", '"EDT"', '"'),
    "ready by": (("ready_by: true", "ready_by: soon"), 13, f"{TOP}.ready_by", "not a length", '"soon"', '"10 min"'),
    "on sales": (('on_sales: false', 'on_sales: "false"'), 14, f"{TOP}.on_sales", "neither true nor false", '"false"', "without quotes"),
    "no bool": (("on_sales: false", "on_sales: !!bool maybe"), 14, f"{TOP}.on_sales", "neither true nor false", "maybe", "true"),
    "unknown key": (("on_sales: false", "holidays: []"), 14, f"{TOP}.holidays", "no such key", '"holidays"', '"except"'),
    "a word of another place": (("on_sales: false", "count: 3"), 14, f"{TOP}.count", "no such key", '"count"', "remove it, or write one"),
    "windows": ((APP[APP.index("\n        - ") : APP.index("      except: [\"")], " 3\n"), 15, f"{TOP}.windows", "a list", '"3"', "hyphen"),
    "a window as a text": ((RUSH, "fridays"), 16, f"{TOP}.windows[0]", "must be keys", '"fridays"', "key: value"),
    "hour": (('"09:30"', '"9:30"'), 16, f"{TOP}.windows[0].from", "not a time", '"9:30"', '"09:30"'),
    "24:00 opens nothing": (('"09:30"', '"24:00"'), 16, f"{TOP}.windows[0].from", "not a time", '"24:00"', '"09:30"'),
    "25 hours": (('"12:00"', '"24:30"'), 16, f"{TOP}.windows[0].to", "not a time", '"24:30"', '"09:30"'),
    "noon": (('"12:00"', "12pm"), 16, f"{TOP}.windows[0].to", "not a time", '"12pm"', "24-hour"),
    "day": (("[fri]", "[Friday]"), 16, f"{TOP}.windows[0].days[0]", "choices", '"Friday"', '"fri"'),
    "no day": (("[fri]", "[]"), 16, f"{TOP}.windows[0].days", "never open", "an empty list", "every day"),
    "one day": (("[fri]", "fri"), 16, f"{TOP}.windows[0].days", "must be a list", '"fri"', "brackets"),
    "nobody": (("instances: 4}", "instances: 0}"), 16, f"{TOP}.windows[0].instances", "cannot be", '"0"', "remove"),
    "no names": (("[app-a-2]", "[]"), 17, f"{TOP}.windows[1].instances", "no instances", "an empty list", "4"),
    "no end": (('to: "12:00", ', ""), 16, f"{TOP}.windows[0]", '"to" is missing', "nothing", "add it"),
    "no name": (("name: friday rush, ", ""), 16, f"{TOP}.windows[0]", '"name" is missing', "nothing", "add it"),
    "priority": (("priority: 7", "priority: -1"), 19, f"{TOP}.windows[3].priority", "cannot be", '"-1"', "remove"),
    "no length": (("for: 90 min, ", ""), 18, f"{TOP}.windows[2]", '"for" is missing', "nothing", "add it"),
    "length": (("90 min", "90 minutes"), 18, f"{TOP}.windows[2].for", "not a length", '"90 minutes"', '"90 min"'),
    "no unit": (("90 min", "90"), 18, f"{TOP}.windows[2].for", "not a length", '"90"', '"90 min"'),
    "too long": (("90 min", "32 days"), 18, f"{TOP}.windows[2].for", "too long", '"32 days"', "shorter"),
    "date": (("2027-03-14 10:00", "2027-02-29 10:00"), 18, f"{TOP}.windows[2].at", "no such date", "2027-02-29", '"2027-03-14 10:00"'),
    "T": (("2027-03-14 10:00", "2027-03-14T10:00"), 18, f"{TOP}.windows[2].at", "no such date", "T10", '"2027-03-14 10:00"'),
    "excluded": (("2026-12-26", "26.12.2026"), 20, f"{TOP}.except[1]", "no such date", "26.12.2026", '"2026-12-25"'),
    "year": (("2026-12-26", "2126-12-26"), 20, f"{TOP}.except[1]", "no such date", "2126-12-26", '"2026-12-25"'),
    "a dated window's days": (("for: 90 min", "for: 90 min, days: [fri]"), 18, f"{TOP}.windows[2].days", "does not come back", "a list", "at"),
    "a dated window's from": (
        ("for: 90 min", 'from: "10:00"'), 18, f"{TOP}.windows[2].from", "does not come back", '"10:00"', "remove it",
    ),
    "a dated window's except": (("for: 90 min", "for: 90 min, except: []"), 18, f"{TOP}.windows[2].except", "come back", "list", "remove"),
    "a weekly window's length": (('to: "12:00"', "for: 2 h"), 16, f"{TOP}.windows[0].for", "no length of its own", '"2 h"', '"at"'),
    "a time that never comes": (
        ("2027-03-14 10:00", "2027-03-14 02:30"),
        18, f"{TOP}.windows[2].at", "put forward", "02:30\" in America/New_York", '"2027-03-14 03:00"',
    ),
    "too many": (("instances: 4}", "instances: 5}"), 16, f"{TOP}.windows[0].instances", "not so many", "5", "write 4"),
    "an unknown instance": (("[app-a-2]", "[app-a-22]"), 17, f"{TOP}.windows[1].instances[0]", "no such instance", "app-a-22", '"app-a-2"'),
    "one that is always on": (
        ("[app-a-2]", "[app-b-2, app-a-1]"), 17, f"{TOP}.windows[1].instances[1]", "by the clock", "app-a-1\", of type always", "one of these",
    ),
    "one by load": (("[app-a-2]", "[app-a-3]"), 17, f"{TOP}.windows[1].instances[0]", "by the clock", "of type load", "one of these"),
    "nobody by the clock": (("time: 2, ", ""), 11, TOP, "nobody in this layer lives by the clock", "no instance", "time: 2"),
    "nobody by load": ((", load: 2", ""), 21, "layers.app.load", "nobody in this layer lives by load", "no instance", "load: 2"),
    "two weekly windows": (
        (SALE, '{name: early, days: [thu, fri], from: "11:59", to: "13:00", instances: 3}'),
        18, f"{TOP}.windows[2]", "neither wins", "'friday rush' wants 4, 'early' wants 3", "priority: 1",
    ),
    "a number and names": (
        (SALE, '{name: late, days: [tue], from: "00:29", to: "01:00", instances: 4}'),
        18, f"{TOP}.windows[2]", "neither wins", "'evenings' wants app-a-2, 'late' wants 4", "priority: 1",
    ),
    "over the end of the week": (
        (SALE, '{name: night, days: [sun], from: "23:00", to: "19:00", instances: 3}'),
        18, f"{TOP}.windows[2]", "neither wins", "'evenings' wants app-a-2, 'night' wants 3", "priority: 1",
    ),
    "in two zones": (  # 12:59 in Dublin, but 11:59 in the weeks in which only one of the two clocks is changed
        (SALE, '{name: far, days: [fri], from: "07:59", to: "08:00", time_zone: America/New_York, instances: 3}'),
        18, f"{TOP}.windows[2]", "neither wins", "'far' wants 3", "priority: 1",
    ),
    "two dated windows": (
        (RUSH, '{name: other, at: "2027-03-14 11:29", for: 1 h, time_zone: America/New_York, instances: 4}'),
        18, f"{TOP}.windows[2]", "neither wins", "'other' wants 4, 'spring sale' wants 3", "priority: 11",
    ),
    "a weekly and a dated window": (
        ("instances: 3}", "instances: 4, priority: 7}"),
        19, f"{TOP}.windows[3]", "neither wins", "'spring sale' wants 4, 'always' wants 3", "priority: 8",
    ),
    "enable": (("Enable: true", "Enable: 1"), 22, "layers.app.load.Enable", "neither true nor false", '"1"', "true or false"),
    "small letters": (("Enable: true", "enabled: true"), 22, "layers.app.load.enabled", "no such key", '"enabled"', '"Enable"'),
    "count": (("InstanceCount: 2", "InstanceCount: 0"), 23, f"{UP}.InstanceCount", "cannot be", '"0"', "remove"),
    "wait": (("ThresholdsWaitTime: 3", "ThresholdsWaitTime: 0"), 23, f"{UP}.ThresholdsWaitTime", "cannot be", '"0"', "remove"),
    "ignore": (("IgnoreMetricsTime: 100", "IgnoreMetricsTime: 101"), 24, f"{DOWN}.IgnoreMetricsTime", "cannot be", '"101"', "smaller"),
    "percent": (("CpuThreshold: 70.5", "CpuThreshold: 101"), 23, f"{UP}.CpuThreshold", "cannot be", '"101"', "-1"),
    "below": (("QueueThreshold: 1", "QueueThreshold: -2"), 23, f"{UP}.QueueThreshold", "cannot be", '"-2"', "-1"),
    "a text": (("CpuThreshold: 70.5", 'CpuThreshold: "70"'), 23, f"{UP}.CpuThreshold", "must be a number", '"70"', "80"),
    "not a number": (("CpuThreshold: 70.5", "CpuThreshold: .nan"), 23, f"{UP}.CpuThreshold", "must be a number", ".nan", "80"),
    "alarms": (("Alarms: []", "Alarms: [cpu-high]"), 23, f"{UP}.Alarms", "no CloudWatch alarms", "a list", "watch one of these"),
    "another threshold": (("QueueThreshold", "HAProxyQueueThreshold"), 23, f"{UP}.HAProxyQueueThreshold", "no such key", "HA", '"QueueThreshold"'),
    "it would flap": (("CpuThreshold: -1", "CpuThreshold: 70.5"), 24, f"{DOWN}.CpuThreshold", "stopped again", "70.5 down and 70.5 up", "35.25"),
    "it would flap by default": (
        (", CpuThreshold: -1", ", QueueThreshold: 3"), 24, f"{DOWN}.QueueThreshold", "stopped again", "3 down and 1 up", "0.5",
    ),
    "a type that is none": (("time: 2, ", "timer: 2, time: 2, "), 10, "layers.app.instances.timer", "no such type", '"timer"', '"time"'),
    "none of a type": (("time: 2, ", "time: 0, "), 10, "layers.app.instances.time", "cannot be", '"0"', "remove"),
    "a hundred and one": (("time: 2, ", "time: 97, "), 10, "layers.app.instances", "cannot be", "101", "smaller"),
    "no type": (("{always: 2, time: 2, load: 2}", "{}"), 10, "layers.app.instances", "no instances", "a mapping", "always: 2"),
    "a balancer by the clock": (
        ("lb: 2", "lb: {instances: {always: 2, time: 2}}"), 8, "layers.lb", "lb instances cannot come and go", "type: time", "remove",
    ),
    "a cache by load": (
        ("memcached: 2", "memcached: {instances: {always: 2, load: 1}}"), 28, "layers.memcached", "cannot come and go", "type: load", "remove",
    ),
    "a balancer's schedule": (("lb: 2", "lb: {instances: 2, schedule: {}}"), 8, "layers.lb.schedule", "do not come and go", '"schedule"', "remove"),
    "a cache's load": (
        ("memcached: 2", "memcached: {instances: 2, load: {}}"), 28, "layers.memcached.load", "do not come and go", '"load"', "remove",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "line", "path", "what", "found", "mend"), MISTAKES.values(), ids=MISTAKES)
def test_one_mistake_is_told_once_with_its_line(change: tuple[str, str], line: int, path: str, what: str, found: str, mend: str) -> None:
    assert change[0] in FULL
    one = only(FULL.replace(*change, 1))
    assert (one.line, one.path) == (line, path)
    assert what in one.what
    assert found in one.found
    assert mend in one.mend
    assert one.expected


GRID_MISTAKES = [
    ('type: time, schedule: {Friday: {"24": "on"}}', "schedule.Friday.24", "no such hour", '"24"', '"0" of the next day'),
    ('type: time, schedule: {Friday: {"9": "ON"}}', "schedule.Friday.9", "neither on nor off", '"ON"', 'write "on"'),
    ('type: time, schedule: {Mon: {"9": "on"}}', "schedule.Mon", "no such day", '"Mon"', '"Monday"'),
    ("type: time, TimeBasedAutoScaling: {Mon: {}}", "TimeBasedAutoScaling.Mon", "no such day", '"Mon"', '"Monday"'),
    ("type: time, schedule: {AutoScalingSchedule: {Mon: {}}}", "schedule.AutoScalingSchedule.Mon", "no such day", '"Mon"', '"Monday"'),
    ("type: time, schedule: nights", "schedule", "not a grid", '"nights"', "Friday"),
    ("type: time, schedule: {}, AutoScalingSchedule: {}", "AutoScalingSchedule", "two schedules", '"schedule" and', "remove one"),
    ('type: always, schedule: {Friday: {"9": "on"}}', "schedule", "only an instance of type time", "type: always", "type: time"),
    ("type: load, AutoScalingSchedule: {}", "AutoScalingSchedule", "only an instance of type time", "type: load", "type: time"),
    ("schedule: {}", "schedule", "only an instance of type time", "type: always", "type: time"),
]


@pytest.mark.parametrize(("said", "path", "what", "found", "mend"), GRID_MISTAKES)
def test_a_mistake_in_a_grid(said: str, path: str, what: str, found: str, mend: str) -> None:
    one = only(changed("  app: 2", f"{LIST.replace('type: time, ', '')}{said}}}]"))
    assert (one.line, one.path) == (9, f"layers.app[2].{path}")
    assert what in one.what
    assert found in one.found
    assert mend in one.mend


ALLOWED = {
    "touching": (SALE, '{name: next, days: [fri], from: "12:00", to: "13:00", instances: 3}'),
    "another day": (SALE, '{name: next, days: [thu, sat], from: "09:30", to: "12:00", instances: 3}'),
    "the same": (SALE, '{name: next, days: [fri], from: "11:00", to: "13:00", instances: 4}'),
    "one wins": (SALE, '{name: next, days: [fri], from: "11:00", to: "13:00", instances: 3, priority: 1}'),
    "chosen ones add up": (SALE, '{name: next, days: [mon], from: "20:00", to: "22:00", instances: [app-b-2]}'),
    "dated ones that touch": (RUSH, '{name: next, at: "2027-03-14 11:30", for: 1 h, time_zone: America/New_York, instances: 4}'),
    "an excluded date": ('"2027-03-14 10:00", for: 90 min', '"2026-12-25 12:00", for: 90 min, priority: 7'),
    "on call only": ("Enable: true", "Enable: false"),
    "load instances without a load": (APP[APP.index("    load:\n") :], ""),
    "up to all": ("instances: 4}", "instances: 4, priority: 100}"),
    "a clock without quotes": ('"09:30", to: "12:00"', "09:30, to: 12:00"),
    "the second pass of an hour": ('"2027-03-14 10:00"', '"2027-11-07 01:30"'),
}


@pytest.mark.parametrize("change", ALLOWED.values(), ids=ALLOWED)
def test_what_is_no_mistake(change: tuple[str, str]) -> None:
    parse(changed(*change, FULL))


def test_own_machines_are_listed() -> None:
    text = changed("  lb:\n", "  app: {instances: {always: 2, time: 2}}\n  lb:\n", STATIC)
    assert "must be listed" in only(text).what


@settings(max_examples=400, deadline=None)
@given(
    st.integers(FULL.index("  app:"), FULL.index("  worker:")),
    st.integers(0, 12),
    st.text(alphabet="ab:[]{}-&*!|>'\"#%\n\t 0123459,?", max_size=8),
)
def test_no_slip_in_a_good_file_crashes_it(start: int, length: int, new: str) -> None:
    found = mistakes(FULL[:start] + new + FULL[start + length :])
    assert all(1 <= one.line <= FULL.count("\n") + 10 and one.what and one.mend for one in found)
