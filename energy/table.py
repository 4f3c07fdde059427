"""A table is a tuple of columns: the same one as a file, a data frame, HTML, or on the terminal.

Markdown, LaTeX and the terminal are in `reports.kit.table`. pandas is imported when the first frame
is asked for.
"""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import isfinite
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from energy.cells import to_cell
from energy.words import NONE
from hwmodels.errors import UserError
from hwmodels.plain import printable_lines, quoted

if TYPE_CHECKING:
    from pandas import DataFrame

Row = TypeVar("Row")


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

    def values(self) -> Iterator[list[Any]]:
        """The values of each row.

        Raises:
            TableError: If one is infinite or no number, which no file may hold.
        """
        found = [column.value for column in self.columns]
        for row in self.rows:
            values = [value(row) for value in found]
            for i, value in enumerate(values):
                if isinstance(value, float) and not isfinite(value):
                    named = ", ".join(x for x in values if isinstance(x, str) and x)
                    raise TableError(
                        f"column '{self.names[i]}' of the row {quoted(named)} would be {value}; "
                        "the numbers that it is made of are too large"
                    )
            yield values

    def cells(self) -> list[list[str]]:
        """Each row for people, under the headings of `shown`."""
        return [[column.cell(row) for column in self.shown] for row in self.rows]

    def groups(self) -> list[list[Row]]:
        """The rows, those that stand together in one list."""
        return [list(rows) for _, rows in groupby(self.rows, self.group)]

    def to_csv(self) -> str:
        """The text of a file; a value that is missing is an empty cell.

        Raises:
            TableError: If a value is infinite or no number.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.names)
        writer.writerows(map(to_cell, values) for values in self.values())
        return text.getvalue()

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
