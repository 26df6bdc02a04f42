# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the inventory's groups to the plain lists that roles take: roles never read hostvars themselves."""

from __future__ import annotations

DOCUMENTATION = r"""
name: members
short_description: Names, addresses and zones of hosts
description:
  - Turns host names into the list of dicts that the roles of this collection take for servers, peers and nodes.
version_added: "0.1.0"
author: Trust Stack (@trust-stack)
positional: hostvars
options:
  _input:
    description: Host names, usually a group; undefined hosts are an error.
    type: list
    elements: str
    required: true
  hostvars:
    description: Ansible's hostvars.
    type: dict
    required: true
  port:
    description: Also put this port into every dict.
    type: int
"""

EXAMPLES = r"""
haproxy_app_servers: "{{ groups['app'] | trust.stack.members(hostvars, port=8000) }}"
# [{"name": "app-a-1", "address": "10.89.0.13", "zone": "a", "port": 8000}, ...]
"""

RETURN = r"""
_value:
  description: One dict for each host with name, address, zone and, when given, port; the order of the input.
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError


def members(names: list[str], hostvars: Any, port: int | None = None) -> list[dict[str, Any]]:
    """See DOCUMENTATION; raises AnsibleFilterError for a host that has no address."""
    found = []
    for name in names:
        variables = hostvars[name]
        if "ansible_host" not in variables:
            raise AnsibleFilterError(
                f"host {name} has no ansible_host (its IPv4 address); expected one in the inventory. "
                "On a local stack run playbooks/provision.yml first; in a hosts.yml write ansible_host beside the name."
            )
        member = {"name": name, "address": variables["ansible_host"], "zone": variables.get("zone", "")}
        found.append(member | ({"port": port} if port is not None else {}))
    return found


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"members": members}
