"""Text in the cells of a CSV file: what a spreadsheet does not run, nor a terminal obey."""

from __future__ import annotations

import re
from typing import Any

from hwmodels.plain import printable_lines

#: What begins a formula in a spreadsheet, in either width.
_STARTS = "=+-@＝＋－＠"
_TOLD = "'"  #: in front of a cell it tells a spreadsheet that text follows
_FORMULA = re.compile(f"{_TOLD}*[{re.escape(_STARTS)}]")


def to_cell(value: Any) -> Any:
    """A value as a file holds it; `from_cell` gives back any text but its unseen characters.

    Text that a spreadsheet would run as a formula has an apostrophe before it, and one more if it
    has some already.
    """
    if not isinstance(value, str) or (value.isprintable() and value[:1] not in _QUOTED):
        return value
    text = printable_lines(value)
    return _TOLD + text if _FORMULA.match(text) else text


def from_cell(text: str) -> str:
    """The text that `to_cell` was given."""
    return text[1:] if text[:1] == _TOLD and _FORMULA.match(text) else text


_QUOTED = frozenset(_STARTS + _TOLD)
