"""The stack of this scenario."""

from __future__ import annotations

import pytest
from support.stack import ROOT, Stack


@pytest.fixture(scope="session")
def stack() -> Stack:
    return Stack(ROOT / "molecule/site/stack.yml")
