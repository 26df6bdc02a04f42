#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: podman_instances
short_description: Make, start, stop and remove the instances of a stack as podman containers
description:
  - All instances in one call, side by side, since thirteen containers made one after the other are a long wait.
  - An instance is a container with systemd as its first process, a fixed address, and ssh; from outside it is a rented machine.
  - A container whose making was interrupted is made anew; one that podman believes to be running but is not, is started.
author: Trust Stack (@trust-stack)
version_added: "0.1.0"
options:
  stack:
    description: Name of the stack; every container and the network carry it as a label.
    type: str
    required: true
  state:
    description: V(running) makes and starts, V(stopped) stops, V(absent) removes the containers and the network.
    type: str
    choices: [running, stopped, absent]
    default: running
  instances:
    description: The instances; O(state=absent) without any means all of the stack.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the instance., type: str, required: true}
      address: {description: Its IPv4 address; empty takes it from O(addresses_from)., type: str, default: ""}
      layer: {description: Its layer., type: str, default: ""}
      zone: {description: Its zone., type: str, default: ""}
      type: {description: When it runs., type: str, choices: [always, time, load], default: always}
      online:
        description: Whether it is meant to run now; with V(false) O(state=running) only keeps its address for it.
        type: bool
        default: true
  network:
    description: Name of the podman network, made with a free subnet when absent.
    type: str
    required: true
  image:
    description: Image of the instances.
    type: str
    default: ""
  public_key:
    description: Path of the ssh public key that may sign in as root.
    type: path
  records:
    description: Folder where network.json, addresses.json and instances.json of this stack are kept.
    type: path
    required: true
  containers_conf:
    description: Settings for podman, see M(trust.stack.podman_machine).
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Predicts.
"""

EXAMPLES = r"""
- name: Bring the instances up
  trust.stack.podman_instances:
    stack: local
    network: local
    image: localhost/trust-stack:base
    public_key: .state/id_ed25519.pub
    records: .state
    instances:
      - {name: lb-a-1, address: 10.89.0.11, layer: lb, zone: a}
"""

RETURN = r"""
network:
  description: Name, cidr and gateway of the network; empty while it is absent.
  returned: success
  type: dict
done:
  description: Names of the instances by what was done to them.
  returned: success
  type: dict
  sample: {made: [lb-a-1], started: [], stopped: [], removed: []}
"""

import ipaddress
import json
import os
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trust.stack.plugins.module_utils.podman import LABEL, PodmanError, alive, containers, podman


class Instances:
    """The instances of one stack on this machine."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params
        self.stack = params["stack"]
        self.conf = params["containers_conf"]
        self.made_file = os.path.join(params["records"], "instances.json")
        self.network_file = os.path.join(params["records"], "network.json")
        self.addresses_file = os.path.join(params["records"], "addresses.json")

    def run(self, *args: str, **kwargs: Any) -> str:
        return podman(*args, containers_conf=self.conf, **kwargs)

    def existing(self) -> dict[str, dict[str, Any]]:
        return containers(self.stack, self.conf)

    def network(self) -> dict[str, str]:
        """The network's name, cidr and gateway; empty when it is absent."""
        text = self.run("network", "inspect", self.params["network"], check=False)
        if not text:
            return {}
        subnet = json.loads(text)[0]["subnets"][0]
        return {"name": self.params["network"], "cidr": subnet["subnet"], "gateway": subnet["gateway"]}

    def make_network(self, addresses: list[str]) -> dict[str, str]:
        """Make the network: the recorded one again when the instances have addresses, otherwise one that is free."""
        # Without --subnet podman takes one that neither a network nor an interface of this machine uses.
        subnet = ["--subnet", self.recorded_cidr()] if addresses else []
        self.run("network", "create", "--label", f"{LABEL}={self.stack}", *subnet, self.params["network"])
        return self.network()

    def recorded_cidr(self) -> str:
        if not os.path.exists(self.network_file):
            raise PodmanError(f"the instances have addresses, but {self.network_file} is missing; mend: make down, then make up")
        with open(self.network_file, encoding="utf-8") as file:
            return str(json.load(file)["cidr"])

    def refuse_strangers(self, addresses: list[str], cidr: str) -> None:
        """PodmanError when an address lies outside the network, before anything is made."""
        outside = [address for address in addresses if ipaddress.ip_address(address) not in ipaddress.ip_network(cidr)]
        if outside:
            raise PodmanError(f"network {self.params['network']!r} is {cidr}, but addresses.json in {self.params['records']} has {outside[0]}: "
                              "the network was made anew by somebody else; mend: make down, then make up")

    def made(self) -> list[str]:
        """Instances whose making came to its end (a key is inside and it was started once)."""
        if not os.path.exists(self.made_file):
            return []
        with open(self.made_file, encoding="utf-8") as file:
            return list(json.load(file))

    def keep_addresses(self) -> None:
        """Record who lives where, also who is gone, so that a larger or smaller stack moves nobody."""
        recorded: dict[str, str] = {}
        if os.path.exists(self.addresses_file):
            with open(self.addresses_file, encoding="utf-8") as file:
                recorded = json.load(file)
        known = recorded | {i["name"]: i["address"] for i in self.params["instances"] if i["address"]}
        if known != recorded:
            self.write(self.addresses_file, known)

    def write(self, path: str, value: Any) -> None:
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(value, file, indent=2)
        os.replace(path + ".new", path)

    def make(self, instance: dict[str, str]) -> None:
        container = f"{self.stack}-{instance['name']}"
        self.run("rm", "--force", "--ignore", "--time", "0", container)
        labels = {LABEL: self.stack, f"{LABEL}.instance": instance["name"], f"{LABEL}.layer": instance["layer"],
                  f"{LABEL}.zone": instance["zone"], f"{LABEL}.type": instance["type"]}
        self.run(
            "create", "--name", container, "--hostname", instance["name"], "--network", self.params["network"],
            "--ip", instance["address"], "--mac-address", mac(instance["address"]),
            "--systemd", "always", "--cap-add", "NET_ADMIN,NET_RAW", "--stop-timeout", "20",
            *[part for key, value in labels.items() for part in ("--label", f"{key}={value}")], self.params["image"],
        )
        self.run("cp", self.params["public_key"], f"{container}:/root/.ssh/authorized_keys")
        self.start(instance["name"])
        known = os.path.join(self.params["records"], "known_hosts")
        if os.path.exists(known):   # the address had another host key when it was another container
            owner = os.stat(self.params["records"])
            subprocess.run(["ssh-keygen", "-q", "-f", known, "-R", instance["address"]], capture_output=True, check=False)
            os.chown(known, owner.st_uid, owner.st_gid)

    def start(self, name: str) -> None:
        container = f"{self.stack}-{name}"
        for pause in (0.5, 1.0, None):
            try:
                self.run("start", container)
                return
            except PodmanError:
                if pause is None:
                    raise
                # After a crash of this machine podman may hold the old process or address for a moment.
                self.run("stop", "--time", "0", container, check=False)
                self.run("container", "cleanup", container, check=False)
                time.sleep(pause)


def mac(address: str) -> str:
    """The hardware address that goes with an IPv4 address.

    A rented machine keeps its own over a restart. A container would get another one, and for half a minute its
    neighbours would go on sending to the old.
    """
    return "02:74:" + ":".join(f"{int(part):02x}" for part in address.split("."))


def wait_for_ssh(address: str, seconds: float = 60) -> None:
    """Return when ssh greets at the address."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with socket.create_connection((address, 22), timeout=2) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.2)
    raise PodmanError(f"no ssh at {address} after {seconds:.0f} s; look inside with: podman logs, podman exec")


def running(module: AnsibleModule, stack: Instances) -> dict[str, Any]:
    """Make and start what is missing of those that are meant to run; the others are left as they are."""
    wanted = [i for i in module.params["instances"] if i["online"]]
    addresses = [i["address"] for i in module.params["instances"] if i["address"]]
    network = stack.network()
    if addresses:
        stack.refuse_strangers(addresses, network["cidr"] if network else stack.recorded_cidr())
    existing, made = stack.existing(), stack.made()
    to_make = [i for i in wanted if i["name"] not in existing or (i["name"] not in made and not alive(existing[i["name"]]))]
    to_start = [i["name"] for i in wanted if i not in to_make and not alive(existing[i["name"]])]
    done = {"made": [i["name"] for i in to_make], "started": to_start}
    changed = bool(to_make or to_start or not network)
    if module.check_mode:
        return {"changed": changed, "network": network, "done": done}
    network = network or stack.make_network(addresses)
    stack.write(stack.network_file, network)
    stack.keep_addresses()
    if any(not i["address"] for i in to_make):   # first run: addresses come from the inventory once it knows the network
        return {"changed": True, "network": network, "done": {"made": [], "started": []}}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(stack.make, to_make))
        list(pool.map(stack.start, to_start))
        list(pool.map(wait_for_ssh, [i["address"] for i in wanted if i in to_make or i["name"] in to_start]))
    stack.write(stack.made_file, sorted(set(made) | {i["name"] for i in wanted}))
    return {"changed": changed, "network": network, "done": done}


def stopped(module: AnsibleModule, stack: Instances) -> dict[str, Any]:
    """Stop these instances; systemd inside shuts its services down first."""
    existing = stack.existing()
    names = [i["name"] for i in module.params["instances"] if alive(existing.get(i["name"], {"state": "", "pid": 0}))]
    if not module.check_mode:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: stack.run("stop", existing[name]["container"]), names))
    return {"changed": bool(names), "network": stack.network(), "done": {"stopped": names}}


def absent(module: AnsibleModule, stack: Instances) -> dict[str, Any]:
    """Remove these instances, or with none named all of the stack and its network."""
    only = [i["name"] for i in module.params["instances"]]
    existing = {n: c for n, c in stack.existing().items() if not only or n in only}
    network = {} if only else stack.network()
    if not module.check_mode:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda c: stack.run("rm", "--force", "--ignore", "--volumes", "--time", "0", c["id"]), existing.values()))
        if network:
            stack.run("network", "rm", "--force", network["name"])
        if only and os.path.exists(stack.made_file):
            stack.write(stack.made_file, sorted(set(stack.made()) - set(only)))
    return {"changed": bool(existing or network), "network": {}, "done": {"removed": sorted(existing)}}


def main() -> None:
    instance = {"name": {"type": "str", "required": True}, "address": {"type": "str", "default": ""},
                "layer": {"type": "str", "default": ""}, "zone": {"type": "str", "default": ""},
                "type": {"type": "str", "choices": ["always", "time", "load"], "default": "always"},
                "online": {"type": "bool", "default": True}}
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["running", "stopped", "absent"], "default": "running"},
            "instances": {"type": "list", "elements": "dict", "default": [], "options": instance},
            "network": {"type": "str", "required": True},
            "image": {"type": "str", "default": ""},
            "public_key": {"type": "path"},
            "records": {"type": "path", "required": True},
            "containers_conf": {"type": "str", "default": ""},
        },
        required_if=[("state", "running", ["image", "public_key"])],
        supports_check_mode=True,
    )
    stack = Instances(module.params)
    action = {"running": running, "stopped": stopped, "absent": absent}[module.params["state"]]
    try:
        module.exit_json(**action(module, stack))
    except PodmanError as exc:
        module.fail_json(msg=f"instances of stack {stack.stack!r}: {exc}")


if __name__ == "__main__":
    main()
