"""Lines of a title, as wide as a picture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from reports.kit.fonts import advance

_advance = cache(advance)
#: Between a number and its unit, and in `T = 4`: there no line ends.
_UNIT = re.compile(r"(?<=\d) (?=%|[pnµmk]?J\b)|(?<=\bT) (?==)|(?<=\bT =) (?=\d)")
_KEPT = "\N{NO-BREAK SPACE}"


def wrapped(line: str, points: float, size: float) -> Iterator[str]:
    """Parts of a line that are no wider than so many points, broken between words if it can be."""
    rest = _UNIT.sub(_KEPT, " ".join(line.split()))
    while rest:
        end = len(rest)
        if _points(rest, size) > points:
            end = next((i for i in range(1, end) if _points(rest[: i + 1], size) > points), end)
            end = rest.rfind(" ", 0, end + 1) if " " in rest[1 : end + 1] else end
        yield rest[:end].rstrip().replace(_KEPT, " ")
        rest = rest[end:].lstrip()


def _points(text: str, size: float) -> float:
    """Width of a line of a title."""
    return sum(_advance(character, size) for character in text)
