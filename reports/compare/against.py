"""How each row of a comparison differs from one of them, for every choice of that one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from energy.words import energy, percent, rounded
from reports.compare.row import Row, Rows
from reports.kit.parts import BOUNDS

#: Outside of these ratios a difference is a factor, and no percentage.
_LEAST, _MOST = 0.5, 2.0
UNKNOWN = "-"


class Cell(NamedTuple):
    """A number of a row, and how it differs from that of each row, in their order."""

    value: str
    against: tuple[str, ...]


class Measure(NamedTuple):
    """What is compared: its heading, and a cell for each row."""

    heading: str
    cells: tuple[Cell, ...]


def measures(rows: Rows) -> tuple[Measure, ...]:
    """Energy of the spiking model and what it saves, at both ends of what moves."""

    def column(
        heading: str,
        value: Callable[[Row], float | None],
        shown: Callable[[float | None], str],
        difference: Callable[[float, float], str],
    ) -> Measure:
        values = [value(row) for row in rows.rows]

        def against(i: int, j: int) -> str:
            mine, other = values[i], values[j]
            if i == j:
                return "reference"
            return UNKNOWN if mine is None or other is None else difference(mine, other)

        places = range(len(values))
        return Measure(
            heading,
            tuple(Cell(shown(values[i]), tuple(against(i, j) for j in places)) for i in places),
        )

    energies = [
        column(f"spiking, {end}, per {rows.unit}", _spiking(end), energy, changed) for end in BOUNDS
    ]
    savings = [column(f"model saved, {end}", _saved(end), percent, points) for end in BOUNDS]
    return (*energies, *savings)


def labels(rows: Rows) -> list[str]:
    """The names of the rows, with the hardware where a run has several."""
    names = [row.name for row in rows.rows]
    return [
        f"{row.name}, {row.about['hardware']}" if names.count(row.name) > 1 else row.name
        for row in rows.rows
    ]


def changed(value: float, base: float) -> str:
    """An energy beside another: `12.3 % less`, `4.0 % more`, `same`, `× 57.3`."""
    if not base:
        return "same" if not value else UNKNOWN
    ratio = value / base
    if not _LEAST <= ratio <= _MOST:
        return f"× {ratio:,.0f}" if ratio >= 1000 else f"× {ratio:.3g}"
    text = percent(abs(ratio - 1), 1)
    if not float(text.split()[0]):
        return "same"
    return f"{text} {'more' if ratio > 1 else 'less'}"


def points(value: float, base: float) -> str:
    """A share beside another, in percentage points: `+3.2 points`, `same`."""
    difference = rounded(100 * (value - base), 1)
    return f"{difference:+.1f} points" if difference else "same"


def _spiking(end: str) -> Callable[[Row], float | None]:
    return lambda row: row.per_token(row.parts[end, None].saving.ssa_pj)


def _saved(end: str) -> Callable[[Row], float | None]:
    return lambda row: row.parts[end, None].saving.saving
