"""The secrets of a stack kept on AWS: another control node takes over, nobody overwrites anything, and no value is shown."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.trust.stack.plugins.plugin_utils import vault
from support.aws import Aws, outcome

BOOK = Path(__file__).with_name("aws_secrets.yml")
NAMES = ["/shop/by_hand", "/shop/id_ed25519", "/shop/mariadb_root_password", "/shop/redis_password"]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A control node with its key, and a secret that somebody wrote into the file."""
    state = tmp_path_factory.mktemp("first")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "trust-stack shop", "-f", state / "id_ed25519"], check=True)
    vault.ensure(state / "secrets.yml", state / "vault-password", [], 32, False, {"by_hand": "written by hand"})
    return state


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("second") / "state"


@pytest.fixture(scope="module")
def play(aws: Aws) -> Any:
    def run(state: Path, *words: str, **said: Any) -> tuple[int, str]:
        """How much changed (-1: it was refused), and what was said: never a value."""
        done = aws.play(BOOK, "-e", json.dumps({"state": str(state)} | said), *words)
        output = done.stdout + done.stderr
        key = state / "id_ed25519"
        values = [*secrets(state).values(), *kept(aws).values(), *(key.read_text().splitlines()[1:2] if key.exists() else [])]
        assert not [one for one in values if one in output]
        return outcome(done)

    return run


def secrets(state: Path) -> dict[str, str]:
    return vault.load(state / "secrets.yml", state / "vault-password")


def kept(aws: Aws) -> dict[str, str]:
    found = aws.client("ssm").get_parameters_by_path(Path="/shop", WithDecryption=True)["Parameters"]
    return {one["Name"]: one["Value"] for one in found}


def test_what_is_lacking_there_is_foretold_and_put_there_once(aws: Aws, play: Any, first: Path) -> None:
    changed, said = play(first, "--check", "--diff")
    assert changed == 2 and kept(aws) == {}, said[-3000:]
    assert "/shop/mariadb_root_password" in said
    changed, said = play(first, "--diff", "-vvvv")
    assert (changed, sorted(kept(aws))) == (2, NAMES), said[-3000:]
    local = secrets(first)
    assert {name.removeprefix("/shop/"): value for name, value in kept(aws).items()} == local | {"id_ed25519": (first / "id_ed25519").read_text().strip()}
    ssm = aws.client("ssm")
    for one in ssm.get_parameters_by_path(Path="/shop")["Parameters"]:
        assert one["Type"] == "SecureString"
        tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=one["Name"])["TagList"]
        assert {"Key": "stack", "Value": "shop"} in tags and {"Key": "managed-by", "Value": "trust.stack"} in tags
    assert play(first)[0] == 0
    assert secrets(first) == local


def test_another_control_node_takes_all_of_it_over(aws: Aws, play: Any, first: Path, second: Path) -> None:
    before = kept(aws)
    assert play(second, "--check", part="fetch")[0] == 3 and not second.exists()
    changed, said = play(second, "--diff", "-vvvv", part="fetch")
    assert changed == 3, said[-3000:]  # secrets, and both halves of the key
    assert secrets(second) == secrets(first)
    assert (second / "vault-password").read_text() != (first / "vault-password").read_text()
    assert (second / "id_ed25519").read_text() == (first / "id_ed25519").read_text()
    assert (second / "id_ed25519.pub").read_text().split()[:2] == (first / "id_ed25519.pub").read_text().split()[:2]
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in (second, *second.iterdir())} == {
        "state": 0o700, "secrets.yml": 0o600, "vault-password": 0o600, "id_ed25519": 0o600, "id_ed25519.pub": 0o644}  # fmt: skip
    assert play(second)[0] == 0
    assert kept(aws) == before


def test_two_values_are_refused_and_none_is_overwritten(aws: Aws, play: Any, second: Path) -> None:
    before, local, key = kept(aws), secrets(second), (second / "id_ed25519").read_text()
    changed_here = local | {"redis_password": "changed here", "new": "not there yet"}
    vault.save(second / "secrets.yml", second / "vault-password", changed_here)
    changed, said = play(second)
    assert changed == -1
    assert "secrets.yml: redis_password: found other values than in Parameter Store, below /shop/; expected the same. Nothing was changed" in said
    assert "aws ssm delete-parameter --name /shop/redis_password." in said
    assert (secrets(second), kept(aws)) == (changed_here, before)
    vault.save(second / "secrets.yml", second / "vault-password", local)
    (second / "id_ed25519").write_text("another key\n")
    changed, said = play(second)
    assert changed == -1
    assert "id_ed25519 is another key than /shop/id_ed25519 of Parameter Store; expected the same. Nothing was changed" in said
    assert kept(aws) == before
    (second / "id_ed25519").write_text(key)


def test_what_cannot_be_put_there_is_named_and_what_is_somebody_elses_refused(aws: Aws, play: Any, second: Path) -> None:
    ssm, local, before = aws.client("ssm"), secrets(second), kept(aws)
    vault.save(second / "secrets.yml", second / "vault-password", local | {"new": "not there yet"})
    aws.fault({"match": '"Name": "/shop/new", "Type"', "times": 99, "status": 400, "code": "AccessDeniedException"})
    changed, said = play(second, part="main")
    aws.fault()
    assert changed == -1
    assert "Parameter Store does not keep new below /shop/: setting parameter" in said, said[-3000:]
    assert kept(aws) == before
    ssm.put_parameter(Name="/shop/new", Value="somebody's own", Type="String")
    changed, said = play(second)
    assert changed == -1
    assert "Parameter Store: found /shop/new without the tag stack=shop; expected only this stack's own below /shop/" in said
    assert kept(aws) == before | {"/shop/new": "somebody's own"}


def test_only_what_is_somebody_elses_is_left(aws: Aws, play: Any, second: Path) -> None:
    aws.client("ssm").put_parameter(Name="/shop2/redis_password", Value="another stack's", Type="SecureString", Tags=[{"Key": "stack", "Value": "shop2"}])
    assert play(second, "--check", part="main", aws_secrets_state="absent")[0] == 1 and len(kept(aws)) == 5
    assert play(second, part="main", aws_secrets_state="absent")[0] == 1
    assert kept(aws) == {"/shop/new": "somebody's own"}
    assert aws.client("ssm").get_parameter(Name="/shop2/redis_password")
    assert (second / "secrets.yml").exists()
    assert play(second, part="main", aws_secrets_state="absent")[0] == 0
