"""A table is a tuple of columns: the same one as a file, a data frame, HTML, or on the terminal.

Markdown, LaTeX and the terminal are in `reports.kit.table`. pandas is imported when the first frame
is asked for.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import isfinite
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

from energy.cells import are_finite, csv_text, each
from energy.words import NONE
from hwmodels.errors import UserError
from hwmodels.plain import printable_lines, quoted

if TYPE_CHECKING:
    from pandas import DataFrame

Row = TypeVar("Row")
#: Rows whose values are found together.
_BLOCK = 2**12


class TableError(UserError, ArithmeticError):
    """A table with a number that no file may hold."""


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A name in files, how to find its value in a row, and how people see it."""

    name: str  #: its name in files and frames, with the unit
    value: Callable[[Row], Any]  #: its value in a row; None where there is none
    heading: str = ""  #: its name for people; empty for a column of files only
    #: a value in words; where there is no value, people see a dash
    show: Callable[[Any], str] = str
    #: whether it holds words: flush left, and wrapped between words where there is no room
    words: bool = False
    #: whether it names its row: it comes first, and again in each block of a wide table
    key: bool = False
    dtype: str = ""  #: its type in a data frame, where pandas would guess another

    def cell(self, row: Row) -> str:
        """Its value in a row, for people."""
        value = self.value(row)
        return NONE if value is None else printable_lines(self.show(value))


def at(path: str) -> Callable[[Any], Any]:
    """The attribute of a row that a path (`part.spread.low`) leads to; None behind a None."""
    steps = path.split(".")
    if len(steps) == 1:
        return attrgetter(path)

    def value(row: Any) -> Any:
        for step in steps:
            if row is not None:
                row = getattr(row, step)
        return row

    return value


def attributes(path: str, *names: str) -> tuple[Column[Any], ...]:
    """Columns of the attributes with these names, of the row or of what `path` leads to from it."""
    return tuple(Column(name, at(f"{path}.{name}" if path else name)) for name in names)


def texts(*headings: str, words: Collection[str] = ()) -> tuple[Column[Any], ...]:
    """Columns of rows that are sequences of texts; the first names its row."""
    return tuple(
        Column(heading, itemgetter(i), heading, words=not i or heading in words, key=not i)
        for i, heading in enumerate(headings)
    )


@runtime_checkable
class Stretched(Protocol):
    """Rows that are views of columns: their values are found for many of them at once."""

    def stretches(self) -> Iterable[Any]:
        """Many rows as one: of an attribute a list of theirs, or a value that all of them share."""
        ...


@dataclass(frozen=True)
class Table(Generic[Row]):
    """Rows under columns."""

    columns: tuple[Column[Row], ...]  #: its columns, in the order of the file
    rows: Sequence[Row]
    title: str = ""  #: what it is, for people
    #: rows that follow each other with the same value of it stand together
    group: Callable[[Row], Hashable] = lambda _row: None
    #: whether a row is a total, which people see in bold
    strong: Callable[[Row], bool] = lambda _row: False

    @property
    def names(self) -> list[str]:
        """The header of the file."""
        return [column.name for column in self.columns]

    @property
    def shown(self) -> list[Column[Row]]:
        """The columns that people see."""
        return [column for column in self.columns if column.heading]

    def only(self, *names: str) -> Table[Row]:
        """The same rows under some of the columns, in the order asked for.

        Raises:
            KeyError: If there is no such column.
        """
        known = {column.name: column for column in self.columns}
        return replace(self, columns=tuple(known[name] for name in names))

    def records(self) -> list[dict[str, Any]]:
        """Each row as a dictionary; raises `TableError` as `to_csv` does."""
        names = self.names
        return [dict(zip(names, values, strict=True)) for values in self.values()]

    def values(self) -> Iterator[tuple[Any, ...]]:
        """The values of each row.

        Raises:
            TableError: If one is infinite or no number, which no file may hold.
        """
        for size, columns in self._blocks():
            yield from zip(*(each(column, size) for column in columns), strict=True)

    def _blocks(self) -> Iterator[tuple[int, list[Any]]]:
        """Some rows after the other: how many, and of each column a list, or what all share."""
        found = [column.value for column in self.columns]
        if isinstance(self.rows, Stretched):
            for stretch in self.rows.stretches():
                columns = [value(stretch) for value in found]
                self._check(columns)
                yield len(stretch), columns
            return
        for start in range(0, len(self.rows), _BLOCK):
            rows = self.rows[start : start + _BLOCK]
            columns = [[value(row) for row in rows] for value in found]
            self._check(columns)
            yield len(rows), columns

    def _check(self, columns: list[Any]) -> None:
        """Raise TableError for the first value that no file may hold."""
        wrong = [
            (row, i, value)
            for i, column in enumerate(columns)
            if not are_finite(column)
            for row, value in enumerate(column if isinstance(column, list) else [column])
            if isinstance(value, float) and not isfinite(value)
        ]
        if wrong:
            row, i, value = min(wrong, key=itemgetter(0, 1))
            values = [column[row] if isinstance(column, list) else column for column in columns]
            named = ", ".join(x for x in values if isinstance(x, str) and x)
            raise TableError(
                f"column '{self.names[i]}' of the row {quoted(named)} would be {value}; "
                "the numbers that it is made of are too large"
            )

    def cells(self) -> list[list[str]]:
        """Each row for people, under the headings of `shown`."""
        return [[column.cell(row) for column in self.shown] for row in self.rows]

    def groups(self) -> list[list[Row]]:
        """The rows, those that stand together in one list."""
        return [list(rows) for _, rows in groupby(self.rows, self.group)]

    def csv_blocks(self) -> Iterator[str]:
        """The text of a file, a block of rows at a time; a value that is missing is an empty cell.

        Raises:
            TableError: If a value is infinite or no number.
        """
        yield csv_text([[name] for name in self.names], 1)
        for size, columns in self._blocks():
            yield csv_text(columns, size)

    def to_csv(self) -> str:
        """All of that text; raises TableError likewise."""
        return "".join(self.csv_blocks())

    def to_frame(self) -> DataFrame:
        """A data frame; a value that is missing is a missing value of its column's type."""
        import pandas as pd

        return pd.DataFrame(
            {
                column.name: pd.Series(
                    [column.value(row) for row in self.rows], dtype=column.dtype or None
                )
                for column in self.columns
            }
        )

    def to_html(self) -> str:
        """A table in HTML; all its text is escaped, and its numbers are flush right."""
        head = "".join(f"<th>{_escaped(column.heading)}</th>" for column in self.shown)
        body = "".join(f"<tr>{self._html_row(row)}</tr>" for row in self.rows)
        caption = f'<caption style="text-align:left">{_escaped(self.title)}</caption>'
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _html_row(self, row: Row) -> str:
        return "".join(
            f'<td style="text-align:{"left" if column.words else "right"}">'
            f"{_escaped(column.cell(row))}</td>"
            for column in self.shown
        )


def _escaped(text: str) -> str:
    return html.escape(printable_lines(text))
