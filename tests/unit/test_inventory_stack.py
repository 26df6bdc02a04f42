"""The inventory plugin, as Ansible runs it: what it gives, and that no mistake lets a run go on."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.trust.stack.plugins.module_utils import stackvars
from ansible_collections.trust.stack.plugins.module_utils.addresses import network
from ansible_collections.trust.stack.plugins.module_utils.stackfile import INSTANCE_KEYS, LAYERS, STACK_KEYS, parse
from test_stackfile_asg import ASG
from test_stackfile_ec2 import AWS

ROOT = Path(__file__).parents[2]
LOCAL = (ROOT / "inventories/local/stack.yml").read_text(encoding="utf-8")
NETWORK = {"name": "trust-local", "cidr": "10.89.0.0/24", "gateway": "10.89.0.1"}
PLAY = """\
---
- name: See
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Go on
      ansible.builtin.debug:
        msg: went on
"""
# As in this repository; without it, as whoever has only installed the collection has it.
SETTINGS = "[inventory]\nany_unparsed_is_failed = true\nenable_plugins = trust.stack.stack, host_list, auto, yaml, ini\n"


def ansible(
    folder: Path, *command: str, config: str = SETTINGS, collections: Path = ROOT / ".collections"
) -> subprocess.CompletedProcess[str]:
    (folder / "ansible.cfg").write_text(config, encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env = clean | {
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_NOCOLOR": "1",
        "PYTHONPATH": "",
    }
    return subprocess.run([sys.executable, "-m", "ansible", *command], cwd=folder, env=env, capture_output=True, text=True, check=False)


def listed(folder: Path, source: str = "stack.yml") -> dict[str, Any]:
    ran = ansible(folder, "inventory", "-i", source, "--list")
    assert (ran.returncode, ran.stderr) == (0, "")
    return json.loads(ran.stdout)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A folder with the stack of this repository, as it is after the network was made."""
    (tmp_path / "stack.yml").write_text(LOCAL, encoding="utf-8")
    (tmp_path / ".state").mkdir()
    (tmp_path / ".state/network.json").write_text(json.dumps(NETWORK), encoding="utf-8")
    return tmp_path


def test_before_the_network_exists_there_are_hosts_without_addresses(stack: Path) -> None:
    (stack / ".state/network.json").unlink()
    said = listed(stack)
    host = said["_meta"]["hostvars"]["app-a-1"]
    assert "ansible_host" not in host
    assert (host["stack_virtual_ip"], host["stack_addresses"], host["stack_network"]["cidr"]) == ("", {}, "")
    assert host["stack_mount_namespaces"] is True
    assert host["stack_containers_conf"] == ""


def test_a_stack_as_ansible_sees_it(stack: Path) -> None:
    variables = 'variables: {shop_url: "http://{{ stack_virtual_ip }}/", ansible_user: admin}\nlayers:'
    text = LOCAL.replace("layers:", variables).replace("  app: 2", "  app: {instances: 2, variables: {app_workers: 4}}")
    (stack / "stack.yml").write_text(text, encoding="utf-8")
    (stack / ".state/addresses.json").write_text('{"app-a-1": "10.89.0.99"}', encoding="utf-8")
    (stack / ".state/machine.json").write_text('{"mount_namespaces": false, "containers_conf": "/c.conf"}', encoding="utf-8")
    said = listed(stack, ".")  # the folder, as ansible.cfg may name it: .state in it is not an inventory
    hosts = said["_meta"]["hostvars"]
    assert said["instances"]["children"] == list(LAYERS)
    assert said["zone_c"]["hosts"] == ["arbiter-c-1", "monitor-c-1", "mail-c-1"]
    host = hosts["app-a-1"]
    assert (host["ansible_host"], host["zone"], host["layer"], host["instance_type"]) == (
        "10.89.0.99",
        "a",
        "app",
        "always",
    )
    assert host["app_workers"] == 4
    assert "app_workers" not in hosts["lb-a-1"]
    assert host["ansible_user"] == "admin", "what the file says for the whole stack wins over the plugin's own"
    assert host["stack_virtual_ip"] == "10.89.0.10"
    assert host["stack_mount_namespaces"] is False
    assert host["stack_containers_conf"] == "/c.conf"
    assert host["stack_addresses"]["lb-a-1"] == hosts["lb-a-1"]["ansible_host"] == "10.89.0.11"
    assert len({one["ansible_host"] for one in hosts.values()}) == len(hosts) == 15
    assert {one["address"] for one in host["stack_instances"]} == {one["ansible_host"] for one in hosts.values()}
    assert host["shop_url"] == "http://{{ stack_virtual_ip }}/", "a template stays one, without an unsafe mark"


def test_templates_in_the_file_are_rendered(stack: Path) -> None:
    text = LOCAL.replace("layers:", 'variables: {shop_url: "http://{{ stack_virtual_ip }}/"}\nlayers:')
    (stack / "stack.yml").write_text(text, encoding="utf-8")
    ran = ansible(stack, "adhoc", "-i", "stack.yml", "localhost", "-m", "ansible.builtin.debug", "-a", "msg={{ shop_url }}")
    assert "http://10.89.0.10/" in ran.stdout, ran.stderr


def test_layers_that_are_absent_are_empty_groups(stack: Path) -> None:
    text = LOCAL.replace("  app: 2\n", "").replace("  worker: 2\n", "")   # no shop: then any layer may be left out
    (stack / "stack.yml").write_text(text.replace("  memcached: 2\n", ""), encoding="utf-8")
    ran = ansible(stack, "inventory", "-i", "stack.yml", "--graph")
    assert all(f"@{name}:" in ran.stdout for name in (*LAYERS, "zone_c", "time_based", "load_based"))


def test_another_file_name_needs_the_plugin_line(stack: Path) -> None:
    (stack / "stack.yml").rename(stack / "shop.yml")
    assert "app-a-1" in listed(stack, "shop.yml")["_meta"]["hostvars"]


@pytest.mark.parametrize("config", [SETTINGS, ""], ids=["with our settings", "without"])
@pytest.mark.parametrize("command", [("inventory", "--graph"), ("playbook", "play.yml")], ids=["inventory", "playbook"])
def test_a_mistake_is_one_message_and_ends_the_run(stack: Path, command: tuple[str, str], config: str) -> None:
    (stack / "stack.yml").write_text(LOCAL.replace("database: 2", "databse: 2"), encoding="utf-8")
    (stack / "play.yml").write_text(PLAY, encoding="utf-8")
    ran = ansible(stack, command[0], "-i", "stack.yml", command[1], config=config)
    assert ran.returncode == 4
    assert ran.stdout == ""
    line = LOCAL[: LOCAL.index("database: 2")].count("\n") + 1
    assert ran.stderr.strip().splitlines() == [
        "[ERROR]: the stack cannot be read: 1 mistake",
        "",
        f"stack.yml:{line}: layers.databse: there is no such layer",
        '    found:    "databse"',
        "    expected: one of: lb, app, worker, database, redis, memcached, arbiter, monitor, mail",
        '    mend:     did you mean "database"?',
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        (LOCAL.replace("  app: 2", "\tapp: 2"), "a tab in the indentation"),
        (LOCAL.replace("plugin:", "plugins:"), '"plugin" is missing'),
        (LOCAL.replace("trust.stack.stack\nstack", "trust.stack.stak\nstack"), "plugin: this is not one of"),
    ],
    ids=["empty", "tab", "no plugin", "another plugin"],
)
def test_what_the_auto_plugin_could_not_read_is_ours_too(stack: Path, text: str, said: str) -> None:
    (stack / "stack.yml").write_text(text, encoding="utf-8")
    ran = ansible(stack, "inventory", "-i", "stack.yml", "--graph")
    assert ran.returncode == 4
    assert said in ran.stderr
    assert ran.stderr.count("[ERROR]") == 1
    assert "[WARNING]" not in ran.stderr


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("network.json", "{", "network.json:1: what an earlier run wrote cannot be used"),
        ("network.json", '{"name": "n", "cidr": "10.89.0.0/28", "gateway": "10.89.0.1"}', "too small"),
        ("addresses.json", "[]", "does not hold a mapping"),
    ],
)
def test_a_broken_state_is_told_too(stack: Path, name: str, text: str, said: str) -> None:
    (stack / ".state" / name).write_text(text, encoding="utf-8")
    ran = ansible(stack, "inventory", "-i", "stack.yml", "--graph")
    assert ran.returncode == 4
    assert said in ran.stderr
    assert "mend:" in ran.stderr


def test_a_state_directory_elsewhere(stack: Path) -> None:
    (stack / ".state").rename(stack / ".other")
    (stack / "x").mkdir()
    (stack / "stack.yml").write_text(LOCAL + "state_dir: x/../.other\n", encoding="utf-8")
    host = listed(stack)["_meta"]["hostvars"]["app-a-1"]
    assert host["stack_state_dir"] == str(stack / ".other")
    assert host["ansible_host"].startswith("10.89.0.")
    assert host["stack_secrets_file"] == str(stack / ".other/secrets.yml")


@pytest.mark.parametrize("folder", ["/srv/st", "/srv/my stack", "/srv/100%"])
def test_ssh_gets_the_paths_whole(folder: str) -> None:
    state = stackvars.State(Path(folder), network(NETWORK))
    words = shlex.split(stackvars.connection_vars(parse(LOCAL), state)["ansible_ssh_common_args"])
    ran = subprocess.run(["ssh", "-G", *words, "192.0.2.1"], capture_output=True, text=True, check=True)
    shown = ran.stdout.replace("%%", "%").splitlines()  # -G shows some options before and some after expansion
    assert f"userknownhostsfile {folder}/known_hosts" in shown
    assert f"identityfile {folder}/id_ed25519" in shown


def test_what_the_file_says_stands_above_the_playbooks_own_variables(stack: Path) -> None:
    """Ansible puts group_vars beside a playbook above the groups of an inventory."""
    layer = "  app: {instances: 2, variables: {app_workers: 7, stack_mail_from: app@example.net}}"
    said = "variables: {stack_mail_from: me@example.net}\n"
    (stack / "stack.yml").write_text(LOCAL.replace("  app: 2", layer) + said, encoding="utf-8")
    (stack / "group_vars").mkdir()
    (stack / "group_vars/all.yml").write_text("stack_mail_from: theirs\n", encoding="utf-8")
    (stack / "group_vars/app.yml").write_text("app_workers: 2\n", encoding="utf-8")
    shown = "{{ inventory_hostname }} {{ stack_mail_from }} {{ app_workers | default('-') }} {{ zone | default('-') }}"
    (stack / "play.yml").write_text(
        "---\n- hosts: localhost:app-a-1:lb-a-1\n  connection: local\n  gather_facts: false\n  tasks:\n"
        f'    - ansible.builtin.debug: {{msg: "{shown}"}}\n', encoding="utf-8")
    ran = ansible(stack, "playbook", "-i", "stack.yml", "play.yml")
    # in the order in which the hosts answered
    assert sorted(re.findall(r'"msg": "(.*)"', ran.stdout)) == [
        "app-a-1 app@example.net 7 a", "lb-a-1 me@example.net - a", "localhost me@example.net - -"], ran.stdout + ran.stderr  # fmt: skip


def test_the_built_collection_works_from_anywhere(stack: Path) -> None:
    """What travels: everything a user needs, nothing of the state. Installed, with another current directory."""
    built = ansible(stack, "galaxy", "collection", "build", str(ROOT), "--output-path", str(stack / "dist"))
    assert built.returncode == 0, built.stderr
    tarball = next((stack / "dist").iterdir())
    with tarfile.open(tarball) as packed:
        inside = packed.getnames()
    assert {"inventories/local/stack.yml", "inventories/static/hosts.yml", "plugins/inventory/stack.py"} <= set(inside)
    assert not [name for name in inside if name.startswith((".", "molecule", "tests")) or "/." in name or "cache__" in name]
    put = ["galaxy", "collection", "install", str(tarball), "--offline", "-p", str(stack / "put")]
    assert ansible(stack, *put, collections=stack / "put").returncode == 0
    ran = ansible(stack, "inventory", "-i", "stack.yml", "--graph", config="", collections=stack / "put")
    assert "app-a-1" in ran.stdout, ran.stderr


def test_the_documentation_knows_every_key() -> None:
    text = (ROOT / "plugins/inventory/stack.py").read_text(encoding="utf-8")
    documentation, examples = (text.split(f'{name} = r"""')[1].split('"""')[0] for name in ("DOCUMENTATION", "EXAMPLES"))
    options = yaml.safe_load(documentation)["options"]
    assert {name: bool(option.get("required")) for name, option in options.items()} == STACK_KEYS
    said = " ".join(options["layers"]["description"])
    assert all(f"C({key})" in said for key in INSTANCE_KEYS)
    assert all(layer in said for layer in LAYERS)
    assert parse(examples).name == "local"


def test_who_comes_and_goes_is_offline_until_it_was_started(stack: Path) -> None:
    window = '{name: rush, from: "09:00", to: "12:00", instances: 4}'
    text = LOCAL.replace("  app: 2", f"  app: {{instances: {{always: 2, time: 2}}, schedule: {{windows: [{window}]}}}}")
    (stack / "stack.yml").write_text(text, encoding="utf-8")
    said = listed(stack)
    assert said["offline"]["hosts"] == said["time_based"]["hosts"] == ["app-a-2", "app-b-2"]
    before = {name: one["ansible_host"] for name, one in said["_meta"]["hostvars"].items()}
    (stack / ".state/online.json").write_text('{"app-b-2": {"cause": "rush"}}', encoding="utf-8")
    (stack / ".state/release.json").write_text('{"digest": "abc"}', encoding="utf-8")
    said = listed(stack)
    assert said["offline"]["hosts"] == ["app-a-2"]
    host = said["_meta"]["hostvars"]["app-b-2"]
    assert {one["name"] for one in host["stack_instances"] if not one["online"]} == {"app-a-2"}
    assert host["stack_release_digest"] == "abc"
    assert {name: one["ansible_host"] for name, one in said["_meta"]["hostvars"].items()} == before, "nobody moves"


@pytest.mark.parametrize(("threshold", "often"), [("CpuThreshold: 60", False), ("QueueThreshold: 0", True), ("BacklogThreshold: 40", True)])
def test_a_stack_that_scales_by_what_waits_says_so(stack: Path, threshold: str, often: bool) -> None:
    layer = f"  app: {{instances: {{always: 2, load: 2}}, load: {{Enable: true, UpScaling: {{{threshold}}}}}}}"
    (stack / "stack.yml").write_text(LOCAL.replace("  app: 2", layer), encoding="utf-8")
    assert listed(stack)["_meta"]["hostvars"]["app-a-1"]["stack_scales_by_demand"] is often


MADE = {
    "instances": {
        "app-a-1": {"id": "i-0a", "address": "10.20.100.4", "public": ""},
        "lb-a-1": {"id": "i-0b", "address": "10.20.0.4", "public": "192.0.2.1"},
    }
}


def test_a_stack_on_aws_has_the_hosts_that_were_made_and_no_host_where_a_service_stands_in(stack: Path) -> None:
    (stack / "stack.yml").write_text(AWS, encoding="utf-8")
    (stack / ".state").mkdir(exist_ok=True)
    (stack / ".state/aws.json").write_text(json.dumps(MADE), encoding="utf-8")
    found = listed(stack)
    assert found["app"]["hosts"] == ["app-a-1", "app-b-1", "app-a-2", "app-b-2"]
    assert "database" not in found  # Ansible leaves empty groups out of this list
    host = found["_meta"]["hostvars"]["app-a-1"]
    assert (host["ansible_host"], host["ansible_user"], host["ansible_become"]) == ("10.20.100.4", "admin", True)
    assert "ansible_host" not in found["_meta"]["hostvars"]["app-b-1"]
    assert host["stack_boxes"]["database"]["class"] == "db.t4g.medium"
    known = {one["name"]: (one.get("id"), one["address"]) for one in host["stack_instances"]}
    assert known["lb-a-1"] == ("i-0b", "10.20.0.4")
    assert known["app-b-1"] == (None, "")


@pytest.mark.parametrize("folder", ["/srv/st", "/srv/my stack", "/srv/100%"])
def test_ssh_on_aws_goes_over_whichever_balancer_answers(folder: str, tmp_path: Path) -> None:
    """By ssh itself: of two inner ssh programs, the first one cannot connect."""
    made = {"instances": {name: {"id": "i-0", "address": "10.20.0.4", "public": way} for name, way in (("lb-a-1", "192.0.2.1"), ("lb-b-1", "192.0.2.2"))}}
    state = stackvars.State(Path(folder), made=made)
    words = shlex.split(stackvars.connection_vars(parse(AWS), state)["ansible_ssh_common_args"])
    tried = tmp_path / "tried"
    inner = tmp_path / "bin/ssh"
    inner.parent.mkdir()
    inner.write_text(f'#!/bin/sh\nfor word in "$@"; do printf "<%s>" "$word" >> {tried}; done\necho >> {tried}\nexit 255\n', encoding="utf-8")
    inner.chmod(0o755)
    environment = os.environ | {"PATH": f"{inner.parent}:{os.environ['PATH']}"}
    subprocess.run([str(shutil.which("ssh")), *words, "10.20.100.4"], env=environment, capture_output=True, check=False)
    lines = tried.read_text().splitlines()
    assert [line.split("<-W>")[1] for line in lines] == ["<10.20.100.4:22><admin@192.0.2.1>", "<10.20.100.4:22><admin@192.0.2.2>"]
    assert all(f"<IdentityFile={folder}/id_ed25519>".replace("%", "%%") in line.replace('"', "") for line in lines)


def test_a_control_node_in_the_same_network_needs_no_jump(stack: Path) -> None:
    (stack / "stack.yml").write_text(AWS + "variables: {stack_jump: false}\n", encoding="utf-8")
    (stack / ".state").mkdir(exist_ok=True)
    (stack / ".state/aws.json").write_text(json.dumps(MADE), encoding="utf-8")
    assert "ProxyCommand" not in listed(stack)["_meta"]["hostvars"]["app-a-1"]["ansible_ssh_common_args"]
    (stack / "stack.yml").write_text(AWS, encoding="utf-8")
    assert "admin@192.0.2.1" in listed(stack)["_meta"]["hostvars"]["app-a-1"]["ansible_ssh_common_args"]


GROWN = {"instances": {
    "app-i-0c": {"id": "i-0c", "address": "10.20.100.9", "layer": "app", "zone": "b", "state": "serving"},
    "app-i-0d": {"id": "i-0d", "address": "10.20.101.9", "layer": "app", "zone": "a", "state": "coming"},
    "worker-i-0e": {"id": "i-0e", "address": "10.20.101.8", "layer": "worker", "zone": "a", "state": "serving"},  # no longer such a layer
}}  # fmt: skip


def test_the_machines_of_a_group_are_hosts_that_serve_or_are_still_to_come(stack: Path) -> None:
    (stack / "stack.yml").write_text(ASG, encoding="utf-8")
    (stack / ".state/aws.json").write_text(json.dumps(MADE), encoding="utf-8")
    (stack / ".state/asg.json").write_text(json.dumps(GROWN), encoding="utf-8")
    found = listed(stack)
    assert found["app"]["hosts"] == ["app-a-1", "app-b-1", "app-i-0c", "app-i-0d"]
    assert found["offline"]["hosts"] == ["app-i-0d"]
    assert "app-i-0c" in found["zone_b"]["hosts"]
    host = found["_meta"]["hostvars"]["app-i-0c"]
    assert {key: host[key] for key in ("ansible_host", "ansible_user", "instance_type", "layer", "zone")} == {
        "ansible_host": "10.20.100.9", "ansible_user": "admin", "instance_type": "asg", "layer": "app", "zone": "b"}  # fmt: skip
    known = {one["name"]: one for one in host["stack_instances"]}
    assert known["app-i-0c"] == {
        "name": "app-i-0c", "layer": "app", "zone": "b", "type": "asg", "address": "10.20.100.9", "online": True, "id": "i-0c"}  # fmt: skip
    assert (known["app-i-0d"]["online"], "worker-i-0e" in known) == (False, False)


def test_what_a_group_has_made_must_be_whole(stack: Path) -> None:
    (stack / "stack.yml").write_text(ASG, encoding="utf-8")
    (stack / ".state/asg.json").write_text('{"instances": {"app-i-0c": {"id": "i-0c", "address": "10.20.100.9"}}}', encoding="utf-8")
    ran = ansible(stack, "inventory", "-i", "stack.yml", "--list")
    assert ran.returncode == 4
    assert "asg.json" in ran.stderr and "layer, zone and state" in ran.stderr


def test_what_was_made_on_aws_must_say_id_and_address(stack: Path) -> None:
    (stack / "stack.yml").write_text(AWS, encoding="utf-8")
    (stack / ".state").mkdir(exist_ok=True)
    (stack / ".state/aws.json").write_text('{"instances": {"app-a-1": {"id": "i-0a"}}}', encoding="utf-8")
    ran = ansible(stack, "inventory", "-i", "stack.yml", "--list")
    assert ran.returncode == 4
    assert "aws.json" in ran.stderr and "id and address" in ran.stderr


def test_on_aws_what_is_missing_is_told_before_anything_is_asked_or_made(stack: Path) -> None:
    (stack / "stack.yml").write_text(AWS, encoding="utf-8")
    before = sorted(path.name for path in (stack / ".state").iterdir())
    ran = ansible(stack, "playbook", "-i", "stack.yml", str(ROOT / "playbooks/site.yml"))
    assert ran.returncode != 0
    assert "expected the certificates that RDS signs with. Fetch them once: curl" in " ".join(ran.stdout.split())
    assert sorted(path.name for path in (stack / ".state").iterdir()) == before
