"""The stack file's inventory and amazon.aws.aws_ec2 give the same hosts in the same groups: groups are the contract, whoever makes them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.aws import ROOT, Aws

STACK = """\
plugin: trust.stack.stack
stack: shop
provider: ec2
region: eu-west-1
zones: [a, b]
layers:
  lb: {instances: 2, failover: route53}
  app: {instances: {always: 2, time: 2, load: 1}}
  worker: {instances: {always: 2, load: 2}}
  database: {managed: rds}
  redis: {managed: elasticache}
  memcached: 2
  mail: {managed: ses, domain: example.com}
  monitor: 1
"""
CONTRACT = ("ansible_host", "zone", "layer", "instance_type", "ansible_user", "ansible_become", "ansible_python_interpreter", "ansible_ssh_private_key_file")
FACTS = ("stack_name", "stack_provider", "stack_region", "stack_zones", "stack_quorum_zone", "stack_virtual_ip", "stack_network", "stack_state_dir",
         "stack_secrets_file", "stack_vault_password_file")  # fmt: skip
PLAY = """\
- hosts: instances
  gather_facts: false
  tasks:
    - set_fact:
        seen: "{{ dict(keys | zip(lookup('ansible.builtin.vars', *keys, wantlist=true))) }}"
    - copy:
        content: "{{ {'groups': groups, 'hosts': dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'seen')))} | to_json }}"
        dest: "{{ seen_file }}"
        mode: "0600"
      delegate_to: localhost
      connection: local
      become: false
      run_once: true
"""
# Name and tags in the role's own words, with its own variables, for each instance that provision.yml hands it.
TAGGED = """\
- hosts: localhost
  gather_facts: false
  vars_files: ["{{ role }}/vars/main.yml"]
  vars:
    instance_stack: "{{ hostvars[groups['instances'] | first].stack_name }}"
    instance_list: "{{ hostvars[groups['instances'] | first].stack_instances }}"
  tasks:
    - copy:
        content: "{{ tagged | to_json }}"
        dest: "{{ tagged_folder }}/{{ item.name }}.json"
        mode: "0600"
      loop: "{{ instance_list }}"
"""


def of_role_instance() -> dict[str, Any]:
    """What the role tells EC2 of an instance that it makes."""
    tasks = yaml.safe_load((ROOT / "roles/instance/tasks/ec2_present.yml").read_text(encoding="utf-8"))
    made: dict[str, Any] = next(task["amazon.aws.ec2_instance"] for task in tasks if task["name"] == "Make the instances that are missing")
    return made


class Both:
    """A stack on moto, the stack file with what provision.yml and start.yml leave behind, and the folder of aws_ec2."""

    def __init__(self, aws: Aws, folder: Path) -> None:
        self.aws, self.folder, self.ec2 = aws, folder, aws.client("ec2")
        (folder / "aws/.state").mkdir(parents=True)
        (folder / "aws/stack.yml").write_text(STACK, encoding="utf-8")
        (folder / "aws_ec2").mkdir()
        for file in (ROOT / "inventories/aws_ec2").iterdir():
            (folder / "aws_ec2" / file.name).write_bytes(file.read_bytes())
        (folder / "play.yml").write_text(PLAY, encoding="utf-8")
        (folder / "tagged.yml").write_text(TAGGED, encoding="utf-8")
        wanted = self.seen("aws/stack.yml")["hosts"]
        self.tagged = self.by_the_role()
        self.ids = {name: self.make(tags) for name, tags in self.tagged.items()}
        made = {name: {"id": number, "address": self.address(number), "public": ""} for name, number in self.ids.items()}
        (folder / "aws/.state/aws.json").write_text(json.dumps({"instances": made}), encoding="utf-8")
        self.movable = [name for name, one in wanted.items() if one["instance_type"] != "always"]
        self.online([])

    def by_the_role(self) -> dict[str, dict[str, str]]:
        """The tags that role instance gives each instance of the stack file; its module makes the name one of them."""
        (self.folder / "tagged").mkdir()
        given = of_role_instance()
        said = {"tagged": {"name": given["name"], "tags": given["tags"]}, "role": str(ROOT / "roles/instance"), "tagged_folder": str(self.folder / "tagged")}
        self.play("aws/stack.yml", "tagged.yml", said)
        found = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in (self.folder / "tagged").iterdir()}
        return {name: one["tags"] | {"Name": one["name"]} for name, one in found.items()}

    def make(self, tags: dict[str, str]) -> str:
        subnet = self.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        found = self.ec2.run_instances(
            ImageId="ami-0deb1a13a64000002", MinCount=1, MaxCount=1, SubnetId=subnet,
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}])  # fmt: skip
        return found["Instances"][0]["InstanceId"]

    def address(self, number: str) -> str:
        return self.ec2.describe_instances(InstanceIds=[number])["Reservations"][0]["Instances"][0]["PrivateIpAddress"]

    def online(self, names: list[str]) -> None:
        """Of those that come and go these run, on EC2 and in what start.yml remembers."""
        self.ec2.stop_instances(InstanceIds=[self.ids[name] for name in self.movable])
        if names:
            self.ec2.start_instances(InstanceIds=[self.ids[name] for name in names])
        state = {name: {"since": "2027-03-01T09:00:00+00:00", "cause": "window", "actor": "test"} for name in names}
        (self.folder / "aws/.state/online.json").write_text(json.dumps(state), encoding="utf-8")

    def seen(self, source: str) -> dict[str, Any]:
        """As a play sees it: each group with its hosts, the empty ones too, and the hosts' variables."""
        self.play(source, "play.yml", {"keys": [*CONTRACT, *FACTS], "seen_file": str(self.folder / "seen.json")})
        found: dict[str, Any] = json.loads((self.folder / "seen.json").read_text(encoding="utf-8"))
        found["groups"] = {name: sorted(hosts) for name, hosts in found["groups"].items() if name != "aws_ec2"}  # the plugin's own
        return found

    def play(self, source: str, book: str, said: dict[str, Any]) -> None:
        command = ["ansible-playbook", "-i", str(self.folder / source), str(self.folder / book), "-e", json.dumps(said)]
        environment = os.environ | self.aws.environment | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_DEPRECATION_WARNINGS": "false"}
        ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "WARNING" not in ran.stderr, ran.stderr

    def same(self) -> dict[str, list[str]]:
        by_file, by_ec2 = self.seen("aws/stack.yml"), self.seen("aws_ec2")
        assert by_ec2["groups"] == by_file["groups"]
        assert by_ec2["hosts"] == by_file["hosts"]
        assert {name: one["ansible_host"] for name, one in by_ec2["hosts"].items()} == {name: self.address(number) for name, number in self.ids.items()}
        groups: dict[str, list[str]] = by_ec2["groups"]
        return groups


@pytest.fixture(scope="module")
def both(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Both:
    return Both(aws, tmp_path_factory.mktemp("inventories"))


def test_the_same_hosts_in_the_same_groups_and_nobody_elses(both: Both) -> None:
    ours = {"stack": "shop", "managed-by": "trust.stack", "layer": "app", "type": "always", "zone": "a", "Name": "shop-app-a-1"}
    both.make(ours | {"stack": "shop2"})
    both.make(ours | {"stack": "other", "zone": "c", "Name": "shop-app-c-1"})
    gone = both.make(ours | {"Name": "shop-app-a-77"})
    both.ec2.terminate_instances(InstanceIds=[gone])
    groups = both.same()
    assert groups["instances"] == sorted(both.ids) and len(both.ids) == 14
    assert groups["app"] == ["app-a-1", "app-a-2", "app-a-3", "app-b-1", "app-b-2"]
    assert groups["database"] == groups["redis"] == groups["mail"] == groups["rollout_app"] == []
    assert groups["offline"] == sorted(both.movable) == ["app-a-2", "app-a-3", "app-b-2", "worker-a-2", "worker-b-2"]


def test_the_same_after_some_were_started_and_one_was_stopped_by_hand(both: Both) -> None:
    both.online(["app-b-2", "worker-a-2"])
    both.ec2.stop_instances(InstanceIds=[both.ids["worker-a-1"]])  # always on, and ill now
    try:
        assert both.same()["offline"] == ["app-a-2", "app-a-3", "worker-b-2"]
    finally:
        both.ec2.start_instances(InstanceIds=[both.ids["worker-a-1"]])


def test_the_instances_have_the_tags_that_role_instance_gives(both: Both) -> None:
    """Those for later bear one more until they were seen to be off."""
    assert both.tagged == {
        name: {"Name": f"shop-{name}", "stack": "shop", "managed-by": "trust.stack", "layer": one["layer"], "zone": one["zone"], "type": one["instance_type"]}
        | ({"making": "yes"} if name in both.movable else {})
        for name, one in both.seen("aws/stack.yml")["hosts"].items()}  # fmt: skip
    there = both.ec2.describe_instances(InstanceIds=list(both.ids.values()))["Reservations"]
    found = [{tag["Key"]: tag["Value"] for tag in one["Tags"]} for made in there for one in made["Instances"]]
    assert sorted(found, key=str) == sorted(both.tagged.values(), key=str)
