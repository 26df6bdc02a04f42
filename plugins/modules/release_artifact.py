#!/usr/bin/python
# Copyright (c) Trust Stack
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Build one release of the app, on the control node, unless the cache holds it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_artifact
short_description: Build one release of an app as one file, once
version_added: "0.1.0"
description:
  - Makes one tar of the wheel of the app, the wheels of its lock C(requirements.txt), those of its extras, and a manifest.
  - The digest names the sources (C(src), C(pyproject.toml), the locks), the Python and the machine. When the cache
    holds an artifact of that digest, nothing is built.
  - With O(bucket), an artifact that the cache lacks is fetched from S3, if that has it, instead of built; and one that S3 lacks is uploaded, once.
    Region, credentials and endpoint come from the environment.
  - Runs on the control node, under a Python that has pip and the build back end of the app.
author: Trust Stack
options:
  source:
    description: The folder of the app.
    type: path
    required: true
  cache:
    description: Where artifacts and fetched wheels are kept.
    type: path
    required: true
  digest:
    description: Take this artifact from the cache, or from O(bucket), as built earlier; empty takes what O(source) holds now.
    type: str
    default: ""
  extras:
    description: Extras of the app that the release brings along. The lock of each is C(requirements-<extra>.txt) in O(source).
    type: list
    elements: str
    default: []
  bucket:
    description:
      - Bucket of S3 that keeps the artifacts for control nodes whose cache lacks them; empty for none.
      - What comes from there is taken only when it is whole and is the release that was asked for. Who may write there may deploy.
    type: str
    default: ""
  bucket_prefix:
    description: What the keys there begin with; the digest and C(.tar) follow.
    type: str
    default: releases/
  python_version:
    description: The Python of the instances.
    type: str
    default: "3.13"
  machine:
    description: The processor of the instances.
    type: str
    choices: [x86_64, aarch64]
    default: x86_64
attributes:
  check_mode:
    description: Tells whether it would build, fetch or upload.
    support: full
"""

EXAMPLES = r"""
- name: Build the release
  delegate_to: localhost
  run_once: true
  trust.stack.release_artifact:
    source: app
    cache: .cache/releases
"""

RETURN = r"""
digest:
  description: The name of the release.
  type: str
  returned: always
path:
  description: The artifact; in check mode, where it would be.
  type: str
  returned: always
size:
  description: Bytes of the artifact; 0 when it is not there yet (check mode).
  type: int
  returned: always
fetched:
  description: Whether it came, or in check mode would come, from the bucket.
  type: bool
  returned: always
uploaded:
  description: Whether it was, or in check mode would be, uploaded to the bucket.
  type: bool
  returned: always
"""

import importlib.util
import os
import re
import sys
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trust.stack.plugins.module_utils import artifact
from ansible_collections.trust.stack.plugins.module_utils.artifact import ArtifactError
from ansible_collections.trust.stack.plugins.module_utils.aws_calls import AwsError
from ansible_collections.trust.stack.plugins.module_utils.release_bucket import Bucket


class Builder:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.source = Path(module.params["source"])
        self.cache = Path(module.params["cache"])
        self.extras = module.params["extras"]
        self.target = (module.params["python_version"], module.params["machine"])

    def build(self, digest: str, path: Path) -> None:
        if not importlib.util.find_spec("pip"):
            raise ArtifactError(
                f"{sys.executable} has no pip, which fetches and builds the wheels. Mend: {sys.executable} -m ensurepip "
                f"(in an environment made by uv: uv pip install --python {sys.executable} pip)."
            )
        with artifact.workshop(self.cache) as workshop:
            if path.exists():  # another run built it while this one waited
                return
            locked = self.dependencies(workshop)
            own = self.own_wheel(workshop)
            version = own.name.split("-")[1]
            about = {"digest": digest, "version": version, "python": self.target[0], "machine": self.target[1]}
            artifact.pack([own, *locked.glob("*.whl")], about, path)

    def dependencies(self, workshop: Path) -> Path:
        """The folder of the locked wheels; fetched anew only for another lock."""
        lock = self.source / artifact.LOCK
        wanted = artifact.locked_with(self.source, self.extras, *self.target)
        text = workshop / artifact.LOCK
        text.write_text(artifact.lock_text(wanted), encoding="utf-8")
        kept = self.cache / f"wheels-{self.target[0]}-{self.target[1]}-{artifact.sha256(text)[:12]}"
        if not kept.exists():
            fetched = workshop / "wheels"
            options = artifact.download_options(*self.target)
            self.pip("download", "--require-hashes", *options, "--dest", str(fetched), "--requirement", str(text))
            missing = artifact.missing_wheels(fetched, wanted)
            if missing:
                raise ArtifactError(f"{lock}: pip brought no wheel of {', '.join(missing)}. Mend: lock a version that has one.")
            fetched.rename(kept)
        missing = artifact.missing_wheels(kept, wanted)
        if missing:
            raise ArtifactError(f"{kept}: damaged or missing: {', '.join(missing)}. Mend: remove that folder; it is fetched again.")
        return kept

    def own_wheel(self, workshop: Path) -> Path:
        staged, made = workshop / "app", workshop / "own"
        artifact.stage(self.source, staged)
        self.pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(made), str(staged))
        wheels = list(made.glob("*.whl"))
        if len(wheels) != 1 or not wheels[0].name.endswith("-none-any.whl"):
            names = ", ".join(path.name for path in wheels) or "no wheel"
            raise ArtifactError(f"{self.source}: found {names}, expected one wheel of pure Python. Mend: {artifact.PROJECT}.")
        return wheels[0]

    def pip(self, verb: str, *options: str) -> None:
        environment = {
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "SOURCE_DATE_EPOCH": str(artifact.EPOCH),
        }
        command = [sys.executable, "-m", "pip", verb, "--quiet", *options]
        code, output, errors = self.module.run_command(command, environ_update=environment)
        if code:
            said = _reason(errors or output)
            raise ArtifactError(f"{self.source}: pip {verb} failed: {said} Mend: {_mend(said, self.source)}.")


def _reason(said: str) -> str:
    """What pip's long words come to: its errors, or else its last lines."""
    lines = [re.sub(r"^\W+", "", line).strip() for line in said.splitlines() if not line.startswith("WARNING")]
    errors = [line for line in lines if re.match(r"(ERROR|error|[\w.]+(Error|Unavailable|Exception)):? ", line)]
    return " / ".join((errors or [line for line in lines if line])[-4:])


def _mend(said: str, source: Path) -> str:
    if "hash" in said.lower():
        return f"make {source / artifact.LOCK} again, with hashes"
    if "No matching distribution" in said or "Could not find a version" in said:
        return "lock a version that has a wheel for the instances' Python and machine, or see that the package index answers"
    backend = re.search(r"(?:Cannot import|No module named) '([\w.]+)'", said)
    if backend and "backend" in said.lower():
        return f"{sys.executable} -m pip install {backend[1].split('.')[0]}"
    return "correct what pip names"


def run(module: AnsibleModule) -> dict:
    given = module.params
    source, cache, pinned = Path(given["source"]), Path(given["cache"]), given["digest"]
    digest = pinned or artifact.source_digest(source, given["python_version"], given["machine"], given["extras"])
    path = cache / f"{digest}.tar"
    bucket = Bucket(given["bucket"], given["bucket_prefix"]) if given["bucket"] else None
    cached = path.exists()
    kept = bucket is not None and not cached and bucket.holds(digest)
    if pinned and not cached and not kept:
        also = f", nor is it at {bucket.address(digest)}" if bucket else ""
        raise ArtifactError(
            f"{path}: not found{also}; release {digest} was built on another machine, or removed. "
            "Mend: copy it here, or deploy a release anew."
        )
    if not cached and not module.check_mode:
        if bucket and kept:
            bucket.fetch(digest, path)
        else:
            Builder(module).build(digest, path)
    uploaded = bucket is not None and not kept and upload(module, bucket, digest, path, careful=bool(pinned))
    size = path.stat().st_size if path.exists() else 0
    return {"changed": not cached or uploaded, "digest": digest, "path": os.path.abspath(path), "size": size, "fetched": kept, "uploaded": uploaded}


def upload(module: AnsibleModule, bucket: Bucket, digest: str, path: Path, careful: bool) -> bool:
    """Whether it was (or would be) uploaded. `careful`: an instance that starts with a release of the cache must not fail because of S3."""
    try:
        return not bucket.holds(digest) if module.check_mode else bucket.keep(digest, path)
    except AwsError as error:
        if not careful:
            raise
        module.warn(f"release {digest} is in the cache, but it is not known whether other control nodes can have it: {error}")
        return False


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "cache": {"type": "path", "required": True},
            "digest": {"type": "str", "default": ""},
            "extras": {"type": "list", "elements": "str", "default": []},
            "bucket": {"type": "str", "default": ""},
            "bucket_prefix": {"type": "str", "default": "releases/"},
            "python_version": {"type": "str", "default": "3.13"},
            "machine": {"type": "str", "choices": ["x86_64", "aarch64"], "default": "x86_64"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (ArtifactError, AwsError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
