"""Tables for a paper: text as LaTeX prints it, and a `tabular` that needs nothing but booktabs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
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
    "`": r"\textasciigrave{}",
    "−": "$-$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
#: The highest character, of those that are no escape, which every LaTeX has in its first fonts;
#: a few below it need others.
_LAST, _ELSEWHERE = "\xff", "\xab\xbb\xd0\xde\xf0\xfe"
#: Hyphens that would become a dash.
_DASHES = re.compile("-(?=-)")
#: A minus before a number, which is no hyphen.
_MINUS = re.compile(r"(?<![\w.-])-(?=\d)")


def latex_escape(text: str) -> str:
    """Text that LaTeX prints as it is; line ends become spaces.

    A letter that its first fonts lack, as of another script, is written as its code point.
    """
    apart = _DASHES.sub("-\0", printable(" ".join(text.split())))
    return "".join(map(_printed, apart))


def _printed(character: str) -> str:
    if character == "\0":  # no text has one: `printable` would have written it as its escape
        return "{}"
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character > _LAST or character in _ELSEWHERE:
        return f"{{[}}U+{ord(character):04X}{{]}}"
    return character


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
        *comments([table.title, *notes]),
        r"% Needs \usepackage{booktabs}. A wide one fits a sidewaystable of the package",
        r"% rotating, in \scriptsize with \setlength{\tabcolsep}{2pt}.",
        f"\\begin{{tabular}}{{@{{}}{alignment}@{{}}}}",
        r"\toprule",
        *map(row_of, stacked(column.heading for column in columns)),
        r"\midrule",
    ]
    for number, group in enumerate(table.groups()):
        if number:
            lines.append(r"\midrule" if number == 1 else r"\addlinespace")
        lines += [row_of(column.cell(row) for column in columns) for row in group]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def comments(notes: Iterable[str]) -> list[str]:
    """Text as lines of comments."""
    readable = (latex_escape(note).replace(r"\textasciigrave{}", "`") for note in notes)
    return [f"% {line}" for note in readable for line in wrap(note, 96)]


def stacked(headings: Iterable[str]) -> Iterable[Sequence[str]]:
    """The words of headings above each other, and all of them above the rule."""
    words = [heading.split() for heading in headings]
    height = max(map(len, words))
    return zip(*([""] * (height - len(x)) + x for x in words), strict=True)


def row_of(cells: Iterable[str], cell: Callable[[str], str] = _cell) -> str:
    """A row of a `tabular`."""
    return " & ".join(map(cell, cells)) + r" \\"
