#!/usr/bin/env python3
"""One molecule scenario for each role, on instances that they share; a role without a scenario is a failure.

Roles that ask AWS have no hosts: their tests are in tests/aws, the step "aws".
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    roles = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
    on_aws = [role for role in roles if role.startswith("aws_")]
    missing = [role for role in roles if not list((ROOT / "molecule" / role / "tests").glob("test_*.py"))]
    missing = [role for role in missing if role not in on_aws or not (ROOT / f"tests/aws/test_{role}.py").exists()]
    if missing:
        expected = "molecule/<role>/tests/test_*.py, or tests/aws/test_<role>.py for a role aws_*"
        print(f"roles without a scenario with tests: {', '.join(missing)}; expected {expected}", file=sys.stderr)
        return 1
    names = [word for role in roles if role not in on_aws for word in ("--scenario-name", role)]
    return subprocess.run(["molecule", "test", *names], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
