"""Tables and sentences for people: on the terminal and in Markdown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rich import box
from rich.cells import cell_len, chop_cells
from rich.console import Console, JustifyMethod
from rich.table import Table as Grid
from rich.text import Text

from energy.table import Column, Table
from hwmodels.plain import printable, printable_lines

#: Characters between two columns, and the narrowest that a column of words is made for want of
#: room.
_GAP, _NARROW = 2, 24
#: The space before a unit.
_TIED = re.compile(r"(?<=\d) (?=%|(?:[pnµm]?J)\b)")


def print_table(table: Table[Any], console: Console) -> None:
    """Print a table so that no number and no label is ever cut.

    What does not fit beside the columns that name the rows follows in further blocks below, under
    the same names. Words may go on in the next line, numbers never.
    """
    if table.title:
        print_sentence(table.title, console, "bold")
    made = [_Texts(column, [column.cell(row) for row in table.rows]) for column in table.shown]
    for number, columns in enumerate(_blocks(made, console.width)):
        if number:
            console.print()
        widths = _widths(columns, console.width)
        grid = _grid(columns, widths)
        _fill(grid, table, columns, widths)
        room, console.width = console.width, max(console.width, _across(widths))
        try:
            console.print(grid)
        finally:
            console.width = room


def _fill(grid: Grid, table: Table[Any], columns: Sequence[_Texts], widths: Sequence[int]) -> None:
    cells = zip(*(texts.cells for texts in columns), strict=True)
    for rows in table.groups():
        grid.add_section()
        for row in rows:
            style = "bold" if table.strong(row) else ""
            grid.add_row(*map(_wrapped, next(cells), widths), style=style)


def _wrapped(text: str, width: int, style: str = "") -> Text:
    """A text broken between words, where no number is parted from its unit."""
    lines = printable_lines(text).split("\n")
    tied = (_lines(_TIED.sub("\u00a0", line), width) for line in lines)
    wrapped = (line for lines in tied for line in lines)
    return Text("\n".join(wrapped).replace("\u00a0", " "), style)


def _lines(text: str, width: int) -> list[str]:
    """Words in lines of so many cells; a letter may take two, and some scripts have no spaces."""
    lines = [""]
    for word in re.findall(" *[^ ]+", text):
        if cell_len(lines[-1] + word) <= width:
            lines[-1] += word
            continue
        bare = word.lstrip(" ")
        lines += chop_cells(bare, max(2, width)) if cell_len(bare) > len(bare) else [bare]
    return lines if lines[0] or len(lines) == 1 else lines[1:]


class _Texts(NamedTuple):
    """A column and its cells in words."""

    column: Column[Any]
    cells: list[str]

    @property
    def wide(self) -> int:
        """Width of its longest line."""
        lines = [line for text in self.cells for line in text.split("\n")]
        return _longest([*lines, *self.column.heading.split()])

    @property
    def least(self) -> int:
        """Width below which a number or a word would be cut."""
        words = [word for text in self.cells for word in text.split()]
        cells = min(self.wide, max(_NARROW, _longest(words))) if self.column.words else self.wide
        return max(cells, _longest(self.column.heading.split()))


def _grid(columns: Sequence[_Texts], widths: Sequence[int]) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for (column, _), width in zip(columns, widths, strict=True):
        justify: JustifyMethod = "left" if column.words else "right"
        heading = _wrapped(column.heading, width)
        grid.add_column(heading, justify=justify, width=width, no_wrap=True, overflow="fold")
    return grid


def _blocks(columns: Sequence[_Texts], width: int) -> list[list[_Texts]]:
    """The columns side by side after those that name the rows, in few blocks of like widths."""
    least = {texts.column.name: texts.least for texts in columns}
    keys = [texts for texts in columns if texts.column.key]

    def within(width: int) -> list[list[_Texts]]:
        blocks: list[list[_Texts]] = [[*keys]]
        for texts in columns:
            if texts.column.key:
                continue
            wider = [*blocks[-1], texts]
            across = _across([least[x.column.name] for x in wider])
            if len(blocks[-1]) > len(keys) and across > width:
                blocks.append([*keys, texts])
            else:
                blocks[-1] = wider
        return blocks

    blocks = within(width)
    if len(blocks) > 1:
        narrower = (within(w) for w in range(width + 1))
        blocks = next(x for x in narrower if len(x) == len(blocks))
    return blocks


def _across(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _longest(texts: Iterable[str]) -> int:
    return max(map(cell_len, texts), default=0)


def _widths(columns: Sequence[_Texts], width: int) -> list[int]:
    """Columns of words get what room is left, up to one line; then headings do."""
    widths = [texts.least for texts in columns]
    for wanted in (
        [texts.wide for texts in columns],
        [cell_len(texts.column.heading) for texts in columns],
    ):
        for i, want in enumerate(wanted):
            room = max(0, width - _across(widths))
            widths[i] += min(room, max(0, want - widths[i]))
    return widths


def escaped(text: object) -> str:
    """Text that Markdown and HTML take literally, on one line, also in a cell of a table."""
    one_line = printable(" ".join(str(text).split()))
    return re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", html.escape(one_line, quote=False))


def to_markdown(table: Table[Any]) -> str:
    """A table in Markdown, its totals in bold."""
    columns = table.shown
    lines = [
        [escaped(column.heading) for column in columns],
        ["---" if column.words else "--:" for column in columns],
    ]
    for row in table.rows:
        mark = "**" if table.strong(row) else ""
        cells = [escaped(column.cell(row)) for column in columns]
        lines.append([f"{mark}{cell}{mark}" if cell else "" for cell in cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def print_sentence(text: str, console: Console, style: str = "") -> None:
    """Print a sentence, wrapped between words; a number and its unit stay together.

    A pipe gets one line.
    """
    if console.soft_wrap:
        console.print(Text(printable_lines(text), style=style))
        return
    console.print(_wrapped(text, console.width, style), soft_wrap=True)
