#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: podman_machine
short_description: Find out how podman can run systemd containers on this machine
description:
  - Tries podman's defaults first and, only where they fail, ever plainer settings (another runtime, limits that this machine
    grants, a file for events). The first that starts a container is written down and used from then on.
  - Small virtual machines and build hosts often lack what podman's defaults ask for; a laptop or a server needs none of it.
author: Trust Stack (@trust-stack)
version_added: "0.1.0"
options:
  image:
    description: Image to try with.
    type: str
    required: true
  path:
    description: Where to write the containers.conf that works; absent when the defaults do.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Tries, but writes nothing that stays.
"""

EXAMPLES = r"""
- name: Find out what podman can do here
  trust.stack.podman_machine:
    image: localhost/trust-stack:base
    path: /srv/stack/.state/containers.conf
"""

RETURN = r"""
containers_conf:
  description: Path of the settings that work, empty when podman's defaults do.
  returned: success
  type: str
mount_namespaces:
  description: Whether a service inside such a container may have its own mounts (systemd's BindReadOnlyPaths and the like).
  returned: success
  type: bool
settings:
  description: What was set, in words.
  returned: success
  type: list
  elements: str
"""

import json
import os
import resource
import shutil
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trust.stack.plugins.module_utils.podman import PodmanError, podman


def candidates() -> list[tuple[list[str], str]]:
    """(what is set, text of containers.conf), the plainest need first."""

    def limits() -> str:
        pairs = (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC))
        texts = []
        for name, which in pairs:
            hard = resource.getrlimit(which)[1]
            hard = 1048576 if hard == resource.RLIM_INFINITY else hard
            texts.append(f'"{name}={min(4096, hard)}:{min(20000, hard)}"')
        return f"default_ulimits = [{', '.join(texts)}]"

    events = 'events_logger = "file"'
    runc = 'runtime = "runc"'
    found: list[tuple[list[str], str]] = [([], "")]
    found.append((["limits"], f"[containers]\n{limits()}\n"))
    found.append((["limits", "events to a file"], f"[containers]\n{limits()}\n[engine]\n{events}\n"))
    if shutil.which("runc"):
        found.append((["runc"], f"[engine]\n{runc}\n{events}\n"))
        found.append((["runc", "limits", "events to a file"], f"[containers]\n{limits()}\n[engine]\n{runc}\n{events}\n"))
    return found


def boots(image: str, conf: str) -> bool | None:
    """Start a systemd container; None when it does not come up, else whether its services may have own mounts."""
    name = f"trust-stack-probe-{os.getpid()}"
    try:
        podman("run", "--detach", "--name", name, "--network", "none", "--systemd", "always", "--cap-add",
               "NET_ADMIN,NET_RAW", image, containers_conf=conf, timeout=60)
        for _try in range(60):
            state = podman("exec", name, "sh", "-c", "systemctl is-system-running || true", containers_conf=conf, check=False)
            if state.strip() in ("running", "degraded"):
                break
            time.sleep(0.25)
        else:
            return None
        # The very thing that Debian's haproxy.service asks for.
        probe = "systemd-run --quiet --wait -p BindReadOnlyPaths=/dev/log:/var/lib/probe/dev/log -p PrivateTmp=yes /bin/true && echo yes"
        return podman("exec", name, "sh", "-c", probe, containers_conf=conf, check=False).strip() == "yes"
    except PodmanError:
        return None
    finally:
        podman("rm", "--force", "--ignore", "--time", "0", name, containers_conf=conf, check=False)


def main() -> None:
    module = AnsibleModule(
        argument_spec={"image": {"type": "str", "required": True}, "path": {"type": "path", "required": True}},
        supports_check_mode=True,
    )
    path = module.params["path"]
    record = os.path.join(os.path.dirname(path), "machine.json")
    if os.path.exists(record):
        with open(record, encoding="utf-8") as file:
            module.exit_json(changed=False, **json.load(file))
    if module.check_mode:
        module.exit_json(changed=True, containers_conf="", mount_namespaces=True, settings=[])
    for settings, text in candidates():
        conf = path if text else ""
        if text:
            with open(path, "w", encoding="utf-8") as file:
                file.write("# What podman needs on this machine, found by trying. Delete machine.json beside it to try again.\n" + text)
        mounts = boots(module.params["image"], conf)
        if mounts is not None:
            if not text and os.path.exists(path):
                os.unlink(path)
            answer = {"containers_conf": conf, "mount_namespaces": mounts, "settings": settings}
            with open(record + ".new", "w", encoding="utf-8") as file:
                json.dump(answer, file, indent=2)
            os.replace(record + ".new", record)
            module.exit_json(changed=True, **answer)
    try:
        podman("run", "--rm", "--network", "none", module.params["image"], "/bin/true")
        reason = "a plain container runs, but systemd does not come up inside one"
    except PodmanError as exc:
        reason = str(exc)
    module.fail_json(
        msg=f"No containers with systemd can run on this machine: {reason}. Tried podman's defaults, lower limits, and runc. "
        "Needed: podman >= 4.3 run as root (or through sudo), cgroups, and the runc package where crun refuses the cgroups."
    )


if __name__ == "__main__":
    main()
