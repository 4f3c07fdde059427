r"""A whole `table` for a paper: caption, label, rules, and numbers that siunitx aligns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt
from typing import Any

from energy.table import Column, Table
from energy.words import NONE, energy_unit
from reports.kit.fit import Fit
from reports.kit.latex import comments, latex_escape, row_of, stacked
from reports.kit.slugs import slugs

#: What siunitx takes for a number.
_NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?")
#: Points between columns, and in a centimetre.
_GAP_PT, _CM_PT = 6.0, 28.45
#: Points of characters in `\footnotesize`: narrow ones, wide ones, capitals, and all others.
_NARROW, _WIDE = "fijlrt.,:;'!|()[]- ", "mwMW%&@"
_NARROW_PT, _WIDE_PT, _CAPITAL_PT, _OTHER_PT = 3.1, 7.3, 6.2, 4.4
#: The narrowest column of words.
_NARROWEST_PT = 36.0
#: After which a name may go on in the next line: some marks, and so many letters without any.
_BREAKS = re.compile(r"(\\_|[/:]|[A-Za-z0-9]{16})(?=\S)")


@dataclass(frozen=True)
class Head:
    """A heading above several columns."""

    text: str
    columns: int


@dataclass(frozen=True)
class Float:
    """What a table for a paper is made of beside its rows."""

    caption: str  #: in words, without what all rows share
    label: Sequence[str]  #: the parts of its label
    heads: Sequence[Head] = ()  #: above the columns that name no row, from the left
    #: a column that stands as a line above its rows, where it is not the same in all
    above: str = ""
    notes: Sequence[str] = ()  #: comments above it


def significant(value: float, digits: int = 4) -> str:
    """A number with so many significant digits and no exponent."""
    return f"{Decimal(f'{value:.{digits - 1}e}'):f}" if value else "0"


def in_unit(pj: float | None, scale: float) -> str:
    """An energy in units of `scale` picojoules; `unpriced` where it is not known."""
    return "unpriced" if pj is None else significant(pj / scale)


def common_unit(energies_pj: Iterable[float | None]) -> tuple[float, str]:
    """Picojoules per unit, and the unit in which most of several energies are short."""
    known = [abs(pj) for pj in energies_pj if pj]
    return energy_unit(sqrt(min(known)) * sqrt(max(known))) if known else energy_unit(0.0)


def to_float(table: Table[Any], about: Float, fit: Fit = Fit.ONE) -> str:
    r"""A table as a `table` (or `table*`) to `\input`; it needs booktabs and siunitx.

    What names the rows and is the same in all of them stands in the caption, and no longer in a
    column. Where a column of words is too wide, its cells go on in further lines.

    Args:
        table: The table; its columns that name rows are its `key` columns.
        about: Its caption and label.
        fit: How wide it may be.
    """
    keys = [column for column in table.shown if column.key]
    shared = [x for x in keys if len({x.cell(row) for row in table.rows}) == 1]
    shared = shared[1:] if len(shared) == len(keys) else shared
    above = next((x for x in keys if x.name == about.above and x not in shared), None)
    columns = [column for column in table.shown if column not in shared and column is not above]
    cells = [[column.cell(row) for row in table.rows] for column in columns]
    widths = _widths(columns, cells, about.heads, fit)
    same = [f"{x.heading} {x.cell(table.rows[0])}" for x in shared]
    caption = " ".join([about.caption, *([f"In all rows: {', '.join(same)}."] if same else [])])
    [label] = slugs(["-".join(part for part in about.label if part)])
    star = "" if fit is Fit.ONE else "*"
    lines = [
        *comments(about.notes),
        r"% Needs \usepackage{booktabs} and \usepackage{siunitx}.",
        f"\\begin{{table{star}}}[t]",
        r"\centering\setlength{\belowcaptionskip}{6pt}",  # article has none above a table
        f"\\caption{{{_breakable(caption)}}}",
        f"\\label{{tab:{label}}}",
        r"\footnotesize\setlength{\tabcolsep}{3pt}",
        f"\\begin{{tabular}}{{@{{}}{''.join(map(_kind, columns, cells, widths))}@{{}}}}",
        r"\toprule",
        *_heads(about.heads, len([x for x in columns if x.key])),
        *(row_of(line, _heading) for line in stacked(column.heading for column in columns)),
        r"\midrule",
        *_body(table, columns, above),
        r"\bottomrule",
        r"\end{tabular}",
        f"\\end{{table{star}}}",
    ]
    return "\n".join([*lines, ""])


def _body(
    table: Table[Any], columns: Sequence[Column[Any]], above: Column[Any] | None
) -> Iterable[str]:
    said = ""
    for number, rows in enumerate(table.groups()):
        if above is not None and (title := above.cell(rows[0])) != said:
            said = title
            yield from [r"\midrule"] if number else []
            yield f"\\multicolumn{{{len(columns)}}}{{@{{}}l}}{{{latex_escape(title)}}} \\\\"
        elif number:
            yield r"\addlinespace"
        for row in rows:
            yield row_of(
                (column.cell(row) for column in columns),
                lambda text: text if _NUMBER.fullmatch(text) else _words(text),
            )


def _words(text: str) -> str:
    """A cell that is no number, which siunitx leaves alone."""
    if text == NONE:
        return "{--}"
    return f"{{{_breakable(text)}}}"


def _breakable(text: str) -> str:
    """Text that may go on in the next line inside of a long name."""
    return _BREAKS.sub(r"\1\\allowbreak{}", latex_escape(text))


def _heading(text: str) -> str:
    return f"{{{latex_escape(text)}}}" if text else ""


def _heads(heads: Sequence[Head], keys: int) -> Iterable[str]:
    """The headings of several columns, each over a rule of its own."""
    if not heads:
        return
    cells, rules, column = [""] * keys, "", keys + 1
    for head in heads:
        cells.append(f"\\multicolumn{{{head.columns}}}{{c}}{{{latex_escape(head.text)}}}")
        rules += f"\\cmidrule(lr){{{column}-{column + head.columns - 1}}}"
        column += head.columns
    yield row_of(cells, str)
    yield rules


def _digits(cells: Sequence[str]) -> tuple[int, int, int]:
    """Of the numbers of a column: signs, and the most digits before and after the point."""
    found = [match for cell in cells if (match := _NUMBER.fullmatch(cell))]
    sign, whole, parts = (max((len(x[i] or "") for x in found), default=0) for i in (1, 2, 3))
    return sign, whole, parts


def _kind(column: Column[Any], cells: Sequence[str], width: float | None) -> str:
    """How a column is aligned: words to the left, numbers by their points."""
    sign, whole, parts = _digits(cells)
    if column.words or not whole:
        left = "l" if column.words else "r"
        return left if width is None else f">{{\\raggedright\\arraybackslash}}p{{{width:.0f}pt}}"
    return f"S[table-format={'-' if sign else ''}{whole}.{parts}]"


def _points(text: str) -> float:
    """About how wide a text is."""
    return sum(
        _NARROW_PT
        if x in _NARROW
        else _WIDE_PT
        if x in _WIDE
        else _CAPITAL_PT
        if x.isupper()
        else _OTHER_PT
        for x in text
    )


def _widths(
    columns: Sequence[Column[Any]],
    cells: Sequence[Sequence[str]],
    heads: Sequence[Head],
    fit: Fit,
) -> list[float | None]:
    """Points for each column of words, where they do not fit beside each other as they are."""
    widths = list(map(_natural, columns, cells))
    words = {i: widths[i] for i, column in enumerate(columns) if column.words}
    first = sum(column.key for column in columns)
    for head in heads:
        below = sum(widths[first : first + head.columns]) + _GAP_PT * (head.columns - 1)
        widths[first] += max(0.0, _points(head.text) - below)
        first += head.columns
    room = fit.cm * _CM_PT - _GAP_PT * (len(columns) - 1)
    room -= sum(width for i, width in enumerate(widths) if i not in words)
    share = room / max(1, len(words))
    if sum(words.values()) <= room:
        return [None] * len(columns)
    for narrow in sorted(words.values()):  # the narrow ones stay, the wide ones share what is left
        others = [width for width in words.values() if width > narrow]
        if narrow > share or not others:
            break
        share = (room - sum(words.values()) + sum(others)) / len(others)
    return [
        max(share, _NARROWEST_PT) if words.get(i, 0.0) > share else None
        for i in range(len(columns))
    ]


def _natural(column: Column[Any], cells: Sequence[str]) -> float:
    """Points that a column takes by itself."""
    heading = max(map(_points, column.heading.split()), default=0.0)
    longest = max((_points(x) for x in cells if not _NUMBER.fullmatch(x)), default=0.0)
    sign, whole, parts = _digits(cells)
    digits = _points("m" * sign + "0" * (whole + parts) + "." * bool(parts))
    return max(heading, longest, digits)
