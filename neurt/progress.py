"""How a long work tells how far it is, and what the user must read."""

from __future__ import annotations

from collections.abc import Callable

#: Called with what is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]
#: Given a line that the user must read.
Say = Callable[[str], None]


def silent(*_: object) -> None:
    """Tell nobody."""
