# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: secret
short_description: A secret of the stack
version_added: "0.1.0"
author: Trust Stack (@trust-stack)
description:
  - Gives a value out of the stack's ansible-vault file, which M(trust.stack.stack_secrets) fills.
options:
  _terms:
    description: The names of the secrets.
    type: list
    elements: str
    required: true
  file:
    description: The file; if not said, the variable C(stack_secrets_file) says where it is.
    type: path
  password_file:
    description: The file with its password; if not said, the variable C(stack_vault_password_file) says where it is.
    type: path
notes:
  - The inventory plugin P(trust.stack.stack#inventory) sets both variables; in an inventory of your own, set them yourself.
seealso:
  - module: trust.stack.stack_secrets
"""

EXAMPLES = r"""
redis_password: "{{ lookup('trust.stack.secret', 'redis_password') }}"
"""

RETURN = r"""
_raw:
  description: The values.
  type: list
  elements: str
"""

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.trust.stack.plugins.plugin_utils.vault import load

MEND = "Mend: run playbooks/site.yml once, it makes the missing secrets."


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        path = self._path(kwargs.get("file"), variables or {}, "stack_secrets_file")
        found = load(path, self._path(kwargs.get("password_file"), variables or {}, "stack_vault_password_file"))
        for name in terms:
            if name not in found:
                here = f"{len(found)} other secrets" if path.exists() else "no such file"
                raise AnsibleError(f'{path}: the secret "{name}" is missing (found: {here}). {MEND}')
        return [found[name] for name in terms]

    def _path(self, given: str | None, variables: dict[str, Any], name: str) -> Path:
        if given:
            return Path(given)
        if not variables.get(name):
            raise AnsibleError(
                f"The variable {name} is not set. Expected: a path. Mend: use an inventory with a stack.yml, "
                "or set it as inventories/static/hosts.yml shows."
            )
        return Path(str(self._templar.template(variables[name])))
