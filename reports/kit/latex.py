"""Tables for a paper: a `tabular` that needs nothing but booktabs."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

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
    return "".join(_ESCAPES.get(x, x) for x in " ".join(text.split()))


def _cell(text: str) -> str:
    """A cell: an empty one is a dash, a number has a minus."""
    return "--" if text == "-" else _MINUS.sub("$-$", latex_escape(text))


def latex_table(
    headings: Sequence[tuple[str, str]],
    alignment: str,
    groups: Iterable[Sequence[Sequence[str]]],
    notes: Sequence[str],
) -> str:
    r"""A `tabular` to `\input` into a `table` or `sidewaystable`.

    Args:
        headings: Name and unit of each column; an empty unit for none. The words of a name stand
            above each other.
        alignment: One of `l`, `c`, `r` for each column.
        groups: Rows, with a little room between groups; the first group stands above a rule.
        notes: What belongs into the caption, as comments above the table.

    Raises:
        ValueError: If a row has not one cell for each column.
    """
    if len(alignment) != len(headings):
        raise ValueError(f"{len(headings)} headings, but {len(alignment)} alignments")
    stacked = [[*name.split(), *([f"({unit})"] if unit else [])] for name, unit in headings]
    height = max(map(len, stacked))
    heads = [[""] * (height - len(words)) + words for words in stacked]
    lines = [
        *(f"% {line}" for note in notes for line in textwrap.wrap(latex_escape(note), 96)),
        r"% Needs \usepackage{booktabs}. A wide one fits a sidewaystable of the package",
        r"% rotating, in \scriptsize with \setlength{\tabcolsep}{2pt}.",
        f"\\begin{{tabular}}{{@{{}}{alignment}@{{}}}}",
        r"\toprule",
        *(_row(map(_cell, line)) for line in zip(*heads, strict=True)),
        r"\midrule",
    ]
    for number, group in enumerate(groups):
        if number:
            lines.append(r"\midrule" if number == 1 else r"\addlinespace")
        for row in group:
            if len(row) != len(headings):
                raise ValueError(f"{len(headings)} headings, but a row of {len(row)}: {row}")
            lines.append(_row(map(_cell, row)))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"
