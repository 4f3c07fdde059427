"""The cells of a CSV file: text that a spreadsheet does not run, nor a terminal obey."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from itertools import repeat
from math import isfinite
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


def are_cells(texts: Iterable[str]) -> bool:
    """Whether a file holds texts as they are: `to_cell` changes none, and nothing quotes one."""
    joined = "".join(texts)
    plain = joined.isprintable() and "," not in joined and '"' not in joined
    return plain and _QUOTED.isdisjoint(text[:1] for text in texts)


def from_cell(text: str) -> str:
    """The text that `to_cell` was given."""
    return text[1:] if text[:1] == _TOLD and _FORMULA.match(text) else text


def each(column: Any, size: int) -> Iterable[Any]:
    """The values of a column of so many rows."""
    return column if isinstance(column, list) else repeat(column, size)


def _kinds(column: Any) -> set[type]:
    """The types of its values."""
    return {*map(type, column)} if isinstance(column, list) else {type(column)}


def are_finite(column: Any) -> bool:
    """Whether no value of a column, a list or what all rows share, is infinite or no number."""
    kinds = _kinds(column)
    if not any(issubclass(kind, float) for kind in kinds):
        return True
    values = column if isinstance(column, list) else [column]
    if not kinds <= {int, float}:
        values = [value for value in values if isinstance(value, float)]
    return all(map(isfinite, values))


def csv_text(columns: list[Any], size: int) -> str:
    """Rows of a CSV file, which the csv module writes where something is to be quoted."""
    written = [cells for column in columns if (cells := _written(column)) is not None]
    if len(written) < len(columns) or len(columns) == 1:  # a row of one empty cell is quoted, too
        rows = zip(*(map(to_cell, each(column, size)) for column in columns), strict=True)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        return text.getvalue()
    parts: list[list[str] | str] = []  # what all rows share side by side is one part
    for cells in written:
        if isinstance(cells, str) and parts and isinstance(parts[-1], str):
            parts[-1] = ",".join((parts[-1], cells))
        else:
            parts.append(cells)
    lines = map(",".join, zip(*(each(part, size) for part in parts), strict=True))
    return "\n".join([*lines, ""])


def _written(column: Any) -> list[str] | str | None:
    """A column as cells of a file; None where that is for the csv module to say."""
    if not isinstance(column, list):
        cells = _written([column])
        return cells and cells[0]
    kinds = _kinds(column)
    if all(issubclass(kind, str) for kind in kinds):  # words of a vocabulary, too
        return column if are_cells(column) else None
    if kinds <= {int, float}:
        return [*map(repr, column)]
    if kinds <= {int, float, type(None)}:
        return ["" if value is None else repr(value) for value in column]
    return None


_QUOTED = frozenset(_STARTS + _TOLD)
