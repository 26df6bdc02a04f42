"""What went wrong, out of the long output of pytest, Ansible and the linters."""

from __future__ import annotations

import re
from collections.abc import Iterable

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# pytest's own summary and the reasons it gives, Ansible's failed tasks, a Python error that nobody caught.
TELLING = re.compile(r"^(FAILED|ERROR|E   |fatal: |\[ERROR\]|\w*Error: )|UNREACHABLE!")


def failures(output: Iterable[str], most: int = 12, width: int = 240) -> list[str]:
    """The last telling lines of an output, at most `most`, each cut to `width` characters, without colours."""
    lines = (COLOUR.sub("", line).rstrip() for line in output)
    told = [line[:width] for line in lines if TELLING.search(line)]
    return list(dict.fromkeys(told))[-most:]
