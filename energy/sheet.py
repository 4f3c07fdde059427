"""CSV files of others: read a line at a time, each row with where it stands."""

from __future__ import annotations

import csv
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from energy.cells import from_cell
from energy.numerals import NumeralError, Numerals
from hwmodels.errors import Caution, UserError
from hwmodels.inputs import check_file
from hwmodels.plain import printable, quoted, shortened

if TYPE_CHECKING:
    from _csv import Reader

#: The largest file that is taken for a table, and its longest line in characters.
MAX_BYTES, MAX_LINE = 2**30, 2**20
#: Names that a sentence lists, and characters of each.
_LISTED, _SHORT = 6, 40

#: Told what was understood, or left out, in one sentence each.
Say = Callable[[str], object]


def warn(sentence: str) -> None:
    """Say it as a warning, where there is no command line to print it."""
    warnings.warn(sentence, Caution, stacklevel=3)


def listed(names: Iterable[str]) -> str:
    """Names as part of a sentence, the first of them where they are many."""
    shown = [printable(shortened(name, _SHORT)) or "one without a name" for name in names]
    more = f" and {len(shown) - _LISTED:,} more" if len(shown) > _LISTED else ""
    return ", ".join(shown[:_LISTED]) + more


@dataclass
class Sheet:
    """An open table: its header, and the rows below it."""

    called: str  #: what an error calls it, such as `counts 'a.csv'`
    error: type[UserError]  #: what is raised
    header: list[str]  #: its columns, none of which stands twice
    cells: Reader  #: its rows as they are parted, empty ones too, of any number of cells
    rows: Iterator[tuple[int, list[str]]]  #: its rows with the number of their line
    numerals: Numerals  #: reads its numbers

    def fault(self, line: int, text: str) -> UserError:
        """An error in a line."""
        return self.error(f"{self.called}, line {line}{text}")

    def number(self, line: int, column: str, text: str, *, suffixes: bool = True) -> float:
        """The number in a cell that is not empty; see `Numerals.read`. Raises `error` for none."""
        try:
            return self.numerals.read(text, suffixes=suffixes)
        except NumeralError as bad:
            raise self.fault(line, f", column '{column}' (= {quoted(text, 40)}) {bad}") from bad

    def rename(self, names: dict[str, str]) -> list[str]:
        """Give columns the names that they are known by; says what was understood.

        Raises:
            UserError: As `error`, if two columns are the same one.
        """
        changed = [f"'{name}' is {new}" for name, new in names.items() if name != new]
        self.header = [names.get(name, name) for name in self.header]
        self.check_header()
        return [f"columns read under another name: {', '.join(changed)}"] if changed else []

    def check_header(self) -> None:
        """Raise `error` if a column stands twice."""
        for column, times in Counter(self.header).items():
            if times > 1:
                shown = printable(shortened(column))
                raise self.error(f"{self.called} have the column '{shown}' more than once")


@contextmanager
def open_sheet(
    path: Path, kind: str, error: type[UserError], *, strict: bool = False
) -> Iterator[Sheet]:
    """A CSV file with a header, whose cells are parted by commas, semicolons or tabs.

    Args:
        path: The file.
        kind: What its rows are called, in the plural.
        error: What is raised; its message names the file and the line.
        strict: Refuse quotes in the wrong place.

    Raises:
        UserError: As `error`, also while rows are read, if it is no such file.
    """
    called = f"{kind} '{path}'"
    check_file(path, called, error, MAX_BYTES)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = _lines(file, called, error)
            first = next(lines, "")
            delimiter = max(",;\t", key=first.count)
            reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=strict)
            header = [name.strip() for name in next(reader, [])]
            sheet = Sheet(
                called, error, header, reader, iter(()), Numerals(commas=delimiter != ",")
            )
            sheet.check_header()
            sheet.rows = _rows(reader, sheet)
            yield sheet
    except UnicodeDecodeError as bad:
        raise error(f"{called} are not UTF-8 text at {_not_utf8(path)}") from bad
    except OSError as bad:
        raise error(f"{called} cannot be read: {bad.strerror or bad}") from bad
    except csv.Error as bad:
        raise error(f"{called} are not valid CSV: {bad}") from bad


def _lines(file: TextIO, called: str, error: type[UserError]) -> Iterator[str]:
    """The lines of a file; one that has no end is not read to its end."""
    for line in iter(partial(file.readline, MAX_LINE), ""):
        if len(line) == MAX_LINE:
            raise error(f"{called} have a line of more than {MAX_LINE:,} characters")
        yield line


def _not_utf8(path: Path) -> str:
    """Where a file is no UTF-8 text."""
    before = 0
    with path.open("rb") as file:
        for number, line in enumerate(iter(partial(file.readline, MAX_LINE), b""), start=1):
            try:
                line.decode()
            except UnicodeDecodeError as bad:
                return f"line {number}, byte {before + bad.start}"
            before += len(line)
    return "its end"


def _rows(reader: Reader, sheet: Sheet) -> Iterator[tuple[int, list[str]]]:
    width, line, empty = len(sheet.header), 0, True
    for row in reader:
        if not any(row):  # an empty line, as spreadsheets write them too
            continue
        line = reader.line_num
        if len(row) != width:
            raise sheet.fault(line, f" has not the {width} columns of the header")
        empty = False
        yield line, [from_cell(text) if text[:1] == "'" else text for text in row]
    if empty:
        raise sheet.error(f"{sheet.called} have a header but no rows")
