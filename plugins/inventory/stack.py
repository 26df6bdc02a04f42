# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: stack
short_description: A whole stack from one page
version_added: "0.1.0"
author: Trust Stack (@trust-stack)
description:
  - Reads a stack file and gives the hosts, groups and variables that the roles of this collection work with.
  - Every mistake in the file is told with its line and its mend, and ends the run with exit code 4.
    No other inventory plugin is asked, and no play runs on half a stack.
  - While the provision play has not made the network yet, the hosts have no C(ansible_host).
notes:
  - A file called C(stack.yml), or that ends in C(.stack.yml), is read as a stack file in any case;
    another name needs the line C(plugin) at its beginning.
options:
  plugin:
    description: Says that this is a stack file.
    type: str
    required: true
    choices: [trust.stack.stack]
  stack:
    description: The name of the stack.
    type: str
    required: true
  provider:
    description:
      - Where the instances come from.
      - V(podman) makes them on this machine, V(static) uses the machines that you list, V(ec2) rents them from AWS.
    type: str
    required: true
    choices: [podman, static, ec2]
  region:
    description: The region of AWS, such as V(eu-west-1); for O(provider=ec2), where the zones are the letters of the region's.
    type: str
  zones:
    description: The failure domains, at least two. The instances of a layer are spread over them in turn.
    type: list
    elements: str
    required: true
  quorum_zone:
    description: The zone of the arbiter, the monitor and the mail sink. It must be none of O(zones).
    type: str
  layers:
    description:
      - Each layer with the number of its instances, or with a list of them, or with a mapping of
        C(instances) and C(variables).
      - The layers are lb, app, worker, database, redis, memcached, arbiter, monitor and mail.
      - An instance in a list has C(name), C(zone), C(type) (always, time or load) and,
        with O(provider=static), C(host).
      - "The number of C(instances) may be given by type: C({always: 2, time: 2, load: 2}). Names go on counting, in this order."
      - Only app and worker may have instances of type time and load. Such a layer may also have C(schedule) and C(load).
      - "An instance of type time in a list may have C(schedule) (or, as in AWS OpsWorks, C(AutoScalingSchedule) or
        C(TimeBasedAutoScaling)): the hours, in UTC, in which it is wanted, such as C({Friday: {\"9\": \"on\"}})."
      - "C(schedule) of a layer has C(time_zone) (an IANA name, UTC if not said), C(ready_by) (true: start early by what was
        measured; or a length such as C(10 min); or false), C(on_sales) (true: what the app publishes counts as well),
        C(windows), and C(except), local dates on which no weekly window opens."
      - "A weekly window has C(name), C(days) (mon to sun, every day if not said), C(from), C(to) (not after C(from): on the
        next day) and C(instances): so many of the layer in all, or a list of names of type time. A dated one has C(at) and
        C(for) (90 min, 2 h, 1 day) instead of days, from and to. Both may have C(time_zone) and C(priority)
        (0; dated 10): of the windows that are open, those of the highest priority count."
      - "C(load) is OpsWorks' SetLoadBasedAutoScaling: C(Enable), C(UpScaling) and C(DownScaling) with C(InstanceCount),
        C(ThresholdsWaitTime) and C(IgnoreMetricsTime) in minutes, C(CpuThreshold) and C(MemoryThreshold) in percent,
        C(LoadThreshold), C(QueueThreshold), C(SessionRateThreshold) and C(BacklogThreshold); -1 is not watched."
      - "With O(provider=ec2) a service may stand in for a layer: C(database: {managed: rds, engine, version, multi_az, class, storage,
        backup_days}), C(redis: {managed: elasticache, version, multi_az, class, backup_days}), C(memcached: {managed: elasticache,
        nodes, cross_az, class}), C(mail: {managed: ses, domain}). Layers of instances have C(class), the size of their machines,
        and lb has C(failover), V(route53) or V(nlb), and C(domain)."
      - "With O(provider=ec2), app and worker may have C(scaling: asg) and C(most), how many instances of the layer there may be in all: what
        C(schedule) and C(load) ask for beside the instances that are always on is made and ended by an EC2 Auto Scaling group. Its windows have
        numbers, its load C(CpuThreshold), C(QueueThreshold) and C(BacklogThreshold), between which target tracking aims."
    type: dict
    required: true
  virtual_ip:
    description: The address that moves between the balancers; for O(provider=static).
    type: str
  state_dir:
    description:
      - The folder of what the runs remember (addresses, keys, secrets), relative to the stack file.
      - Begin its name with a dot if it is beside the stack file, so that Ansible does not read it as an inventory.
    type: path
    default: .state
  variables:
    description:
      - Ansible variables for the whole stack.
      - With O(provider=ec2), C(stack_jump) V(false) says that the control node reaches the instances by their private addresses;
        else ssh goes over whichever balancer answers.
    type: dict
    default: {}
"""

EXAMPLES = r"""
---
plugin: trust.stack.stack
stack: local
provider: podman
zones: [a, b]
quorum_zone: c
layers:
  lb: 2
  app:
    instances:
      - {name: app-a-1, zone: a}
      - {name: app-b-1, zone: b}
      - {name: app-a-2, zone: a, type: time}
    variables:
      app_workers: 4
  worker: 2
  database: 2
  redis: 2
  memcached: 2
  arbiter: 1
  mail: 1
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from ansible.errors import ExitCode
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible_collections.trust.stack.plugins.module_utils import stackvars
from ansible_collections.trust.stack.plugins.module_utils.addresses import AddressError, network
from ansible_collections.trust.stack.plugins.module_utils.stackfile import LAYERS, PLUGIN, Stack, parse
from ansible_collections.trust.stack.plugins.module_utils.stackfile_nodes import Problem, StackFileError

OURS = re.compile(rf"^plugin:\s*['\"]?{re.escape(PLUGIN)}['\"]?\s*(#.*)?$", re.MULTILINE)


class InventoryModule(BaseInventoryPlugin):
    NAME = PLUGIN
    trusted_by_default = True  # the founder's own file: templates in it are rendered

    def verify_file(self, path: str) -> bool:
        if not super().verify_file(path) or os.path.isdir(path):
            return False
        if re.search(r"(^|\.)stack\.ya?ml$", os.path.basename(path)):
            return True
        return path.endswith((".yml", ".yaml")) and bool(OURS.search(_text(path)))

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        try:
            stack = parse(_text(path), _shown(path))
            state = _state(_folder(path, stack.state_dir))
            where = _addresses(stack, state)
        except StackFileError as error:
            # An AnsibleError would be a warning among those of every other plugin that tries the same file,
            # and without any_unparsed_is_failed the run would go on, without hosts, to exit code 0.
            self.display.error(str(error))
            sys.exit(ExitCode.PARSER_ERROR)
        data = loader.load_from_file(path, cache="none", trusted_as_template=True) if stack.has_variables else {}
        variables = data.get("variables") or {}
        self._groups(stack)
        self._set("all", stackvars.stack_vars(stack, Path(os.path.abspath(path)), state, where) | variables)
        # `instances` is nearer to a host than `all`: what the file says for the whole stack must win all the same
        login = stackvars.connection_vars(stack, state, jump=variables.get("stack_jump", True) is not False)
        self._set("instances", {key: value for key, value in login.items() if key not in variables})
        of_layer = {layer: said.get("variables") or {} for layer, said in (data.get("layers") or {}).items() if isinstance(said, dict)}
        for layer, said in of_layer.items():
            self._set(layer, said)
        # The playbooks' own group_vars stand above an inventory's groups: only on the host itself the founder's word is the last.
        control = self.inventory.get_host("localhost")
        for name, value in variables.items() if control else ():
            control.set_variable(name, value)
        for one in stackvars.instances(stack, state):
            self.inventory.add_host(one.name)
            self._set(one.name, variables | of_layer.get(one.layer, {}) | stackvars.host_vars(one, where))
            for group in stackvars.groups_of(one, state):
                self.inventory.add_child(group, one.name)

    def _groups(self, stack: Stack) -> None:
        self.inventory.add_group("instances")
        for group in stackvars.groups(stack):
            self.inventory.add_group(group)
        for layer in LAYERS:
            self.inventory.add_child("instances", layer)

    def _set(self, entity: str, variables: dict[str, Any]) -> None:
        for name, value in variables.items():
            self.inventory.set_variable(entity, name, value)


def _shown(path: str | Path) -> str:
    """The shorter of the two ways to name a file, for messages."""
    path = str(path)
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def _folder(path: str, state_dir: str) -> Path:
    """The state directory, without the .. that a relative one may have: it is shown, and compared."""
    return Path(os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(path)), os.path.expanduser(state_dir))))


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        found, mend = str(error), "save it as UTF-8 text that you may read"
        problem = Problem(1, "", "the file cannot be read", found, "UTF-8 text", mend)
        raise StackFileError(_shown(path), [problem]) from None


def _state(folder: Path) -> stackvars.State:
    found = _json(folder / "network.json")
    try:
        net = network(found) if found else None
    except AddressError as error:
        raise _broken(folder / "network.json", str(error)) from None
    known = {name: address for name, address in _json(folder / "addresses.json").items() if isinstance(address, str)}
    online = frozenset(_json(folder / "online.json"))
    made = _made(folder / "aws.json", "id", "address")
    grown = _made(folder / "asg.json", "id", "address", "layer", "zone", "state").get("instances", {})
    return stackvars.State(folder, net, known, _json(folder / "machine.json"), online, _json(folder / "release.json"), made, grown)


def _made(path: Path, *keys: str) -> dict[str, Any]:
    made = _json(path)
    instances = made.get("instances", {})
    if not isinstance(instances, dict) or any(not isinstance(one, dict) or not set(keys) <= one.keys() for one in instances.values()):
        raise _broken(path, f"instances: it does not say {', '.join(keys[:-1])} and {keys[-1]} of each")
    return made


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _broken(path, str(error)) from None
    if not isinstance(data, dict):
        raise _broken(path, "it does not hold a mapping")
    return data


def _addresses(stack: Stack, state: stackvars.State) -> dict[str, str]:
    try:
        return stackvars.addresses(stack, state)
    except AddressError as error:
        raise _broken(state.folder / "network.json", str(error)) from None


def _broken(path: Path, found: str) -> StackFileError:
    mend = "run playbooks/destroy.yml and then playbooks/site.yml, or bring the file back from a backup"
    problem = Problem(1, "", "what an earlier run wrote cannot be used", found, "what playbooks/provision.yml writes", mend)
    return StackFileError(_shown(path), [problem])
