"""Whom the decisions leave alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from ansible_collections.trust.stack.plugins.module_utils import lease, statefiles
from ansible_collections.trust.stack.plugins.module_utils.stackfile import parse
from ansible_collections.trust.stack.plugins.plugin_utils.deciding import left_alone

STACK = parse("""
plugin: trust.stack.stack
stack: test
provider: podman
zones: [a, b]
quorum_zone: c
layers: {lb: 2, app: 2, worker: 2, database: 2, redis: 2, memcached: 2, arbiter: 1, mail: 1}
""")


def test_those_in_maintenance_until_it_is_over(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    until = now + timedelta(minutes=5)
    statefiles.write(tmp_path / statefiles.MAINTENANCE, {
        "app-a-1": until.isoformat(), "app-b-1": (now - timedelta(minutes=1)).isoformat()})  # fmt: skip
    assert left_alone(STACK, tmp_path) == {"app-a-1": f"in maintenance until {until:%H:%M:%S} UTC"}


def test_those_without_a_release_but_not_before_the_first_one(tmp_path: Path) -> None:
    assert left_alone(STACK, tmp_path) == {}
    statefiles.write(tmp_path / statefiles.RELEASE, {"digest": "", "history": []})
    assert left_alone(STACK, tmp_path) == dict.fromkeys(["app-a-1", "app-b-1", "worker-a-1", "worker-b-1"], "no release is deployed")


def test_the_one_from_which_the_database_is_migrated(tmp_path: Path) -> None:
    lease.hold(tmp_path, 0, deploys=True)
    lease.lend(tmp_path, "app-a-1")
    assert left_alone(STACK, tmp_path) == {"app-a-1": "the database is migrated from it"}
    lease.hold(tmp_path, 0, deploys=True)
    assert left_alone(STACK, tmp_path) == {}
