"""The week as text and as a page: right to the minute, whole without anything from elsewhere, and safe with any name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ansible_collections.trust.stack.plugins.module_utils import observe, planning, prices, statefiles, weekpage, weektext
from ansible_collections.trust.stack.plugins.module_utils.forecast import FAILED, Forecast, Move, PlanError, forecast, midnight
from ansible_collections.trust.stack.plugins.module_utils.loadtrace import TraceError
from ansible_collections.trust.stack.plugins.module_utils.schedule import Window
from ansible_collections.trust.stack.plugins.module_utils.stackfile import parse

TEXT = """
plugin: trust.stack.stack
stack: shop
provider: podman
zones: [a, b]
quorum_zone: c
layers:
  lb: 2
  app:
    instances: {always: 2, time: 2, load: 2}
    schedule:
      time_zone: Europe/Dublin
      ready_by: 4 min
      windows:
        - {name: rush, days: [fri], from: "09:30", to: "12:00", instances: 4}
    load: {Enable: true}
  worker: {instances: {always: 2, time: 2}, schedule: {on_sales: true}}
  database: 2
  redis: 2
  memcached: 2
  arbiter: 1
  monitor: 1
  mail: 1
"""
STACK = parse(TEXT)
LEAD = {"app": timedelta(minutes=4)}
PRICES = prices.read({"always": 0.04, "time": 0.05, "currency": "EUR"})
SALE = {"on_sales": [{"name": "Gala", "starts_at": "2027-03-12T10:00:00+00:00", "ends_at": "2027-03-12T11:00:00+00:00"}]}


def week(day: str = "2027-03-08", days: int = 7) -> Forecast:
    zone = "Europe/Dublin"
    return forecast(STACK, STACK.schedules, LEAD, midnight(day, zone, datetime.now(UTC)), days, zone)


def svgs(page: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(one) for one in re.findall(r"<svg viewBox.*?</svg>", page, re.S)]  # noqa: S314 - our own page


def test_the_text_has_the_moves_by_day_the_grid_the_hours_and_the_price() -> None:
    lines = weektext.plan("shop", week(), PRICES)
    assert lines[0] == "shop, Mon 08 Mar 2027 to Sun 14 Mar 2027, Europe/Dublin, by the clock"
    assert lines[2] == "Fri 12 Mar 2027"
    assert lines[3] == "  09:26 GMT  09:26 UTC  + app-a-2, app-b-2  starts early for window 'rush' at 09:30 Europe/Dublin"
    assert lines[4] == "  12:00 GMT  12:00 UTC  - app-a-2, app-b-2  window 'rush' ends"
    friday = next(line for line in lines if line.startswith("  Fri 12 Mar "))
    assert friday.split()[3:] == ["2"] * 9 + ["4*", "4", "4"] + ["2"] * 12
    assert "in all         2,525.1 h  101.06 EUR" in lines
    assert not any("EUR" in line for line in weektext.plan("shop", week(), None))


def test_an_hour_that_the_clocks_leave_out_is_blank_and_keeps_its_column() -> None:
    lines = weektext.plan("shop", week("2027-03-22"), None)
    sunday = next(line for line in lines if line.startswith("  Sun 28 Mar "))
    assert sunday.startswith("  Sun 28 Mar  2     2  2  2")
    assert {len(line) for line in lines if re.match(r"  [A-Z][a-z]{2} \d\d [A-Z][a-z]{2}  2", line)} == {14 + 23 * 3 + 1}


def test_the_page_is_whole_and_needs_nothing_from_elsewhere() -> None:
    page = weekpage.render("shop", week(), PRICES, ["app"])
    assert "<script" not in page and "http" not in page and "url(" in page
    assert set(re.findall(r"url\(([^)]*)\)", page)) <= {"#boxes", "#load-boxes", "#lines"}
    assert 'name="viewport"' in page and "prefers-color-scheme" in page
    assert len(svgs(page)) == 2 + 3 + 2  # two layers; two by the clock and all by load together; two by the clock
    assert "by load, at any time" in page and "101.06 EUR" in page
    assert "which is not on" in weekpage.render("shop", week(), None)


def test_each_layer_has_a_box_for_each_hour_and_its_number() -> None:
    first = svgs(weekpage.render("shop", week(), None))[0]
    boxes = first.findall("g")
    assert len(boxes) == 168
    titles = [box.findtext("title") for box in boxes]
    assert titles[0] == "Mon 08 Mar 00:00 to 01:00: 2 on" and titles[4 * 24 + 9] == "Fri 12 Mar 09:00 to 10:00: 2 to 4 on"
    assert [box.findtext("text") for box in boxes[4 * 24 + 8 : 4 * 24 + 13]] == ["2", "4", "4", "4", "2"]
    clocks = svgs(weekpage.render("shop", week("2027-03-22"), None))[0]
    assert len(clocks.findall("g")) == 167


def test_an_instance_is_filled_to_the_minute() -> None:
    card = svgs(weekpage.render("shop", week(), None))[1]
    (bar,) = [one for one in card.iter("rect") if one.get("class") == "bar-time"]
    assert float(bar.attrib["x"]) == pytest.approx(10 * (9 + 26 / 60), abs=0.01)
    assert float(bar.attrib["width"]) == pytest.approx(10 * (2 + 34 / 60), abs=0.01)
    assert bar.attrib["y"] == "40"
    assert bar.findtext("title") == "Fri 12 Mar 09:26 to Fri 12 Mar 12:00: starts early for window 'rush' at 09:30 Europe/Dublin"


def test_a_name_is_text_whatever_stands_in_it() -> None:
    rush = replace(STACK.schedules["app"].windows[0], name="<script>alert(1)</script>&")
    found = forecast(STACK, {"app": replace(STACK.schedules["app"], windows=(rush,))}, LEAD, datetime(2027, 3, 8, tzinfo=UTC))
    page = weekpage.render("<b>", replace(found, notes=("<i>",)), None)
    assert "<script" not in page and "<b>" not in page and "<i>" not in page
    assert "&lt;script&gt;" in page


def test_a_start_that_failed_is_marked() -> None:
    move = Move(datetime(2027, 3, 8, 9, tzinfo=UTC), FAILED, "app-a-2", "app", "window")
    found = replace(week(), moves=(move,))
    assert 'class="failed"' in weekpage.render("shop", found, None)
    assert any("! app-a-2  start failed: window" in line for line in weektext.plan("shop", found, None))


def asked(folder: Path, text: str = TEXT, **more: object) -> Mapping[str, object]:
    file = folder / "stack.yml"
    file.write_text(text)
    base: dict[str, object] = {"stack_file": str(file), "state_dir": str(folder / "state"), "from": "2027-03-08", "days": 7, "zone": "", "prices": {}}
    return base | {"trace": "", "start_seconds": 0.0, "stop_seconds": 30.0} | more


def test_a_plan_needs_no_state_and_takes_what_it_finds_there(tmp_path: Path) -> None:
    bare = planning.planned(asked(tmp_path))
    assert len(bare.week.moves) == 4
    assert any("worker: the app's on-sales are not known here" in note for note in bare.week.notes)
    assert any("app: up to 2 more by load" in note for note in bare.week.notes)
    state = tmp_path / "state"
    state.mkdir()
    statefiles.write(state / statefiles.ON_SALES, SALE)
    statefiles.write(state / statefiles.STARTS, {"worker": [40.0]})
    found = planning.planned(asked(tmp_path))
    workers = [(one.verb, f"{one.at:%H:%M:%S}") for one in found.week.moves if one.layer == "worker"]
    assert workers == [("start", "09:57:50")] * 2 + [("stop", "11:00:00")] * 2  # 1.75 times 40 s, and a tick
    assert any("on-sale Gala" in one.why for one in found.week.moves)
    missing = [note for note in found.week.notes if "does not look at on-sales; mend: layers.app.schedule.on_sales: true" in note]
    assert missing == [
        "on-sale Gala, Fri 12 Mar 10:00 to 11:00: app has 4 by the clock and does not look at on-sales; mend: layers.app.schedule.on_sales: true"]
    assert found == planning.planned(asked(tmp_path))  # the same each time


def test_the_app_is_asked_for_its_on_sales_and_what_it_said_before_counts_when_it_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"http://shop/on-sales.json": json.dumps(SALE), "http://other/on-sales.json": '{"on_sales": [{}]}'}

    def fetch(url: str) -> str:
        if url not in answers:
            raise TimeoutError(url)
        return answers[url]

    monkeypatch.setattr(observe, "fetch", fetch)

    def workers(url: str) -> int:
        return sum(one.layer == "worker" for one in planning.planned(asked(tmp_path, events_url=url)).week.moves)

    assert workers("http://shop/on-sales.json") == 4
    assert workers("http://off/on-sales.json") == workers("http://other/on-sales.json") == 0
    (tmp_path / "state").mkdir()
    statefiles.write(tmp_path / "state" / statefiles.ON_SALES, SALE)
    assert workers("http://off/on-sales.json") == workers("http://other/on-sales.json") == 4


def test_a_simulation_of_the_same_week(tmp_path: Path) -> None:
    trace = tmp_path / "load.jsonl"
    lines = [{"at": f"2027-03-09T{hour}:00:00+00:00", "layer": "app", "cpu": cpu, "instances": 2} for hour, cpu in (("09", 95), ("12", 5))]
    trace.write_text("\n".join(json.dumps(one) for one in lines))
    found = planning.simulated(asked(tmp_path, days=2, trace=str(trace)))
    assert [(one.verb, one.instance) for one in found.week.moves] == [("start", "app-a-3"), ("stop", "app-a-3")]
    assert "2880 ticks, 0 of them while another one was still starting or stopping" in found.said
    assert "bar-load" in found.page and "Simulated" in found.page
    trace.write_text("{}")
    with pytest.raises(TraceError, match=r"load\.jsonl:1: at: found None"):
        planning.simulated(asked(tmp_path, trace=str(trace)))


def test_windows_that_overlap_are_told_with_what_counts(tmp_path: Path) -> None:
    more = TEXT.replace("    load: {Enable", '        - {name: sale, at: "2027-03-12 11:00", for: 90 min, instances: 3}\n    load: {Enable')
    notes = planning.planned(asked(tmp_path, more, days=14)).week.notes
    found = [note for note in notes if "overlap" in note]  # the rush of the second week overlaps nothing
    assert found == ["app: 'rush' and 'sale' overlap Fri 12 Mar 11:00 to 12:00: 'sale' counts alone, its priority is higher"]
    spring = planning.planned(asked(tmp_path, **{"from": "2027-03-22"})).week.notes
    assert "Sun 28 Mar: the clocks of Europe/Dublin change, the day has 23 hours" in spring


def test_what_cannot_be_asked_for(tmp_path: Path) -> None:
    for more, said in (
        ({"zone": "Mars/X"}, "zone: found 'Mars/X', expected the name of a time zone"),
        ({"trace": "/none"}, "trace: found '/none: No such file"),
        ({"days": 0}, "days: found 0"),
        ({"start_seconds": -1.0}, "start_seconds: found -1.0, expected seconds"),
    ):
        with pytest.raises(PlanError, match=re.escape(said)):
            planning.simulated(asked(tmp_path, **more))
    (tmp_path / "state").mkdir()
    statefiles.write(tmp_path / "state" / statefiles.ON_SALES, {"on_sales": [{"name": "x"}]})
    with pytest.raises(statefiles.StateError, match=r"on-sales\.json.*mend: remove it"):
        planning.planned(asked(tmp_path))


def test_a_window_in_another_zone_says_its_own_time() -> None:
    tokyo = Window("tokyo", 3, "Asia/Tokyo", days=frozenset({5}), begin=60, end=180)
    schedules = {"app": replace(STACK.schedules["app"], windows=(tokyo,))}
    found = forecast(STACK, schedules, {}, datetime(2027, 3, 8, tzinfo=UTC), 7, "Europe/Dublin")
    assert "  Sat 01:00 JST  16:00 UTC  + app-a-2  window 'tokyo' until 03:00 Asia/Tokyo" in weektext.plan("shop", found, None)
