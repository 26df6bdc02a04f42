#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_servers
short_description: Let servers of an HAProxy backend in, or take them out without breaking a request
description:
  - Speaks with the runtime API on the balancer itself, for many servers in one call. Nothing is reloaded.
  - What is said here is kept over a reload of HAProxy (role haproxy keeps the servers' state), and forgotten at its restart.
author: Trust Stack (@trust-stack)
version_added: "0.2.0"
options:
  backend:
    description: Name of the backend.
    type: str
    default: app
  servers:
    description: Names of its servers.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(admitted) lets them in and returns when HAProxy's own checks have passed and requests may come.
      - V(drained) gives them no new request, waits until those under way have ended, and keeps them out then.
      - V(out) keeps them out at once.
    type: str
    choices: [admitted, drained, out]
    default: admitted
  timeout:
    description: Seconds to wait for V(admitted) or V(drained).
    type: float
    default: 60
  watch:
    description:
      - With V(admitted), watch for so many seconds what visitors get from the servers.
      - It is a failure when one answers with a 5xx or goes down meanwhile.
    type: float
    default: 0
  strict:
    description: Whether it is a failure that a server does not come up, or still has requests, when O(timeout) has passed.
    type: bool
    default: true
  socket:
    description: The admin socket.
    type: path
    default: /run/haproxy/admin.sock
attributes:
  check_mode:
    support: full
    description: Predicts.
"""

EXAMPLES = r"""
- name: Send no more requests to these
  trust.stack.haproxy_servers:
    servers: [app-a-2, app-b-2]
    state: drained
    timeout: 30
"""

RETURN = r"""
servers:
  description: What HAProxy says of each at the end.
  returned: always
  type: dict
  sample: {app-a-2: {status: MAINT, sessions: 0}}
wrong:
  description: What went wrong while it watched.
  returned: always
  type: list
  elements: str
waiting:
  description: Names that were not where they should be when the time was over.
  returned: always
  type: list
  elements: str
seconds:
  description: How long it took.
  returned: always
  type: float
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trust.stack.plugins.module_utils import haproxy
from ansible_collections.trust.stack.plugins.module_utils.haproxy import HaproxyError, Server

PAUSE = 0.1  # seconds between two looks


def there(server: Server, state: str) -> bool:
    """Whether nothing is left to be done."""
    return server.admitted if state == "admitted" else server.out


def wait(params: dict[str, Any], names: list[str]) -> list[str]:
    """Until the servers are admitted, or have no request left; the names of those that took too long."""
    end = time.monotonic() + params["timeout"]
    while True:
        now = haproxy.look(params["socket"], params["backend"])
        left = [name for name in names if not now[name].admitted] if params["state"] == "admitted" else [
            name for name in names if now[name].sessions or now[name].queued
        ]  # fmt: skip
        if not left or time.monotonic() > end:
            return left
        time.sleep(PAUSE)


def watch(params: dict[str, Any], before: dict[str, Server]) -> list[str]:
    """What went wrong with the servers within the time: name and reason of each."""
    end = time.monotonic() + params["watch"]
    while time.monotonic() < end:
        time.sleep(PAUSE)
        now = haproxy.look(params["socket"], params["backend"])
        errors = {name: now[name].errors - before[name].errors for name in params["servers"]}
        wrong = [f"{name} answered {count} requests with a 5xx" for name, count in errors.items() if count]
        wrong += [f"{name} went {now[name].status}" for name in params["servers"] if not now[name].admitted]
        if wrong:
            return wrong
    return []


def work(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    began = time.monotonic()
    path, backend, state = params["socket"], params["backend"], params["state"]
    before = haproxy.look(path, backend)
    if unknown := [name for name in params["servers"] if name not in before]:
        raise HaproxyError(
            f"backend {backend!r} has no server {unknown[0]!r}; found: {', '.join(before) or 'none'}. "
            "Run playbooks/configure.yml, which writes the servers of stack.yml into haproxy.cfg"
        )
    names = [name for name in params["servers"] if not there(before[name], state)]
    left: list[str] = []
    if names and not check_mode:
        if state == "admitted":
            # One that is down but not kept out needs no order, only its checks.
            haproxy.let_in(path, backend, [name for name in names if not before[name].status.startswith("DOWN")])
            left = wait(params, names)
        elif state == "drained":
            haproxy.drain(path, backend, names)
            left = wait(params, names)
        if state in ("drained", "out"):
            haproxy.keep_out(path, backend, names)
    now = haproxy.look(path, backend)
    wrong = watch(params, now) if state == "admitted" and not left and not check_mode else []
    return {
        "wrong": wrong,
        "changed": bool(names),
        "servers": {name: {"status": now[name].status, "sessions": now[name].sessions} for name in params["servers"]},
        "waiting": left,
        "seconds": round(time.monotonic() - began, 2),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "backend": {"type": "str", "default": "app"},
            "servers": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["admitted", "drained", "out"], "default": "admitted"},
            "timeout": {"type": "float", "default": 60},
            "watch": {"type": "float", "default": 0},
            "strict": {"type": "bool", "default": True},
            "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        done = work(params, module.check_mode)
    except HaproxyError as exc:
        module.fail_json(msg=str(exc))
    if done["waiting"] and params["strict"]:
        said = ", ".join(f"{name} ({done['servers'][name]['status']})" for name in done["waiting"])
        what = "did not pass their checks" if params["state"] == "admitted" else "still had requests"
        mend = "look at the app there: journalctl -u boxoffice-web" if params["state"] == "admitted" else "give a longer timeout"
        module.fail_json(msg=f"after {params['timeout']:.0f} s these {what}: {said}; {mend}", **done)
    if done["wrong"]:
        module.fail_json(msg=f"watched for {params['watch']:.0f} s: {'; '.join(done['wrong'])}; look at: journalctl -u boxoffice-web", **done)
    module.exit_json(**done)


if __name__ == "__main__":
    main()
