"""One actor: of many controllers that tick at once exactly one acts, and who is killed leaves nothing behind."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.trust.stack.plugins.module_utils import lease, statefiles

STARTED, LEFT_TO_THE_OTHER, TWO_AT_ONCE = 0, 10, 11


def _tick(folder: Path) -> int:
    """One run of scale.yml: with the lease it starts the next instance, which takes a read and a write."""
    if lease.take(folder, lease.this_run()) is not None:
        return LEFT_TO_THE_OTHER
    alone = folder / "alone"
    try:
        os.close(os.open(alone, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return TWO_AT_ONCE
    started = folder / "started"
    number = len(started.read_text().split()) if started.exists() else 0
    time.sleep(0.0005)
    with started.open("a") as file:
        file.write(f"{number}\n")
    alone.unlink()
    return STARTED


def _controller(folder: Path, ticks: int) -> None:
    """Every tick is a process of its own, as a run of a play is; how they ended goes to a file."""
    ends = []
    for _minute in range(ticks):
        if child := os.fork():
            ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        else:
            end = 99  # a tick that raised
            try:
                end = _tick(folder)
            finally:
                os._exit(end)
    (folder / f"ends-{os.getpid()}").write_text(" ".join(map(str, ends)))


def test_two_controllers_in_a_thousand_ticks_start_nothing_twice(tmp_path: Path) -> None:
    small = multiprocessing.get_context("spawn")  # their many forks are cheap without pytest in them
    both = [small.Process(target=_controller, args=(tmp_path, 1000)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(timeout=120)
        assert one.exitcode == 0
    started = [int(number) for number in (tmp_path / "started").read_text().split()]
    assert started == list(range(len(started)))
    ends = Counter(int(end) for file in tmp_path.glob("ends-*") for end in file.read_text().split())
    assert ends == {STARTED: len(started), LEFT_TO_THE_OTHER: 2000 - len(started)}


def test_who_holds_it_keeps_it_and_others_learn_who(tmp_path: Path) -> None:
    me = lease.this_run()
    assert lease.take(tmp_path, me) is None
    assert lease.take(tmp_path, me) is None
    other = lease.take(tmp_path, replace(me, pid=me.pid + 1, started="other"))
    assert other is not None
    assert (other.pid, other.host) == (me.pid, me.host)


def test_a_controller_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    gone = multiprocessing.Process(target=time.sleep, args=(60,))
    gone.start()
    assert gone.pid
    dead = replace(lease.this_run(), pid=gone.pid, started=lease._started(gone.pid))
    assert lease.take(tmp_path, dead) is None
    assert lease.take(tmp_path, lease.this_run()) is not None
    gone.kill()
    gone.join()
    assert lease.take(tmp_path, lease.this_run()) is None


def test_a_run_on_another_machine_ends_after_half_an_hour_at_the_latest(tmp_path: Path) -> None:
    me = lease.this_run()
    far = replace(me, host="elsewhere", since=time.time() - lease.LONGEST + 60)
    assert lease.take(tmp_path, far) is None
    assert lease.take(tmp_path, me) is not None
    assert lease.take(tmp_path, replace(far, since=time.time() - lease.LONGEST - 1)) is None
    assert lease.take(tmp_path, me) is None


def test_a_lease_that_cannot_be_read_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / statefiles.LEASE).write_text('{"pid": "none"}')
    assert lease.take(tmp_path, lease.this_run()) is None


def elsewhere(me: lease.Holder) -> lease.Holder:
    """A run that lives, on another machine."""
    return replace(me, host="elsewhere")


def test_a_deploy_lends_it_while_it_migrates_to_all_but_other_deploys(tmp_path: Path) -> None:
    me = lease.this_run()
    lease.hold(tmp_path, 0, deploys=True)
    lease.lend(tmp_path, "app-a-1")
    assert lease.migrating(tmp_path) == "app-a-1"
    assert lease._same(lease.take(tmp_path, elsewhere(me), deploys=True) or elsewhere(me), me)
    assert lease.take(tmp_path, elsewhere(me)) is None  # scale.yml
    with pytest.raises(lease.LeaseError, match="on elsewhere starts, stops or deploys"):
        lease.hold(tmp_path, 0, deploys=True)  # it waits until that run has ended


def test_who_has_lent_it_takes_it_again_and_the_migration_is_over(tmp_path: Path) -> None:
    lease.hold(tmp_path, 0, deploys=True)
    lease.lend(tmp_path, "app-a-1")
    lease.hold(tmp_path, 0, deploys=True)
    assert lease.migrating(tmp_path) == ""
    assert lease.take(tmp_path, elsewhere(lease.this_run())) is not None


def test_a_deploy_that_was_killed_migrates_nothing(tmp_path: Path) -> None:
    lease.hold(tmp_path, 0, deploys=True)
    lease.lend(tmp_path, "app-a-1")
    file = tmp_path / statefiles.MIGRATION
    file.write_text(json.dumps(json.loads(file.read_text()) | {"started": "before"}))
    assert lease.migrating(tmp_path) == ""
    assert lease.take(tmp_path, elsewhere(lease.this_run()), deploys=True) is None


def test_only_who_has_it_can_lend_it(tmp_path: Path) -> None:
    assert lease.take(tmp_path, elsewhere(lease.this_run())) is None
    with pytest.raises(lease.LeaseError, match="only the run that has the lease"):
        lease.lend(tmp_path, "app-a-1")
    assert lease.migrating(tmp_path) == ""
