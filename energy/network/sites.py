"""Where in the code of a network an operation stands, so that a loop over time gives it one row."""

from __future__ import annotations

import sys
from collections import Counter
from types import CodeType

from torch import nn

from energy.network.frame import Frame

#: Runs `forward`: what stands above it is the code of another module.
_CALLS = nn.Module._call_impl.__code__

#: The places in the code, from the operation up to the module that runs it.
Site = tuple[tuple[CodeType, int], ...]


class Sites:
    """What the rows of operations are called that are no layers of their own.

    An operation that stands once in the code of a module has one row, however often it runs.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, Site], str] = {}
        self._taken: Counter[str] = Counter()  #: operations of a module, by both names
        self._modules: set[str] = set()  #: those that have a row

    def row(self, frame: Frame, operation: str) -> str:
        """What the row of the operation that is running is called."""
        key = frame.name, operation, () if frame.whole else site(1)
        found = self._rows.get(key)
        if found is None:
            found = self._rows[key] = self._new(frame, operation)
        return found

    def _new(self, frame: Frame, operation: str) -> str:
        alone = not frame.module._modules and frame.name not in self._modules
        self._modules.add(frame.name)
        name = ".".join(word for word in (frame.name, operation) if word)
        self._taken[name] += 1
        if alone and frame.name:
            return frame.name
        times = self._taken[name]
        return f"{name}.{times}" if times > 1 else name


def site(above: int, modules: int = 0) -> Site:
    """Where in the code something stands.

    Args:
        above: Frames between that code and this function.
        modules: Modules that are running inside of the one whose code it is.
    """
    found: list[tuple[CodeType, int]] = []
    at = sys._getframe(above + 1)
    while at is not None and (modules or at.f_code is not _CALLS):
        if at.f_code is _CALLS:
            modules -= 1
            found.clear()
        else:
            found.append((at.f_code, at.f_lasti))
        at = at.f_back  # type: ignore[assignment]
    return tuple(found)
