"""Secrets: made once, kept, opened by the lookup, never shown."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible_collections.trust.stack.plugins.plugin_utils import vault
from test_inventory_stack import ansible

NAMES = ["mariadb_root_password", "redis_password"]
PLAY = """\
---
- name: Secrets
  hosts: localhost
  gather_facts: false
  vars:
    stack_secrets_file: "{{ playbook_dir }}/.state/secrets.yml"
    stack_vault_password_file: "{{ playbook_dir }}/.state/vault-password"
  tasks:
    - name: Make
      trust.stack.stack_secrets:
        path: "{{ stack_secrets_file }}"
        password_file: "{{ stack_vault_password_file }}"
        names: [mariadb_root_password, redis_password]
        known: "{{ known | default({}) }}"
    - name: Look
      ansible.builtin.debug:
        msg: "letters: {{ lookup('trust.stack.secret', 'redis_password') | length }}"
      when: not ansible_check_mode
    - name: Look for another
      ansible.builtin.debug:
        msg: "{{ lookup('trust.stack.secret', 'redis_pasword') }}"
      when: another is defined
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / ".state/secrets.yml", tmp_path / ".state/vault-password"


def ensure(files: tuple[Path, Path], names: list[str], check: bool = False) -> list[str]:
    return vault.ensure(*files, names, 32, check)["added"]


def test_only_what_is_missing_is_made(files: tuple[Path, Path]) -> None:
    assert ensure(files, NAMES[:1]) == NAMES[:1]
    first, password = vault.load(*files), files[1].read_bytes()
    assert ensure(files, NAMES) == NAMES[1:]
    assert ensure(files, NAMES) == []
    second = vault.load(*files)
    assert second[NAMES[0]] == first[NAMES[0]]
    assert files[1].read_bytes() == password
    assert len(set(second.values())) == 2
    assert all(len(value) == 32 and set(value) <= set(vault.ALPHABET) for value in second.values())


def test_the_files_are_closed_and_encrypted(files: tuple[Path, Path]) -> None:
    ensure(files, NAMES)
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]
    text = files[0].read_text(encoding="utf-8")
    assert text.startswith("$ANSIBLE_VAULT;")
    assert "redis" not in text
    assert sorted(file.name for file in files[0].parent.iterdir()) == ["secrets.yml", "vault-password"]


def test_check_mode_makes_nothing(files: tuple[Path, Path]) -> None:
    assert ensure(files, NAMES, check=True) == NAMES
    assert not files[0].parent.exists()


def test_a_lost_password_is_never_replaced(files: tuple[Path, Path]) -> None:
    ensure(files, NAMES)
    vault.load(*files)  # also when this process has the secrets open already
    files[1].unlink()
    with pytest.raises(AnsibleError, match=r"vault-password: the password of the secrets cannot be read .* Mend: bring it back"):
        ensure(files, [*NAMES, "another"])
    assert not files[1].exists()


def test_a_wrong_password_and_a_wrong_file_are_told(files: tuple[Path, Path]) -> None:
    ensure(files, NAMES)
    kept = files[0].read_bytes()
    files[0].write_bytes(kept)  # another file to the cache
    files[1].write_text("wrong\n", encoding="utf-8")
    with pytest.raises(AnsibleError, match=r"secrets.yml: the secrets cannot be opened .* Mend"):
        ensure(files, ["another"])
    files[0].write_text("redis_password: plain\n", encoding="utf-8")
    with pytest.raises(AnsibleError, match=r"secrets.yml: the secrets cannot be opened") as caught:
        ensure(files, ["another"])
    assert "plain" not in str(caught.value)


def test_a_changed_file_is_read_again(files: tuple[Path, Path]) -> None:
    ensure(files, NAMES)
    vault.save(*files, {"redis_password": "by hand", "optional": ""})
    assert vault.load(*files) == {"redis_password": "by hand", "optional": ""}
    ensure(files, NAMES)
    assert vault.load(*files)["optional"] == ""


def test_what_is_known_elsewhere_is_taken_over_and_told_what_it_lacks(files: tuple[Path, Path]) -> None:
    ensure(files, NAMES[:1])
    mine = vault.load(*files)[NAMES[0]]
    known = {NAMES[1]: "from elsewhere", "by_hand": "too", "empty": ""}
    foretold = vault.ensure(*files, [*NAMES, "another"], 32, True, known)
    assert list(vault.load(*files)) == NAMES[:1]
    told = vault.ensure(*files, [*NAMES, "another"], 32, False, known)
    assert told == foretold == {"added": ["another"], "taken": ["by_hand", NAMES[1]], "lacking": ["another", NAMES[0]], "differing": []}
    found = vault.load(*files)
    assert {name: found[name] for name in [*NAMES, "by_hand"]} == {NAMES[0]: mine, NAMES[1]: "from elsewhere", "by_hand": "too"}
    assert vault.ensure(*files, NAMES, 32, False, found) == {"added": [], "taken": [], "lacking": [], "differing": []}


def test_on_an_empty_machine_all_is_taken_over(files: tuple[Path, Path]) -> None:
    vault.ensure(*files, [], 32, False, {"redis_password": "from elsewhere"})
    assert vault.load(*files) == {"redis_password": "from elsewhere"}
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]


def test_if_one_value_differs_nothing_is_written(files: tuple[Path, Path]) -> None:
    ensure(files, NAMES)
    before = files[0].read_bytes()
    told = vault.ensure(*files, ["another"], 32, False, {NAMES[0]: "another value", "new": "one"})
    assert told == {"added": [], "taken": [], "lacking": [], "differing": NAMES[:1]}
    assert files[0].read_bytes() == before


def test_as_a_play(tmp_path: Path, files: tuple[Path, Path]) -> None:
    (tmp_path / "play.yml").write_text(PLAY, encoding="utf-8")
    run = ["playbook", "-i", "localhost,", "-c", "local", "play.yml", "-v"]
    assert "changed=1" in ansible(tmp_path, *run, "--check").stdout
    assert not files[0].exists()
    first = ansible(tmp_path, *run)
    assert "changed=1" in first.stdout, first.stdout + first.stderr
    assert "letters: 32" in first.stdout
    assert not any(value in first.stdout + first.stderr for value in vault.load(*files).values())
    again = ansible(tmp_path, *run, "-e", "another=1")
    assert "changed=0" in again.stdout
    assert again.returncode == 2
    assert f'{files[0]}: the secret "redis_pasword" is missing (found: 2 other secrets). Mend: run' in again.stdout + again.stderr
    for known in ({"redis_password": "known-elsewhere"}, "known-elsewhere"):
        (tmp_path / "known.json").write_text(json.dumps({"known": known}), encoding="utf-8")  # -vvv shows what is said by -e
        wrong = ansible(tmp_path, *run, "-vvv", "-e", "@known.json")
        assert wrong.returncode == 2
        assert "known-elsewhere" not in wrong.stdout + wrong.stderr
        assert "known" in wrong.stdout + wrong.stderr
