# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every decision looks at; plugin_utils/deciding.py has the same options as LOOKS_AT."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  stack_file:
    description:
      - The stack file. With provider C(ec2) it says the region; credentials, and with E(AWS_ENDPOINT_URL) another endpoint, come from the environment,
        and boto3 has to be there. What AWS does not tell within seconds ends the run, and nothing is done.
    type: path
    required: true
  state_dir:
    description: The state folder of the stack.
    type: path
    required: true
  balancers:
    description: The balancers, each with name and address; their statistics page says how the servers are, and whom they keep out.
    type: list
    elements: dict
    default: []
  stats_port:
    description: Port of their statistics page.
    type: int
    default: 8404
  containers_conf:
    description: Settings for podman, see M(trust.stack.podman_machine).
    type: str
    default: ""
"""
