"""A release goes out and comes back while people buy; a bad one is taken back before anybody has seen it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.rush import Kind, Rush
from support.slow_release import make
from support.stack import ROOT, Stack, wait_until

WORKERS = ("worker-a-1", "worker-b-1")
APPS = ("app-a-1", "app-b-1")
LONG_MIGRATION = float(os.environ.get("LONG_MIGRATION", "90"))  # seconds
LATER = ("app-a-2", "app-b-2", "worker-a-2")


@pytest.fixture(scope="session")
def good(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The digests of a release that the tests can load, and of a second one like it; the second one runs."""
    digests = []
    for mark in ("one", "two"):
        stack.play("playbooks/deploy.yml", "-e", f"release_source={make(tmp_path_factory.mktemp('app') / 'app', mark)}")
        digests.append(stack.state("release")["digest"])
    return digests


def everywhere(stack: Stack) -> set[str]:
    return {stack.release(host) for host in (*APPS, *WORKERS)}


def load(stack: Stack, **tasks: float) -> Rush:
    """Quick pages, and slow ones and tasks among them: what a deploy must not break."""
    return Rush(stack, [Kind("/health", 180), Kind("/", 18), Kind("/slow/5", 2, 30)], **tasks)


def test_a_rollback_and_a_deploy_under_load_break_no_request_and_lose_or_double_no_task(stack: Stack, good: list[str]) -> None:
    with load(stack, task_every=6, task_seconds=30) as rush:
        back = stack.play("playbooks/rollback.yml")
        assert stack.state("release")["digest"] == good[0]
        assert everywhere(stack) == {good[0]}
        stack.play("playbooks/deploy.yml", "-e", f"release={good[1]}")
        assert everywhere(stack) == {good[1]}
    print(f"\nrollback and deploy: {rush}", file=sys.stderr)
    assert "Migrate" not in back
    assert rush.failed == []
    assert rush.refused == []
    assert set(rush.settled().values()) == {(1, 1)}


class TestTenHosts:
    """With everything that can be started: what goes wrong goes wrong on one host, what is done once is done once."""

    @pytest.fixture(scope="class", autouse=True)
    def hosts(self, stack: Stack, good: list[str]) -> Iterator[list[str]]:
        began = time.time()
        stack.play("playbooks/start.yml", "-e", f"start={','.join(stack.offline)}")
        hosts = sorted({*APPS, *WORKERS, *stack.offline} & stack.running())
        assert len(hosts) == 10
        # Six that come at once are one configure of each of the others.
        for host in (*APPS, *WORKERS):
            assert [event for _at, event in stack.hook_events(host, began)] == (["configure"] if host in APPS else [])
        yield hosts
        stack.play("playbooks/stop.yml", "-e", f"stop={','.join(stack.offline)}")

    @pytest.mark.parametrize("mark", ["sick", "broken"])
    def test_a_bad_release_stops_at_the_canary_and_nobody_sees_it(
        self, stack: Stack, hosts: list[str], good: list[str], tmp_path: Path, mark: str
    ) -> None:
        before, began = stack.state("release"), time.time()
        with load(stack) as rush:
            said = stack.failing_play("playbooks/deploy.yml", "-e", f"release_source={make(tmp_path / 'app', mark)}")
        print(f"\n{mark} release: {rush}", file=sys.stderr)
        assert "The release did not get well on app-a-1" in " ".join(said.split()), said[-6000:]
        assert rush.failed == []
        assert {stack.release(host) for host in hosts} == {good[1]}
        assert stack.state("release") == before
        restarts = f"journalctl --no-pager -o cat -u 'boxoffice-*' --since @{began:.0f} | grep -cE 'broken on purpose|^(Started|Starting) ' || true"
        assert {host for host in hosts if stack.ssh(host, restarts).strip() != "0"} == {"app-a-1"}
        for balancer in stack.hosts("lb"):
            servers = stack.servers(balancer)
            assert all(servers[f"app/{host}"].startswith("UP") for host in hosts if host.startswith("app"))

    def test_the_database_is_migrated_once_however_many_hosts_there_are(self, stack: Stack, hosts: list[str], good: list[str], tmp_path: Path) -> None:
        began = time.time()
        output = stack.play("playbooks/deploy.yml", "-e", f"release_source={make(tmp_path / 'app', f'at {began}')}")
        task = output.split("Migrate the database]", 1)[1].split("TASK", 1)[0]
        assert re.findall(r"^(?:changed|ok): \[(\S+)\]", task, re.M) == ["app-a-1"]
        count = f"journalctl --no-pager -o cat -u migrate-boxoffice --since @{began:.0f} | grep -c Started || true"
        assert {host: int(stack.ssh(host, count)) for host in hosts} == dict.fromkeys(hosts, 0) | {"app-a-1": 1}


class Deploy:
    """A deploy that goes on by itself until it ends or is killed; what it says goes into a file."""

    def __init__(self, stack: Stack, words: tuple[str, ...], said: Path) -> None:
        self.stack, self.said = stack, said
        with said.open("w") as file:
            self.run = subprocess.Popen(["ansible-playbook", "-i", str(stack.inventory), *words], cwd=ROOT, stdout=file, start_new_session=True)

    def migrates(self) -> None:
        wait_until(lambda: self.stack.state("migration").get("pid") == self.run.pid, "it has lent the lease", 120)
        wait_until(lambda: self.stack.ssh(APPS[0], "systemctl is-active migrate-boxoffice", check=False).strip() == "active", "it migrates", 60)

    def kill(self) -> None:
        if self.run.poll() is None:
            os.killpg(self.run.pid, signal.SIGKILL)
            self.run.wait()


@pytest.mark.timeout(LONG_MIGRATION + 900)
def test_a_long_migration_outlives_the_run_that_began_it_and_keeps_nobody_from_starting(stack: Stack, good: list[str], tmp_path: Path) -> None:
    """Longer than any other statement may take; the run is cut off in the middle, and the next one waits for what it began.

    While that one waits, the rush that was planned comes: an instance starts with the release that runs, another one stops.
    """
    seconds = LONG_MIGRATION
    version, runs, began = stack.query("SELECT version_num FROM alembic_version"), stack.state("release")["digest"], time.time()
    words = ("playbooks/deploy.yml", "-e", f"release_source={make(tmp_path / 'app', f'long {seconds:.0f} {began}')}")
    stack.play("playbooks/start.yml", "-e", "start=app-b-2")
    first = Deploy(stack, words, tmp_path / "first.log")
    second = None
    try:
        first.migrates()
        time.sleep(3)
        first.kill()
        second = Deploy(stack, words, tmp_path / "second.log")
        second.migrates()
        stack.play("playbooks/start.yml", "-e", "start=app-a-2")
        stack.play("playbooks/stop.yml", "-e", "stop=app-b-2")
        assert stack.release("app-a-2") == runs
        assert second.run.poll() is None
        code = second.run.wait(timeout=seconds + 600)
        said = second.said.read_text()
        assert code == 0, said[-6000:]
        assert time.time() - began > seconds
        assert "ok: [app-a-1]" in said.split("Migrate the database]", 1)[1].split("TASK", 1)[0]  # it finds all done
        assert stack.query("SELECT version_num FROM alembic_version") > version
        new = stack.state("release")["digest"]
        assert new != runs
        assert {stack.release(host) for host in (*APPS, *WORKERS, "app-a-2")} == {new}
        ran = stack.ssh(APPS[0], f"journalctl --no-pager -o cat -u migrate-boxoffice --since @{began:.0f}")
        assert (ran.count("Started"), ran.count("Failed")) == (2, 0), ran
    finally:
        first.kill()
        if second:
            second.kill()
        # It goes on by itself: what it writes at its end would undo what is put right here.
        ended = "while systemctl is-active --quiet migrate-boxoffice; do sleep 1; done"
        stack.ssh(APPS[0], ended, timeout=seconds + 60)
        stack.query(f"UPDATE alembic_version SET version_num = '{version}'")
        stack.play("playbooks/stop.yml", "-e", "stop=app-a-2,app-b-2")
        stack.play("playbooks/deploy.yml", "-e", f"release={good[1]}")


def test_an_instance_that_starts_later_gets_the_release_of_all_others(stack: Stack, good: list[str]) -> None:
    began = time.monotonic()
    stack.play("playbooks/rollback.yml", "-e", f"release={good[0]}")
    print(f"\nrollback of {len(APPS + WORKERS)} hosts without load: {time.monotonic() - began:.1f} s", file=sys.stderr)
    try:
        stack.play("playbooks/start.yml", "-e", f"start={','.join(LATER)}")
        assert {stack.release(host) for host in LATER} == {good[0]} == everywhere(stack)
        stack.play("playbooks/stop.yml", "-e", f"stop={','.join(LATER)}")
        stack.play("playbooks/deploy.yml", "-e", f"release={good[1]}")  # while they sleep
        stack.play("playbooks/start.yml", "-e", f"start={','.join(LATER)}")
        assert {stack.release(host) for host in LATER} == {good[1]}
    finally:
        stack.play("playbooks/stop.yml", "-e", f"stop={','.join(LATER)}")


def test_what_can_be_gone_back_to_is_on_the_hosts_and_nothing_else(stack: Stack, good: list[str]) -> None:
    kept = set(stack.state("release")["history"])
    assert len(kept) <= 5
    for host in (*APPS, *WORKERS):
        assert set(stack.ssh(host, "ls /srv/boxoffice/releases").split()) <= kept | {stack.release(host)}


def test_a_rollback_to_what_is_not_kept_is_refused_with_what_is(stack: Stack, good: list[str]) -> None:
    said = " ".join(stack.failing_play("playbooks/rollback.yml", "-e", "release=0000").split())
    assert "found '0000', which is no kept release other than the current one; expected one of:" in said
    assert good[0][:12] in said


def test_a_migration_that_fails_leaves_the_old_release_everywhere(stack: Stack, good: list[str], tmp_path: Path) -> None:
    before, runs = stack.state("release"), everywhere(stack)
    said = stack.failing_play("playbooks/deploy.yml", "-e", f"release_source={make(tmp_path / 'app', 'unmigratable')}")
    assert "THIS IS NO SQL" in said
    assert everywhere(stack) == runs
    assert stack.state("release") == before


def test_a_contract_waits_until_it_is_asked_for_and_ends_the_way_back(stack: Stack, good: list[str], tmp_path: Path) -> None:
    source = f"release_source={make(tmp_path / 'app', 'contract')}"
    stack.query("CREATE TABLE IF NOT EXISTS slow_contracted (id INT PRIMARY KEY)")
    stack.play("playbooks/deploy.yml", "-e", source)
    assert stack.query("SHOW TABLES LIKE 'slow_contracted'") == "slow_contracted"
    assert len(stack.state("release")["history"]) > 1
    version = stack.query("SELECT version_num FROM alembic_version")
    try:
        stack.play("playbooks/deploy.yml", "-e", source, "-e", "contract=true")
        assert stack.query("SHOW TABLES LIKE 'slow_contracted'") in ("", "None")
        assert stack.state("release")["history"] == [stack.state("release")["digest"]]
        assert "is the oldest that is kept" in stack.failing_play("playbooks/rollback.yml")
    finally:  # for the tests that run on this stack after it
        stack.query(f"UPDATE alembic_version SET version_num = '{version}'")
        stack.play("playbooks/deploy.yml")


def test_an_event_is_run_again_from_what_was_kept(stack: Stack, good: list[str]) -> None:
    began = time.time()
    (tmp := Path(stack.var("stack_state_dir")) / "event.json").write_text('{"event": "configure", "instances": ["app-b-1"]}')
    for _again in range(2):
        stack.play("playbooks/event.yml", "-e", f"@{tmp}")
    assert [event for _at, event in stack.hook_events("app-b-1", began)] == ["configure", "configure"]
    assert stack.hook_events("app-a-1", began) == []
    stack.play("playbooks/event.yml", "-e", "event=deploy", "-e", "instances=app-a-1")
    assert [event for _at, event in stack.hook_events("app-a-1", began)] == ["deploy"]
    assert "expected setup, configure or deploy" in " ".join(stack.failing_play("playbooks/event.yml", "-e", "event=shutdown").split())


def test_an_undeploy_closes_the_shop_until_the_next_deploy(stack: Stack, good: list[str]) -> None:
    assert "confirm: found nothing" in " ".join(stack.failing_play("playbooks/undeploy.yml").split())
    began = time.time()
    stack.play("playbooks/undeploy.yml", "-e", "confirm=site")
    try:
        assert [event for _at, event in stack.hook_events("app-a-1", began)] == ["undeploy"]
        assert {stack.ssh(host, "ls /srv/boxoffice/releases /etc/boxoffice/env 2>/dev/null || true") for host in (*APPS, *WORKERS)} == {""}
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(stack.url, timeout=5)
        assert "restart" not in stack.play("playbooks/heal.yml")
    finally:
        stack.play("playbooks/deploy.yml")
    assert urllib.request.urlopen(stack.url, timeout=5).status == 200
    assert len(everywhere(stack)) == 1
