"""What the clock will start and stop: the same as `wanted` says at every single minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from ansible_collections.trust.stack.plugins.module_utils import prices
from ansible_collections.trust.stack.plugins.module_utils.forecast import (
    START,
    STOP,
    Forecast,
    PlanError,
    cells,
    forecast,
    midnight,
    usual_zone,
)
from ansible_collections.trust.stack.plugins.module_utils.schedule import LayerSchedule, Window, wanted
from ansible_collections.trust.stack.plugins.module_utils.stackfile import parse
from hypothesis import given, settings
from hypothesis import strategies as st

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
MONDAY = datetime(2027, 3, 8, tzinfo=UTC)
STACK = parse("""
plugin: trust.stack.stack
stack: shop
provider: podman
zones: [a, b]
quorum_zone: c
layers:
  lb: 2
  app:
    instances:
      - {name: app-a-1, zone: a}
      - {name: app-b-1, zone: b}
      - {name: app-a-2, zone: a, type: time, AutoScalingSchedule: {Friday: {"10": "on", "11": "on", "12": "on"}}}
      - {name: app-b-2, zone: b, type: time}
      - {name: app-b-3, zone: b, type: load}
    schedule:
      time_zone: Europe/Dublin
      windows:
        - {name: rush, days: [fri], from: "09:30", to: "12:00", instances: 4}
        - {name: nobody comes, at: "2027-03-13 09:00", for: 2 h, instances: 2}
  worker: 2
  database: 2
  redis: 2
  memcached: 2
  arbiter: 1
  mail: 1
""")
LEAD = {"app": timedelta(minutes=4)}


def week(start: datetime = MONDAY, days: int = 7, zone: str = "UTC") -> Forecast:
    return forecast(STACK, STACK.schedules, LEAD, start, days, zone)


def test_each_start_and_stop_has_its_instant_and_its_reason() -> None:
    told = [(f"{one.at:%a %H:%M}", one.verb, one.instance, one.why, one.zone) for one in week().moves]
    assert told == [
        ("Fri 09:26", START, "app-a-2", "starts early for window 'rush' at 09:30 Europe/Dublin", "Europe/Dublin"),
        ("Fri 09:26", START, "app-b-2", "starts early for window 'rush' at 09:30 Europe/Dublin", "Europe/Dublin"),
        ("Fri 12:00", STOP, "app-b-2", "window 'rush' ends", "Europe/Dublin"),
        ("Fri 13:00", STOP, "app-a-2", "grid Friday 12-13 UTC ends", ""),
    ]


def test_a_window_that_is_overruled_is_the_reason_of_the_stop_too() -> None:
    few = Window("few", 2, days=frozenset({4}), begin=600, end=660, priority=5)
    rush = Window("rush", 4, days=frozenset({4}), begin=570, end=720)
    timed = STACK.schedules["app"].timed[1:]
    found = forecast(STACK, {"app": LayerSchedule("app", (), timed, (rush, few))}, {}, MONDAY)
    assert [(one.verb, f"{one.at:%H:%M}", one.why) for one in found.moves] == [
        (START, "09:30", "window 'rush' until 12:00 UTC"),
        (STOP, "12:00", "window 'rush' ends"),
    ]
    none = Window("none", (), days=frozenset({4}), begin=600, end=660, priority=5)
    found = forecast(STACK, {"app": LayerSchedule("app", (), timed, (rush, none))}, {}, MONDAY)
    assert [one.why for one in found.moves if one.verb == STOP] == ["window 'rush' no longer needs it", "window 'rush' ends"]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5000), st.integers(1, 2), st.integers(0, 90))
def test_the_slots_are_what_is_wanted_at_every_minute(minutes: int, days: int, lead: int) -> None:
    start = MONDAY + timedelta(days=2) + minutes * MINUTE
    schedules, leads = STACK.schedules, {"app": lead * MINUTE}
    found = forecast(STACK, schedules, leads, start, days)
    for n in range(days * 24 * 60):
        at = start + n * MINUTE
        on = {slot.instance for slot in found.slots if slot.start <= at < slot.end and slot.why != "always"}
        assert on == set(wanted(schedules["app"], at, leads["app"]))
        assert found.capacity("app", at, at + MINUTE) == (2 + len(on),) * 2


def test_the_hours_are_the_sum_of_the_slots_and_of_the_capacity() -> None:
    found = week()
    assert found.hours["app-a-2"] == pytest.approx(3 + 34 / 60) and found.hours["app-b-2"] == pytest.approx(2 + 34 / 60)
    assert found.hours["app-b-3"] == 0 and found.hours["lb-a-1"] == 168
    assert sum(found.hours.values()) == pytest.approx(sum(slot.hours for slot in found.slots)) == pytest.approx(168 * 14 + 6 + 8 / 60)
    minutes = [found.capacity("app", MONDAY + n * MINUTE, MONDAY + (n + 1) * MINUTE) for n in range(168 * 60)]
    assert sum(most for _least, most in minutes) / 60 == pytest.approx(sum(h for name, h in found.hours.items() if name.startswith("app")))


def test_the_capacity_of_an_hour_is_the_least_and_the_most_in_it() -> None:
    hours = week().by_hour("app")
    assert len(hours) == 168
    changing = {f"{at:%a %H}": (least, most) for at, least, most in hours if most > 2}
    assert changing == {"Fri 09": (2, 4), "Fri 10": (4, 4), "Fri 11": (4, 4), "Fri 12": (3, 3)}
    assert {one[1:] for one in week().by_hour("lb")} == {(2, 2)}


@pytest.mark.parametrize(("first", "hours", "sizes"), [("2027-03-22", 167, {0, 1}), ("2027-10-25", 169, {1, 2})])
def test_a_week_in_which_the_clocks_change_has_seven_days_all_the_same(first: str, hours: int, sizes: set[int]) -> None:
    zone = "Europe/Dublin"
    found = week(midnight(first, zone, MONDAY), 7, zone)
    assert (found.end - found.start) / HOUR == hours == len(found.by_hour("app"))
    assert len(found.days()) == 7
    boxes = [(end - begin) // HOUR for day in found.days() for begin, end in cells(day, zone)]
    assert len(boxes) == 168 and sum(boxes) == hours and set(boxes) == sizes | {1}


def test_half_an_hour_that_is_left_out_or_comes_twice() -> None:
    for day, lengths in ((date(2027, 10, 3), {30, 60}), (date(2027, 4, 4), {60, 90})):
        assert {(end - begin) // MINUTE for begin, end in cells(day, "Australia/Lord_Howe")} == lengths


def test_the_zone_of_most_windows_is_that_of_the_plan() -> None:
    assert usual_zone(STACK.schedules) == "Europe/Dublin"
    assert usual_zone({}) == "UTC"
    assert midnight("", "Europe/Dublin", datetime(2027, 7, 1, 23, 30, tzinfo=UTC)) == datetime(2027, 7, 1, 23, tzinfo=UTC)


@pytest.mark.parametrize("days", [0, -1, 367, True])
def test_days_that_cannot_be(days: int) -> None:
    with pytest.raises(PlanError, match=r"days: found .*, expected a number from 1 to 366; mend: -e days=7"):
        week(days=days)


@pytest.mark.parametrize("text", ["2027-02-29", "next week", "2027-3-8", "0001-01-01", "9999-12-31"])
def test_a_date_that_is_none(text: str) -> None:
    with pytest.raises(PlanError, match=f"from: found '{text}', expected a date such as 2027-03-08; mend: write year-month-day"):
        midnight(text, "UTC", MONDAY)


def test_what_a_week_costs_is_what_its_hours_cost() -> None:
    given_prices = prices.read({"always": 0.04, "app": "0.1", "currency": "EUR"})
    assert given_prices
    found = prices.cost(week(), given_prices)
    assert found.layers["lb"] == Decimal("13.44")
    assert float(found.layers["app"]) == pytest.approx((2 * 168 + 6 + 8 / 60) * 0.1)
    assert found.total == sum(found.layers.values()) and (found.currency, found.unknown) == ("EUR", ())
    part = prices.read({"worker": 1})
    assert part and len(prices.cost(week(), part).unknown) == 14 - 2 + 2  # all that run but the workers


def test_no_price_is_made_up() -> None:
    assert prices.read({}) is None and prices.read({"currency": "EUR"}) is None


@pytest.mark.parametrize(("given_prices", "said"), [
    ({"ap": 1}, "stack_prices: found 'ap', expected a layer (lb, app"),
    ({"app": "cheap"}, "stack_prices.app: found 'cheap', expected a price per hour, 0 or more; mend: write for example app: 0.05"),
    ({"app": -1}, "found -1"), ({"app": True}, "found True"), ({"app": float("nan")}, "found nan"), ({"app": None}, "found None"),
])  # fmt: skip
def test_a_price_that_cannot_be(given_prices: dict[str, object], said: str) -> None:
    with pytest.raises(PlanError) as error:
        prices.read(given_prices)
    assert said in str(error.value) and "mend: " in str(error.value)
