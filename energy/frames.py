"""Until the reports have moved to `energy.table`: what they still take from here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from energy.words import energy as picojoules

if TYPE_CHECKING:
    from pandas import DataFrame

    from energy.counts import Counts

__all__ = ["WHOLE", "counts_frame", "html_table", "picojoules"]

#: Columns that hold whole numbers, or nothing.
WHOLE = ("depth", "zero_macs")


def counts_frame(counts: Counts) -> DataFrame:
    """See `Counts.to_frame`."""
    return counts.to_frame()


def html_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in HTML; all its text is escaped, and its numbers are flush right."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in headings)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{"left" if i == 0 else "right"}">{html.escape(cell)}</td>'
            for i, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    caption = f'<caption style="text-align:left">{html.escape(title)}</caption>'
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
