#!/usr/bin/python
# Copyright: Trust Stack contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: galera_facts
short_description: The state of one Galera node, or the plan for all of them
description:
  - Without O(nodes), looks at this host in one call - the service, the server's own wsrep status, C(grastate.dat),
    the recovered position of a node that stands still, and its health agent. Changes nothing.
  - With O(nodes), asks no host at all - returns what to do so that all these nodes are members of one cluster.
author: Trust Stack (@truststack)
version_added: 0.1.0
options:
  datadir:
    description: Data directory of the server.
    type: path
    default: /var/lib/mysql
  config:
    description: Files that the server reads only when it starts. A server older than one of them is stale.
    type: list
    elements: path
    default: []
  rewritten:
    description:
      - Whether one of O(config) was written in this run. A server that runs is stale then, whatever the times of the
        files say; in check mode they say nothing.
    type: bool
    default: false
  agent_url:
    description: Address of the health agent; empty means do not ask it.
    type: str
    default: ""
  wait:
    description:
      - Seconds to wait until the node is healthy, and its agent too when O(agent_url) is given. When they are over the
        module fails and says what is missing.
    type: int
    default: 0
  nodes:
    description: States of all data nodes in inventory order, each with C(name) and C(reachable).
    type: list
    elements: dict
  force:
    description: Name of the node to bootstrap whatever the others may hold.
    type: str
    default: ""
attributes:
  check_mode:
    description: Changes nothing, so check mode is the same.
    support: full
"""

EXAMPLES = r"""
- name: Look at the node
  trust.stack.galera_facts:
    config: [/etc/mysql/mariadb.conf.d/90-galera.cnf]
  register: state

- name: Decide who starts the cluster
  trust.stack.galera_facts:
    nodes:
      - {name: database-a-1, reachable: true, service: down, uuid: 1b1c, seqno: 7}
      - {name: database-b-1, reachable: true, service: down, uuid: 1b1c, seqno: 9}
  delegate_to: localhost
"""

RETURN = r"""
node:
  description: State of this host (without O(nodes)).
  type: dict
  returned: without nodes
  sample: {service: up, wsrep: true, status: Primary, state: 4, size: 3, seqno: 17, healthy: true}
plan:
  description: Names to bootstrap, start, restart or stop, and the reason to do nothing.
  type: dict
  returned: with nodes
  sample: {bootstrap: database-b-1, start: [database-a-1], restart: [], stop: [], refuse: null}
"""

import os
import subprocess
import time
import urllib.error
import urllib.request

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trust.stack.plugins.module_utils import galera

SERVICE = "mariadb.service"
AGENT = "mariadb-agent.service"
QUERY = (
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_status', 'wsrep_cluster_size', 'wsrep_local_state',"
    " 'wsrep_cluster_state_uuid', 'wsrep_last_committed'); SHOW GLOBAL VARIABLES LIKE 'wsrep_on'"
)


def unit(name):
    """Properties of a systemd unit."""
    show = ["systemctl", "show", "--timestamp=unix", "--property=ActiveState,UnitFileState,ExecMainStartTimestamp", name]
    out = subprocess.run(show, capture_output=True, text=True, timeout=20, check=True).stdout
    return dict(line.split("=", 1) for line in out.splitlines())


def service_state(properties):
    active = properties.get("ActiveState")
    if active in ("active", "reloading"):
        return "up"
    return "starting" if active in ("activating", "deactivating") else "down"


def is_stale(properties, files, rewritten):
    """Was one of these files written after the process began?"""
    started = properties.get("ExecMainStartTimestamp", "").lstrip("@")
    times = [int(os.stat(path).st_mtime) for path in files if os.path.exists(path)]
    return bool(started and (rewritten or (times and max(times) > int(started))))


def ask_server():
    """The server's own words; empty when it gives none in time."""
    ask = ["mariadb", "--batch", "--skip-column-names", "--connect-timeout=3", "--execute", QUERY]
    try:
        run = subprocess.run(ask, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(line.split("\t", 1) for line in run.stdout.splitlines() if "\t" in line)


def ask_agent(url):
    """Code and reason of the health agent; code 0 when it does not answer."""
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return answer.status, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode().strip()
    except OSError as error:
        return 0, str(error)


def saved_position(datadir):
    """grastate.dat, or None when this data directory was never part of a cluster."""
    try:
        with open(os.path.join(datadir, "grastate.dat"), encoding="utf-8") as handle:
            return galera.parse_grastate(handle.read())
    except FileNotFoundError:
        return None


def holds_databases(datadir):
    own = {"mysql", "performance_schema", "sys", "test", "lost+found"}
    if not os.path.isdir(datadir):
        return False
    return any(e.is_dir() and e.name not in own and e.name[0] not in "#." for e in os.scandir(datadir))


def recovered_position(module):
    """What the storage engine itself says; reading it is what the server does at each start."""
    code, out, _err = module.run_command(["/usr/bin/galera_recovery"])
    return galera.parse_position(out) if code == 0 else (galera.NO_UUID, galera.UNKNOWN)


def look(module):
    options = module.params
    server, agent = unit(SERVICE), unit(AGENT)
    saved = saved_position(options["datadir"])
    node = dict(saved or galera.parse_grastate(""))
    code, reason = ask_agent(options["agent_url"]) if options["agent_url"] else (0, "")
    node.update(
        service=service_state(server),
        stale=is_stale(server, options["config"], options["rewritten"]),
        grastate=saved is not None,
        foreign_data=saved is None and holds_databases(options["datadir"]),
        agent=service_state(agent) if agent.get("UnitFileState") == "enabled" else "down",
        agent_status=code,
        agent_reason=reason,
    )
    status = ask_server() if node["service"] == "up" else {}
    node.update(
        answers=bool(status),
        wsrep=status.get("wsrep_on") == "ON",
        status=status.get("wsrep_cluster_status", ""),
        state=int(status.get("wsrep_local_state", 0)),
        size=int(status.get("wsrep_cluster_size", 0)),
        cluster_uuid=status.get("wsrep_cluster_state_uuid", ""),
    )
    if node["wsrep"]:
        node["seqno"] = int(status.get("wsrep_last_committed", galera.UNKNOWN))
    elif node["service"] == "down" and node["uuid"] != galera.NO_UUID and node["seqno"] < 0 and not module.check_mode:
        node["uuid"], node["seqno"] = recovered_position(module)
    node["healthy"] = galera.is_healthy(node)
    return node


def missing(module, node):
    """What keeps the node from being as it should, in words; empty when nothing does."""
    if not node["healthy"]:
        return (
            f"the server is {node['service']}, its cluster status is {node['status'] or 'not known'} and its state "
            f"{node['state']} (4 is synced); see journalctl -u {SERVICE} on this host"
        )
    if module.params["agent_url"] and node["agent_status"] != 200:
        said = f"the health agent answers {node['agent_status']} ({node['agent_reason']})"
        return f"{said}; see journalctl -u {AGENT} on this host"
    return ""


def look_until_healthy(module):
    wait = module.params["wait"]
    deadline = time.monotonic() + wait
    node = look(module)
    while wait and missing(module, node):
        if time.monotonic() > deadline:
            module.fail_json(msg=f"After {wait} s {missing(module, node)}.", node=node)
        time.sleep(1)
        node = look(module)
    return node


def main():
    module = AnsibleModule(
        argument_spec={
            "datadir": {"type": "path", "default": "/var/lib/mysql"},
            "config": {"type": "list", "elements": "path", "default": []},
            "rewritten": {"type": "bool", "default": False},
            "agent_url": {"type": "str", "default": ""},
            "wait": {"type": "int", "default": 0},
            "nodes": {"type": "list", "elements": "dict"},
            "force": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    if module.params["nodes"] is not None:
        module.exit_json(changed=False, plan=galera.decide(module.params["nodes"], module.params["force"]))
    module.exit_json(changed=False, node=look_until_healthy(module))


if __name__ == "__main__":
    main()
