"""Values in words: one way to write an energy, a share, a number, for every table and sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hwmodels import Op

#: What stands where there is no value.
NONE = "-"
#: Picojoules per unit, largest first.
ENERGY_UNITS = ((1e12, "J"), (1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ"))


def energy_unit(largest_pj: float) -> tuple[float, str]:
    """Picojoules per unit, and the unit in which the largest value has one to three digits."""
    return next((unit for unit in ENERGY_UNITS if abs(largest_pj) >= unit[0]), (1.0, "pJ"))


def energy(pj: float | None, digits: int = 4) -> str:
    """An energy in a unit in which it has one to three digits before the point, or `unpriced`."""
    if pj is None:
        return "unpriced"
    scale, unit = energy_unit(float(f"{pj:.{digits}g}"))  # 999.96 nJ are 1 µJ
    value = pj / scale
    return f"{value:,.0f} {unit}" if abs(value) >= 10**digits else f"{value:.{digits}g} {unit}"


#: Picoseconds per unit, largest first.
TIME_UNITS = ((1e12, "s"), (1e9, "ms"), (1e6, "µs"), (1e3, "ns"))


def time(ps: float, digits: int = 4) -> str:
    """A time in a unit in which it has one to three digits before the point."""
    scale, unit = next((x for x in TIME_UNITS if abs(ps) >= x[0]), (1.0, "ps"))
    return f"{ps / scale:.{digits}g} {unit}"


def rounded(value: float, digits: int) -> float:
    """A number to so many decimals; a zero is no minus zero, where a little is left below it."""
    return round(value, digits) + 0.0


def percent(share: float | None, digits: int = 2) -> str:
    """A share as a percentage."""
    return NONE if share is None else f"{rounded(100 * share, digits):.{digits}f} %"


def change(share: float | None, digits: int = 2) -> str:
    """A change as a percentage with its sign."""
    return NONE if share is None else f"{rounded(100 * share, digits):+.{digits}f} %"


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many decimals."""
    return NONE if value is None else f"{rounded(value, digits):.{digits}f}"


def integer(value: float | None) -> str:
    """A count, with commas between thousands."""
    return NONE if value is None else f"{value:,}"


def duration(seconds: float) -> str:
    """A time to wait, as exactly as somebody who waits needs it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def op_names(ops: Iterable[Op]) -> str:
    """Operations as one cell of a table."""
    return " ".join(op.value for op in ops)


def op_amounts(ops: Mapping[Any, float]) -> str:
    """Operations and how many there are of each, as part of a sentence."""
    return ", ".join(f"{op} x {amount:,}" for op, amount in ops.items())


def unit_of(phase: str) -> str:
    """What a phase takes in: tokens of a text, or the samples of an inference of any network."""
    return "sample" if phase == "inference" else "token"
