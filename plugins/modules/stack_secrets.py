# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_secrets
short_description: Make the secrets of a stack that are missing
version_added: "0.1.0"
author: Trust Stack (@trust-stack)
description:
  - Keeps one ansible-vault file of names and values, and adds a random value for each name that is not in it.
  - A value that is there is never changed. Values never appear in the result.
  - The file with the vault's password is made at the first run. Keep a copy of both files in a safe place.
  - This is an action - it runs where Ansible runs, whatever the host of the task is.
options:
  path:
    description: The ansible-vault file.
    type: path
    required: true
  password_file:
    description: The file with its password.
    type: path
    required: true
  names:
    description: The secrets that must be there.
    type: list
    elements: str
    required: true
  length:
    description: The length of new secrets, in letters and digits, at least 16.
    type: int
    default: 32
  known:
    description:
      - Values that are kept elsewhere too, by name. Those that the file lacks are taken over instead of being made.
      - If one differs from the file's, nothing is changed and the task fails.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Says which names would be added.
    support: full
  diff_mode:
    description: Secrets are not shown.
    support: none
seealso:
  - plugin: trust.stack.secret
    plugin_type: lookup
  - plugin: trust.stack.parameters
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Make the missing secrets
  trust.stack.stack_secrets:
    path: "{{ stack_secrets_file }}"
    password_file: "{{ stack_vault_password_file }}"
    names: [mariadb_root_password, redis_password]
"""

RETURN = r"""
added:
  description: The names of the secrets that were made.
  type: list
  elements: str
  returned: always
  sample: [redis_password]
taken:
  description: The names of the secrets that were taken over from O(known).
  type: list
  elements: str
  returned: always
lacking:
  description: The names of the secrets that O(known) lacks.
  type: list
  elements: str
  returned: always
differing:
  description: The names of the secrets whose values differ from those in O(known).
  type: list
  elements: str
  returned: always
"""
