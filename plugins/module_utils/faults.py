# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What fails in a drill: the power of a machine, as its provider cuts it, or the writing half of a managed service."""

from __future__ import annotations

import time
from collections.abc import Callable

from . import ec2, podman
from .aws_calls import client, explained
from .observe import UnseenError, machines_of
from .stackfile import Stack

WAITS = {"power": "its power is cut", "kill": "its services are killed", "freeze": "its services hang", "failover": "it is told to fail over"}
# Those that do the layer's work; where they hang, the machine still answers.
UNITS = {
    "lb": ["haproxy"], "app": ["boxoffice-web"], "worker": ["boxoffice-worker", "boxoffice-relay", "boxoffice-watchdog"],
    "database": ["mariadb"], "redis": ["redis-server"], "memcached": ["memcached"],
}  # fmt: skip
SIGNALS = {"kill": "KILL", "freeze": "STOP", "thaw": "CONT"}
STOPS = 300  # seconds that EC2 gets to stop a machine; forced, it takes seconds to minutes
LOOK = 2  # seconds


def signal(layer: str, what: str) -> str:
    """The command, for the machine itself."""
    return " ".join(["systemctl", "kill", "--kill-whom=all", f"--signal={SIGNALS[what]}", *UNITS[layer]])


def cut_power(stack: Stack, name: str, containers_conf: str = "") -> Callable[[], None]:
    """Returns at once with what waits until the machine is off. No service gets to say goodbye; EC2 itself may take its time."""
    machine = machines_of(stack, containers_conf).get(name)
    if not machine:
        raise UnseenError(f"{name}: {stack.provider} has no such machine; mend: playbooks/site.yml")
    if stack.provider == "podman":
        podman.podman("kill", "--signal", "KILL", machine["id"], containers_conf=containers_conf)
        return lambda: None
    with explained(f"EC2, StopInstances {machine['id']}"):
        client("ec2", stack.region).stop_instances(InstanceIds=[machine["id"]], Force=True)
    return lambda: _stopped(stack, name)


def _stopped(stack: Stack, name: str) -> None:
    end = time.monotonic() + STOPS
    while (state := ec2.machines(stack.name, stack.region)[name]["state"]) != "stopped":
        if time.monotonic() > end:
            raise UnseenError(f"{name}: EC2 says {state} for {STOPS} s, expected stopped; mend: look at it in the console, then playbooks/heal.yml")
        time.sleep(LOOK)


def fail_over(stack: Stack, layer: str) -> None:
    """The service's own word for it, which does what the loss of a zone would do."""
    name = f"{stack.name}-{layer}"
    if layer == "database":
        with explained(f"RDS, RebootDBInstance {name} with a failover"):
            client("rds", stack.region).reboot_db_instance(DBInstanceIdentifier=name, ForceFailover=True)
        return
    with explained(f"ElastiCache, TestFailover {name}"):
        cache = client("elasticache", stack.region)
        group = cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]
        cache.test_failover(ReplicationGroupId=name, NodeGroupId=group["NodeGroups"][0]["NodeGroupId"])
