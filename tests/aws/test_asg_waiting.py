"""Machines of Auto Scaling groups that wait for their answer: the module on its own, and the whole play with stand-ins for start.yml and shutdown.yml."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.aws import ROOT, Aws
from test_aws_asg import BY_LOAD, STACK

# What start.yml and shutdown.yml leave behind for asg.yml, without a machine.
START = """\
- name: Start
  hosts: "{{ start_hosts }}"
  connection: local
  gather_facts: false
  tasks:
    - name: Take it for started
      ansible.builtin.add_host: {name: "{{ item }}", groups: started}
      loop: "{{ start | list | reject('in', broken | default([])) }}"
"""
SHUTDOWN = """\
- name: Shutdown
  hosts: "{{ shutdown_hosts }}"
  connection: local
  gather_facts: false
  tasks:
    - name: Check them as shutdown.yml does
      trust.stack.chosen: {verb: stop, names: "{{ shutdown }}", instances: "{{ stack_instances }}", state_dir: "{{ stack_state_dir }}"}
      register: stack_stopping
    - name: Take them for drained
      ansible.builtin.add_host: {name: control_node, groups: stopping_control, stack_stopping: "{{ stack_stopping }}"}
"""
LISTED = """\
- name: List them
  hosts: starting_balancers
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: "{{ groups['app'] | sort | join(',') }}"}
"""


@pytest.fixture(scope="module")
def group(aws: Aws) -> Any:
    """A group of two with its hooks, as role aws_asg makes it; a machine of somebody else's waits as well."""
    ec2, asking = aws.client("ec2"), aws.client("autoscaling")
    ec2.create_launch_template(LaunchTemplateName="shop-app", LaunchTemplateData={"ImageId": "ami-0deb1a13a64000002", "InstanceType": "m7g.large"})
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"] if one["AvailabilityZone"][-1] in "ab"]
    for name, stack in (("shop-app", "shop"), ("other-app", "other")):
        tags = [{"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in
                {"stack": stack, "managed-by": "trust.stack", "layer": "app", "Name": f"{name}-asg"}.items()]  # fmt: skip
        asking.create_auto_scaling_group(AutoScalingGroupName=name, LaunchTemplate={"LaunchTemplateName": "shop-app"}, MinSize=0, MaxSize=4, DesiredCapacity=0,
                                         VPCZoneIdentifier=",".join(subnets), Tags=tags)  # fmt: skip
        for hook, way in (("setup", "LAUNCHING"), ("drain", "TERMINATING")):
            asking.put_lifecycle_hook(LifecycleHookName=hook, AutoScalingGroupName=name, LifecycleTransition=f"autoscaling:EC2_INSTANCE_{way}")
        asking.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
    return asking


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("stack")
    (made / ".state").mkdir()
    (made / "stack.yml").write_text(STACK.format(rush=5, app="m7g.large", worker=BY_LOAD), encoding="utf-8")
    shutil.copytree(ROOT / "playbooks/tasks", made / "tasks")
    book = (ROOT / "playbooks/asg.yml").read_text(encoding="utf-8")
    role = book[book.index('- name: "Asg: the balancers list them"') : book.index("# First those that go")]
    (made / "asg.yml").write_text(book.replace(role, LISTED), encoding="utf-8")
    for name, text in (("start", START), ("shutdown", SHUTDOWN), ("tell_others", "- hosts: to_stop\n  gather_facts: false\n")):
        (made / f"{name}.yml").write_text(text, encoding="utf-8")
    return made


def states(asking: Any, name: str = "shop-app") -> Counter[str]:
    found = asking.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]["Instances"]
    return Counter(one["LifecycleState"] for one in found)


def grown(folder: Path) -> dict[str, dict[str, Any]]:
    file = folder / ".state/asg.json"
    return json.loads(file.read_text(encoding="utf-8"))["instances"] if file.exists() else {}


def play(aws: Aws, folder: Path, *words: str) -> tuple[int, str]:
    environment = os.environ | aws.environment | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_DEPRECATION_WARNINGS": "false"}
    command = ["ansible-playbook", "-i", str(folder / "stack.yml"), str(folder / "asg.yml"), *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)
    output = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 0, output[-3000:]
    return sum(map(int, re.findall(r"changed=(\d+)", output))), output


def test_check_mode_answers_nothing(aws: Aws, group: Any, folder: Path) -> None:
    changed, said = play(aws, folder, "--check")
    assert changed == 1
    assert re.search(r"set up: app-i-\w+, app-i-\w+; drain: none", said)
    assert (states(group), grown(folder)) == ({"Pending:Wait": 2}, {})


def test_those_that_come_are_set_up_and_let_in(aws: Aws, group: Any, folder: Path) -> None:
    first = min(one["InstanceId"] for one in group.describe_auto_scaling_groups(AutoScalingGroupNames=["shop-app"])["AutoScalingGroups"][0]["Instances"])
    _changed, said = play(aws, folder, "-e", json.dumps({"broken": [f"app-{first}"]}))
    # The balancers knew both before either was let in; the one whose setup failed waits for the next run.
    assert re.search(r"app-a-1,app-b-1,app-i-\w+,app-i-\w+", said)
    assert states(group) == {"Pending:Wait": 1, "InService": 1}
    assert Counter(one["state"] for one in grown(folder).values()) == {"coming": 1, "serving": 1}
    assert grown(folder)[f"app-{first}"]["state"] == "coming"
    play(aws, folder)
    assert states(group) == {"InService": 2}
    known = grown(folder)
    assert {one["zone"] for one in known.values()} == {"a", "b"}
    here = {one["InstanceId"]: one["PrivateIpAddress"] for found in aws.client("ec2").describe_instances()["Reservations"] for one in found["Instances"]}
    assert all(here[one["id"]] == one["address"] for one in known.values())
    changed, _said = play(aws, folder)
    assert changed == 0


def test_those_that_go_are_drained_and_let_go(aws: Aws, group: Any, folder: Path) -> None:
    # As start.yml writes it down.
    (folder / ".state/online.json").write_text(json.dumps({name: {"cause": "its group asks for it"} for name in grown(folder)}), encoding="utf-8")
    group.set_desired_capacity(AutoScalingGroupName="shop-app", DesiredCapacity=1)
    assert states(group) == {"InService": 1, "Terminating:Wait": 1}
    play(aws, folder)
    assert states(group) == {"InService": 1}
    assert [one["state"] for one in grown(folder).values()] == ["serving"]
    events = [json.loads(line) for line in (folder / ".state/events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(one["verb"], one["cause"], one["actor"]) for one in events] == [("stop", "its group ends it", "asg.yml")]
    assert json.loads((folder / ".state/online.json").read_text(encoding="utf-8")).keys() == grown(folder).keys()
    assert states(group, "other-app") == {"Pending:Wait": 2}  # another stack's


def module(aws: Aws, folder: Path, **said: Any) -> dict[str, Any]:
    environment = os.environ | aws.environment | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_DEPRECATION_WARNINGS": "false"}
    given = {"stack": "shop", "state_dir": str(folder / ".state")} | said
    command = ["ansible", "localhost", "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}",
               "-m", "trust.stack.asg_waiting", "-a", json.dumps(given)]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.split("=>", 1)[1])


def test_a_sign_of_life_an_answer_that_comes_late_and_one_that_is_given_up(aws: Aws, group: Any, folder: Path) -> None:
    group.set_desired_capacity(AutoScalingGroupName="shop-app", DesiredCapacity=2)
    listed = module(aws, folder)
    (name,) = listed["coming"]
    assert listed["new"] == [name]
    alive = module(aws, folder, state="alive", names=[name, "app-i-gone"])
    assert (alive["changed"], alive["coming"], alive["new"], alive["late"]) == (False, [name], [], ["app-i-gone"])
    aws.fault({"match": "Action=CompleteLifecycleAction", "times": 1, "status": 400, "code": "ValidationError"})
    late = module(aws, folder, state="completed", names=[name])
    assert (late["late"], grown(folder)[name]["state"]) == ([name], "coming")  # AWS went on without it: the next look says how
    given_up = module(aws, folder, state="completed", names=[name], result="ABANDON")
    assert (given_up["changed"], name in grown(folder)) == (True, False)
    assert states(group) == {"InService": 1, "Pending:Wait": 1}  # the group makes another one
