"""Groups are the contract: by hand or by the plugin, the same topology gives the same groups and variables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_inventory_stack import ROOT, ansible
from test_stackfile import STATIC

HOST_CONTRACT = ("ansible_host", "zone", "layer", "instance_type", "ansible_user", "ansible_python_interpreter")
STACK_CONTRACT = (
    "stack_name", "stack_provider", "stack_zones", "stack_quorum_zone", "stack_virtual_ip", "stack_network",
)  # fmt: skip
STATE = (".state", ".state/secrets.yml", ".state/vault-password")
SEEN = "{{ {'groups': groups, 'state': [stack_state_dir, stack_secrets_file, stack_vault_password_file]} | to_json }}"


def seen(folder: Path, source: str) -> tuple[dict[str, list[str]], list[str]]:
    """As localhost sees it in a play: each group with its hosts (the empty ones too), and where the state is."""
    (folder / "play.yml").write_text(
        "---\n- hosts: localhost\n  gather_facts: false\n  tasks:\n    - ansible.builtin.copy:\n"
        f'        content: "{SEEN}"\n        dest: {folder}/seen.json\n        mode: "0600"\n',
        encoding="utf-8",
    )
    ran = ansible(folder, "playbook", "-i", source, "play.yml")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = json.loads((folder / "seen.json").read_text(encoding="utf-8"))
    return {name: sorted(hosts) for name, hosts in said["groups"].items()}, said["state"]


def host_variables(folder: Path, source: str) -> dict[str, dict[str, Any]]:
    ran = ansible(folder, "inventory", "-i", source, "--list")
    assert (ran.returncode, ran.stderr) == (0, "")
    return json.loads(ran.stdout)["_meta"]["hostvars"]


def test_by_hand_and_by_the_plugin_are_the_same(tmp_path: Path) -> None:
    hand = str(ROOT / "inventories/static/hosts.yml")
    by_hand = host_variables(tmp_path, hand)
    layers: dict[str, list[str]] = {}
    for name, one in by_hand.items():
        layers.setdefault(one["layer"], []).append(f"    - {{name: {name}, zone: {one['zone']}, host: {one['ansible_host']}}}\n")
    text = STATIC[: STATIC.index("layers:")].replace("stack: own", "stack: static") + "quorum_zone: c\nlayers:\n"
    text += "".join(f"  {layer}:\n{''.join(lines)}" for layer, lines in layers.items())
    (tmp_path / "stack.yml").write_text(text, encoding="utf-8")

    hand_groups, hand_state = seen(tmp_path, hand)
    plugin_groups, plugin_state = seen(tmp_path, "stack.yml")
    assert hand_groups == plugin_groups
    assert hand_state == [str(ROOT / "inventories/static" / path) for path in STATE]
    assert plugin_state == [str(tmp_path / path) for path in STATE]
    by_plugin = host_variables(tmp_path, "stack.yml")
    contract = HOST_CONTRACT + STACK_CONTRACT
    assert {name: {key: one[key] for key in contract} for name, one in by_hand.items()} == {
        name: {key: one[key] for key in contract} for name, one in by_plugin.items()
    }


@pytest.mark.parametrize("words", [("scale.yml",), ("start.yml", "-e", "start=app-a-1"), ("plan.yml",)])
def test_what_needs_a_stack_file_says_so_with_the_mend(tmp_path: Path, words: tuple[str, ...]) -> None:
    ran = ansible(tmp_path, "playbook", "-i", str(ROOT / "inventories/static/hosts.yml"), str(ROOT / "playbooks" / words[0]), *words[1:])
    assert ran.returncode != 0
    said = " ".join((ran.stdout + ran.stderr).split())
    assert "This inventory is no stack file" in said and "`provider: static`" in said, said
