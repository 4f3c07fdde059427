"""Tables for people: on the terminal, in Markdown, in LaTeX."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from energy.table import Column, Table
from reports.kit.latex import latex_table

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
        console.print(Text(table.title, style="bold"))
    for number, columns in enumerate(_blocks(table.shown, table, console.width)):
        if number:
            console.print()
        grid = Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        widths = _widths(columns, table, console.width)
        for column, width in zip(columns, widths, strict=True):
            grid.add_column(
                Text("\n".join(wrap(column.heading, width, break_on_hyphens=False))),
                justify="left" if column.words else "right",
                width=width,
                no_wrap=not column.words,
                overflow="fold",
            )
        for rows in table.groups():
            grid.add_section()
            for row in rows:
                style = "bold" if table.strong(row) else ""
                grid.add_row(*(Text(column.cell(row)) for column in columns), style=style)
        room, console.width = console.width, max(console.width, _across(widths))
        console.print(grid)
        console.width = room


def _blocks(
    columns: Sequence[Column[Any]], table: Table[Any], width: int
) -> list[list[Column[Any]]]:
    """The columns side by side, as many as there is room for, after those that name the rows."""
    keys = [column for column in columns if column.key]
    blocks: list[list[Column[Any]]] = [[*keys]]
    for column in columns:
        if column.key:
            continue
        wider = [*blocks[-1], column]
        if len(blocks[-1]) > len(keys) and _across(_least(wider, table)) > width:
            blocks.append([*keys, column])
        else:
            blocks[-1] = wider
    return blocks


def _across(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _texts(column: Column[Any], table: Table[Any]) -> list[str]:
    return [column.cell(row) for row in table.rows]


def _least(columns: Sequence[Column[Any]], table: Table[Any]) -> list[int]:
    """Widths below which a number or a word would be cut."""
    return [
        max(
            _longest(column.heading.split()),
            min(_wide(column, table), max(_NARROW, _longest(_words(column, table))))
            if column.words
            else _wide(column, table),
        )
        for column in columns
    ]


def _words(column: Column[Any], table: Table[Any]) -> list[str]:
    return [word for text in _texts(column, table) for word in text.split()]


def _wide(column: Column[Any], table: Table[Any]) -> int:
    lines = [line for text in _texts(column, table) for line in text.split("\n")]
    return max(_longest(lines), _longest(column.heading.split()))


def _longest(texts: Sequence[str]) -> int:
    return max(map(cell_len, texts), default=0)


def _widths(columns: Sequence[Column[Any]], table: Table[Any], width: int) -> list[int]:
    """Columns of words get what room is left, up to what they need for one line."""
    widths = _least(columns, table)
    for i, column in enumerate(columns):
        room = max(0, width - _across(widths))
        widths[i] += min(room, max(0, _wide(column, table) - widths[i]))
    for i, column in enumerate(columns):  # and a heading its one line
        room = max(0, width - _across(widths))
        widths[i] += min(room, max(0, cell_len(column.heading) - widths[i]))
    return widths


def escaped(text: object) -> str:
    """Text that Markdown and HTML take literally, on one line, also in a cell of a table."""
    one_line = " ".join(str(text).split())
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


def to_latex(table: Table[Any], notes: Sequence[str] = ()) -> str:
    """A table as a `tabular` that needs booktabs; the title and the notes stand above as comments.

    Its first group, where there are several, stands above a rule.
    """
    columns = table.shown
    return latex_table(
        [(column.heading, "") for column in columns],
        "".join("l" if column.words else "r" for column in columns),
        [[[column.cell(row) for column in columns] for row in rows] for rows in table.groups()],
        [*([table.title] if table.title else []), *notes],
    )


def print_sentence(text: str, console: Console, style: str = "") -> None:
    """Print a sentence, wrapped between words; a number and its unit stay together.

    A pipe gets one line.
    """
    if console.soft_wrap:
        console.print(Text(text, style=style))
        return
    tied = _TIED.sub("\u00a0", text)
    for line in wrap(tied, console.width, break_on_hyphens=False, break_long_words=False):
        console.print(Text(line.replace("\u00a0", " "), style=style), soft_wrap=True)
