"""What runs remember: whole or not at all, and one line in the log for each thing that was done."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible_collections.trust.stack.plugins.module_utils import statefiles
from ansible_collections.trust.stack.plugins.module_utils.statefiles import StateError, note, record

NOW = datetime(2027, 3, 12, 9, 30, tzinfo=UTC)
LAYERS = {"app-a-2": "app", "worker-a-2": "worker"}


def events(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / statefiles.EVENTS).read_text().splitlines()]


def test_each_start_and_stop_is_one_line_with_actor_cause_before_and_after(tmp_path: Path) -> None:
    record(tmp_path, NOW, "scale.yml", {"app-a-2": "window rush"}, {}, {}, LAYERS, {"app-a-2": 31.26})
    record(tmp_path, NOW, "stop.yml", {}, {"app-a-2": "by hand"}, {}, LAYERS, {})
    first, second = events(tmp_path)
    assert first == {
        "time": "2027-03-12T09:30:00+00:00", "actor": "scale.yml", "verb": "start", "instance": "app-a-2", "layer": "app",
        "cause": "window rush", "before": "offline", "after": "online", "seconds": 31.3,
    }  # fmt: skip
    assert (second["verb"], second["before"], second["after"], second["cause"]) == ("stop", "online", "offline", "by hand")
    assert statefiles.read(tmp_path / statefiles.ONLINE) == {}


def test_what_is_done_already_is_no_event(tmp_path: Path) -> None:
    for _twice in range(2):
        record(tmp_path, NOW, "start.yml", {"app-a-2": "by hand"}, {"worker-a-2": "by hand"}, {}, LAYERS, {})
    assert [one["instance"] for one in events(tmp_path)] == ["app-a-2"]
    assert list(statefiles.read(tmp_path / statefiles.ONLINE)) == ["app-a-2"]


def test_the_last_fifty_durations_of_each_layer_are_kept(tmp_path: Path) -> None:
    for number in range(60):
        record(tmp_path, NOW, "x", {"app-a-2": "c"}, {}, {}, LAYERS, {"app-a-2": float(number)})
    assert statefiles.read(tmp_path / statefiles.STARTS) == {"app": [float(n) for n in range(10, 60)]}


def test_failed_starts_are_counted_until_one_succeeds(tmp_path: Path) -> None:
    for _again in range(3):
        record(tmp_path, NOW, "x", {}, {}, {"app-a-2": "c"}, LAYERS, {})
    assert statefiles.read(tmp_path / statefiles.FAILURES) == {"app-a-2": {"count": 3, "last": NOW.timestamp()}}
    assert [one["verb"] for one in events(tmp_path)] == ["start failed"] * 3
    record(tmp_path, NOW, "x", {"app-a-2": "c"}, {}, {}, LAYERS, {})
    assert statefiles.read(tmp_path / statefiles.FAILURES) == {}


@pytest.mark.parametrize("text", ["[]", "{", "\x00"])
def test_a_damaged_file_is_named_with_its_mend_and_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / statefiles.ONLINE).write_text(text)
    with pytest.raises(StateError, match=r"online\.json.*mend:"):
        record(tmp_path, NOW, "x", {"app-a-2": "c"}, {}, {}, LAYERS, {})
    assert (tmp_path / statefiles.ONLINE).read_text() == text


def test_whose_requests_outlasted_the_drain_is_in_the_line_of_its_stop(tmp_path: Path) -> None:
    record(tmp_path, NOW, "x", dict.fromkeys(LAYERS, "c"), {}, {}, LAYERS, {})
    record(tmp_path, NOW, "x", {}, dict.fromkeys(LAYERS, "c"), {}, LAYERS, {}, overran=["app-a-2"])
    assert {one["instance"]: one.get("overran") for one in events(tmp_path)[2:]} == {"app-a-2": True, "worker-a-2": None}


def test_the_last_event_is_kept_to_be_run_again(tmp_path: Path) -> None:
    def last() -> dict[str, object]:
        return statefiles.read(tmp_path / statefiles.LAST_EVENT)

    record(tmp_path, NOW, "start.yml", dict.fromkeys(LAYERS, "c"), {}, {}, LAYERS, {})
    assert last() == {"event": "setup", "instances": ["app-a-2", "worker-a-2"]}
    note(tmp_path, NOW, "start.yml", "configure", {"app-a-1": "app"}, "others came")
    assert last() == {"event": "configure", "instances": ["app-a-1"]}
    record(tmp_path, NOW, "stop.yml", {}, {"app-a-2": "c"}, {}, LAYERS, {})
    assert last() == {"event": "shutdown", "instances": ["app-a-2"]}
    assert events(tmp_path)[2] == {
        "time": "2027-03-12T09:30:00+00:00", "actor": "start.yml", "verb": "configure", "instance": "app-a-1", "layer": "app", "cause": "others came",
    }  # fmt: skip
