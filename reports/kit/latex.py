"""Tables for a paper: a `tabular` that needs nothing but booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Any

from energy.table import Table
from hwmodels.plain import printable

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "µ": r"\textmu{}",
    "–": "--",
    "[": "{[}",  # after a line break, it and a star would be its arguments
    "]": "{]}",
    "*": "{*}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
#: A minus before a number, which is no hyphen.
_MINUS = re.compile(r"(?<![\w.-])-(?=\d)")


def latex_escape(text: str) -> str:
    """Text that LaTeX prints as it is; line ends become spaces."""
    return "".join(_ESCAPES.get(x, x) for x in printable(" ".join(text.split())))


def _cell(text: str) -> str:
    """A cell: an empty one is a dash, a number has a minus."""
    return "--" if text == "-" else _MINUS.sub("$-$", latex_escape(text))


def to_latex(table: Table[Any], notes: Sequence[str] = ()) -> str:
    r"""A table as a `tabular` to `\input` into a `table` or `sidewaystable`.

    The words of a heading stand above each other. There is a little room between groups; the first
    of several stands above a rule.

    Args:
        table: The table; its title becomes the first note.
        notes: What belongs into the caption, as comments above the table.
    """
    columns = table.shown
    alignment = "".join("l" if column.words else "r" for column in columns)
    lines = [
        *_comments([table.title, *notes]),
        r"% Needs \usepackage{booktabs}. A wide one fits a sidewaystable of the package",
        r"% rotating, in \scriptsize with \setlength{\tabcolsep}{2pt}.",
        f"\\begin{{tabular}}{{@{{}}{alignment}@{{}}}}",
        r"\toprule",
        *map(_row, _stacked(column.heading for column in columns)),
        r"\midrule",
    ]
    for number, group in enumerate(table.groups()):
        if number:
            lines.append(r"\midrule" if number == 1 else r"\addlinespace")
        lines += [_row(column.cell(row) for column in columns) for row in group]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _comments(notes: Sequence[str]) -> list[str]:
    return [f"% {line}" for note in notes for line in wrap(latex_escape(note), 96)]


def _stacked(headings: Iterable[str]) -> Iterable[Sequence[str]]:
    """The words of headings above each other, and all of them above the rule."""
    words = [heading.split() for heading in headings]
    height = max(map(len, words))
    return zip(*([""] * (height - len(x)) + x for x in words), strict=True)


def _row(cells: Iterable[str]) -> str:
    return " & ".join(map(_cell, cells)) + r" \\"
