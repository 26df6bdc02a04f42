# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Talking to podman: one call, one error type. Used by the modules that make local instances."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

LABEL = "trust.stack"


class PodmanError(Exception):
    """A podman command that went wrong; the text names the command and what podman said."""


def podman(*args: str, containers_conf: str = "", timeout: float = 120, check: bool = True) -> str:
    """Run podman, as root, and return its standard output.

    Raises PodmanError when it exits non-zero (unless check is False: then "" is returned) or takes over timeout seconds.
    """
    env = dict(os.environ)
    if containers_conf:
        env["CONTAINERS_CONF"] = containers_conf
    # Modules run as root by become; what runs inside ansible-playbook may need sudo, and can ask for no password.
    sudo = [] if os.geteuid() == 0 else ["sudo", "--non-interactive", "--preserve-env=CONTAINERS_CONF"]
    command = [*sudo, "podman", *args]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=timeout, check=False)
    except FileNotFoundError as exc:
        raise PodmanError("podman is not installed on this machine; `make up` installs it, or: apt-get install podman") from exc
    except subprocess.TimeoutExpired as exc:
        raise PodmanError(f"`{' '.join(command)}` gave no answer within {timeout:.0f} s") from exc
    if done.returncode:
        if not check:
            return ""
        raise PodmanError(f"`{' '.join(command)}` failed ({done.returncode}): {done.stderr.strip()}")
    return done.stdout


def containers(stack: str, containers_conf: str = "") -> dict[str, dict[str, Any]]:
    """All containers of one stack, by instance name: {"id", "state", "pid", "container"}."""
    text = podman("ps", "--all", "--filter", f"label={LABEL}={stack}", "--format", "json", containers_conf=containers_conf)
    found = {}
    for row in json.loads(text or "[]") or []:
        name = row["Labels"].get(f"{LABEL}.instance", row["Names"][0])
        found[name] = {"id": row["Id"], "state": row["State"], "pid": row.get("Pid", 0), "container": row["Names"][0]}
    return found


def alive(container: dict[str, Any]) -> bool:
    """Running in fact, not only in podman's books: after a crash the books may still say so."""
    return container["state"] == "running" and bool(container["pid"]) and os.path.exists(f"/proc/{container['pid']}")
