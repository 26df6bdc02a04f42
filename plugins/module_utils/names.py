# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names as people give them on a command line."""

from __future__ import annotations

import re
from typing import Any


def split(given: Any) -> list[str]:
    """Each name once, in the given order: of a text that is split at commas and spaces, of a list, or of a mapping's keys."""
    words = re.split(r"[,\s]+", given) if isinstance(given, str) else [str(word) for word in given or []]
    return [word for word in dict.fromkeys(words) if word]
