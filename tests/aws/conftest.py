"""One server for all tests of a run; each test module begins with an empty account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.aws import Aws


@pytest.fixture(scope="session")
def server() -> Iterator[Aws]:
    with Aws() as aws:
        yield aws


@pytest.fixture(scope="module")
def aws(server: Aws) -> Aws:
    server.reset()
    return server
