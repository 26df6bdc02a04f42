#!/usr/bin/python
# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: release_state
short_description: Pin the release that a stack runs, and find the one to go back to
description:
  - The inventory reads it, so that an instance that starts later gets the release of all others. Runs on the control node.
author: Trust Stack (@trust-stack)
version_added: "0.2.0"
options:
  state_dir:
    description: The state folder of the stack.
    type: path
    required: true
  action:
    description:
      - V(deployed) pins O(digest) as the newest, V(rolled_back) pins an older one.
      - V(target) only tells which release a rollback goes to.
      - V(contracted) forgets the older ones, which the database can no longer serve; V(undeployed) forgets all.
    type: str
    choices: [deployed, rolled_back, target, contracted, undeployed]
    required: true
  digest:
    description: The release; for V(target) the beginning of a digest, or empty for the one before the current.
    type: str
    default: ""
  actor:
    description: Who does it, such as C(deploy.yml). A change is a line in C(events.jsonl) of the state folder.
    type: str
    default: by hand
  keep:
    description: How many releases can be gone back to, the current one among them.
    type: int
    default: 5
attributes:
  check_mode:
    support: full
    description: Predicts.
"""

EXAMPLES = r"""
- name: Pin the release
  trust.stack.release_state:
    state_dir: .state
    action: deployed
    digest: 0123456789ab
"""

RETURN = r"""
digest:
  description: The release that is pinned now, or for V(target) the one to go back to.
  returned: success
  type: str
history:
  description: The releases that are kept, the newest first.
  returned: success
  type: list
  elements: str
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trust.stack.plugins.module_utils import releases, statefiles

CHANGES = {"contracted": releases.contracted, "undeployed": releases.undeployed}
# What the log calls it, and the lifecycle event that it is.
VERBS = {
    "deployed": ("deploy", "deploy"), "rolled_back": ("roll back", "deploy"), "contracted": ("contract", "deploy"),
    "undeployed": ("undeploy", "undeploy"),
}  # fmt: skip


def _line(given: dict[str, Any], before: str, after: str) -> dict[str, str]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"time": now, "actor": given["actor"], "verb": VERBS[given["action"]][0], "cause": "by hand", "before": before, "after": after}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state_dir": {"type": "path", "required": True},
            "action": {"type": "str", "choices": ["deployed", "rolled_back", "target", *CHANGES], "required": True},
            "digest": {"type": "str", "default": ""},
            "actor": {"type": "str", "default": "by hand"},
            "keep": {"type": "int", "default": releases.KEEP},
        },
        supports_check_mode=True,
    )
    given = module.params
    if given["keep"] < 2:
        module.fail_json(msg=f"keep: found {given['keep']}, expected 2 or more: the current release and one to go back to")
    file = Path(given["state_dir"]) / statefiles.RELEASE
    try:
        before = releases.read(statefiles.read(file))
        if given["action"] == "target":
            module.exit_json(changed=False, digest=releases.target(before, given["digest"]), history=before.history)
        if given["action"] in CHANGES:
            change = CHANGES[given["action"]](before)
        elif given["action"] == "deployed":
            change = releases.deployed(before, given["digest"], given["keep"])
        else:
            change = releases.rolled_back(before, given["digest"])
        if change != before and not module.check_mode:
            statefiles.write(file, {"digest": change.current, "history": list(change.history)})
            statefiles.append(file.with_name(statefiles.EVENTS), [_line(given, before.current, change.current)])
            statefiles.write(file.with_name(statefiles.LAST_EVENT), {"event": VERBS[given["action"]][1]})
    except (releases.ReleaseError, statefiles.StateError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=change != before, digest=change.current, history=change.history)


if __name__ == "__main__":
    main()
