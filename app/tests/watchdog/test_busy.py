import os
import time
from pathlib import Path

import pytest

from boxoffice.watchdog import busy


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    return tmp_path


def test_a_process_is_busy_from_the_beginning_of_a_task_to_its_end(folder: Path) -> None:
    busy._begin(task_id="1")
    assert busy.count(folder) == 1
    busy._end(task_id="1")
    assert busy.count(folder) == 0


def test_what_a_killed_process_left_behind_counts_only_as_long_as_a_task_may_take(
    folder: Path,
) -> None:
    left = folder / "busy-1"
    left.touch()
    for age, number in ((busy.LEFT_BEHIND - 5, 1), (busy.LEFT_BEHIND + 5, 0)):
        os.utime(left, (time.time() - age,) * 2)
        assert busy.count(folder) == number


def test_a_new_task_is_young_whatever_was_left_behind(folder: Path) -> None:
    left = folder / f"busy-{os.getpid()}"
    left.touch()
    os.utime(left, (1, 1))
    busy._begin()
    assert busy.count(folder) == 1


def test_without_a_runtime_directory_nothing_is_written_and_nobody_is_busy(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    busy._begin()
    busy._end()
    assert list(folder.iterdir()) == []
    assert busy.count(folder / "absent") == 0
