"""Who is master after a start: the start helpers of Redis and Sentinel, run with Sentinels that are made up."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import jinja2
import pytest
import yaml

ROLES = Path(__file__).parents[2] / "roles"
ME, OTHER, THIRD = "10.0.0.1", "10.0.0.2", "10.0.0.3"
SENTINELS = [f"{each}:26379" for each in (ME, OTHER, THIRD)]

# In the place of redis-cli and timeout: each Sentinel's answers are lines of a file; the last one stays.
FAKE = """#!/bin/sh
[ "$1" = -h ] || { shift 2; }
file="$ANSWERS/$2"
[ -f "$file" ] || exit 1
head -1 "$file" | tr ' ' '\\n'
[ "$(wc -l <"$file")" -lt 2 ] || sed -i 1d "$file"
"""


def render(role: str, template: str, **values) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    environment.filters["comment"] = lambda text: f"#\n# {text}\n#"
    text = (ROLES / role / "templates" / template).read_text()
    return environment.from_string(text).render(ansible_managed="Ansible managed", **values)


@pytest.fixture
def start(tmp_path):
    """Run a start helper; returns the state file's text afterwards. Answers: what each Sentinel says, by address."""
    tools, answers, state = tmp_path / "bin", tmp_path / "answers", tmp_path / "state.conf"
    tools.mkdir()
    answers.mkdir()
    for name, text in {"redis-cli": FAKE, "timeout": '#!/bin/sh\nshift\nexec "$@"\n', "sleep": "#!/bin/sh\n"}.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)

    def run(script: str, said: dict[str, str], before: str | None = None) -> str:
        for address, lines in said.items():
            (answers / address).write_text(lines + "\n")
        if before is not None:
            state.write_text(before)
        environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "ANSWERS": str(answers)}
        subprocess.run(["sh", "-c", script], env=environment, check=True, timeout=60)
        return state.read_text()

    run.state = state
    return run


def redis_join(start, **values) -> str:
    return render("redis", "redis-join.j2", **{
        "redis_address": ME, "redis_port": 6379, "redis_sentinels": SENTINELS, "redis_master_name": "stack",
        "redis_initial_master": OTHER, "__redis_state": str(start.state), "__redis_patience": 20, **values})


def followed(state: str) -> str:
    found = re.findall(r"^replicaof (.+)$", state, re.MULTILINE)
    assert len(found) <= 1
    return found[0] if found else "nobody"


def all_say(answer: str) -> dict[str, str]:
    return {ME: answer, OTHER: answer, THIRD: answer}


@pytest.mark.parametrize(("initial", "follows"), [(ME, "nobody"), (OTHER, f"{OTHER} 6379")])
def test_a_new_stack_begins_with_the_initial_master(start, initial, follows):
    assert followed(start(redis_join(start, redis_initial_master=initial), {})) == follows


def test_a_new_node_in_an_old_stack_follows_the_present_master_not_the_initial_one(start):
    assert followed(start(redis_join(start, redis_initial_master=ME), {THIRD: f"{THIRD} 6379"})) == f"{THIRD} 6379"


def test_an_empty_node_that_was_master_waits_for_another_one(start):
    changes = f"{ME} 6379\n" * 5 + f"{OTHER} 6379"
    assert followed(start(redis_join(start, redis_initial_master=ME), all_say(changes))) == f"{OTHER} 6379"


def test_an_empty_node_that_stays_the_only_choice_serves_in_the_end(start):
    assert followed(start(redis_join(start), all_say(f"{ME} 6379"))) == "nobody"


def test_a_master_that_slept_through_a_failover_comes_back_as_a_replica(start):
    state = start(redis_join(start), {OTHER: f"{OTHER} 6379", THIRD: f"{OTHER} 6379"}, "# Kept\nmaxmemory 1mb\n")
    assert followed(state) == f"{OTHER} 6379" and "maxmemory 1mb" in state


def test_a_promoted_node_stays_master_and_a_moved_replica_follows_the_new_one(start):
    assert followed(start(redis_join(start), all_say(f"{ME} 6379"), f"# Kept\nreplicaof {OTHER} 6379\n")) == "nobody"
    assert followed(start(redis_join(start), all_say(f"{THIRD} 6379"), f"replicaof {OTHER} 6379\n")) == f"{THIRD} 6379"


@pytest.mark.parametrize("said", [
    {}, {ME: f"{THIRD} 6379"}, all_say("NOPERM User default has no permissions"), all_say("")])
def test_without_two_sentinels_that_agree_the_role_stays(start, said):
    assert followed(start(redis_join(start), said, f"# Kept\nreplicaof {OTHER} 6379\n")) == f"{OTHER} 6379"


def test_an_account_that_redis_has_copied_never_outlives_a_start(start):
    before = "# Kept\nuser default on nopass ~* +@all\nreplicaof 10.0.0.2 6379\n"
    assert start(redis_join(start), {}, before) == "# Kept\nreplicaof 10.0.0.2 6379\n"


def sentinel_join(start, **values) -> str:
    return render("sentinel", "sentinel-join.j2", **{
        "sentinel_address": ME, "sentinel_port": 26379, "sentinel_peers": SENTINELS, "sentinel_master_name": "stack",
        "sentinel_master_address": OTHER, "sentinel_redis_port": 6379, "sentinel_quorum": 2,
        "__sentinel_state": str(start.state), **values})


def test_a_new_sentinel_watches_the_initial_master_when_nobody_answers(start):
    assert f"sentinel monitor stack {OTHER} 6379 2\n" in start(sentinel_join(start), {})


def test_a_rebuilt_sentinel_asks_the_others_not_itself_and_keeps_its_identity(start):
    said = {ME: f"{ME} 6379", OTHER: f"{THIRD} 6379", THIRD: f"{THIRD} 6379"}
    first = start(sentinel_join(start), said)
    assert f"sentinel monitor stack {THIRD} 6379 2\n" in first
    start.state.unlink()
    assert start(sentinel_join(start), said) == first
    start.state.unlink()
    assert start(sentinel_join(start, sentinel_address=OTHER), said) != first


def test_a_sentinel_that_remembers_keeps_all_but_the_quorum_and_copied_accounts(start):
    before = ("sentinel myid abc\nsentinel monitor stack 10.0.0.9 6379 2\nuser default on nopass +@all\n"
              "sentinel monitor other 10.0.0.8 6379 2\n")
    assert start(sentinel_join(start, sentinel_quorum=3), all_say(f"{OTHER} 6379"), before) == (
        "sentinel myid abc\nsentinel monitor stack 10.0.0.9 6379 3\nsentinel monitor other 10.0.0.8 6379 2\n")


@pytest.mark.parametrize(("role", "state"), [
    ("redis", yaml.safe_load((ROLES / "redis/vars/main.yml").read_text())["__redis_state"]),
    ("sentinel", yaml.safe_load((ROLES / "sentinel/vars/main.yml").read_text())["__sentinel_state"])])
def test_the_unit_reads_the_state_first_and_the_settings_last(role, state):
    unit = (ROLES / role / "files/stack.conf").read_text()
    assert re.search(rf"^ExecStart=\S+ {re.escape(state)} --include /etc/redis/{role}\.conf ", unit, re.MULTILINE)
    assert "StartLimitIntervalSec=0" in unit and "Restart=always" in unit


def test_a_sentinel_without_a_password_cannot_be_told_to_follow_another_master():
    questions = yaml.safe_load((ROLES / "sentinel/vars/main.yml").read_text())["__sentinel_questions"].split()
    told = {"set", "monitor", "remove", "failover", "reset", "config", "flushconfig", "is-master-down-by-addr"}
    assert not {f"+sentinel|{each}" for each in told} & set(questions)
    assert not {"+sentinel", "+@all", "+publish", "+acl", "+shutdown", "+@admin"} & set(questions)
