"""The answer that stands above a picture, in words: what is saved, at both bounds, in one sentence.

A saving is never written as a negative number: who pays more reads that it costs more.
"""

from __future__ import annotations

from energy import Estimate, saving
from energy.words import percent
from reports.kit.parts import BOUNDS, COMPUTE_ONLY

#: Decimals of a percentage in an answer.
DIGITS = 1


def saved(share: float | None, of: str = "") -> str:
    """A saving as a verb: `saves 22.4 %`, `costs 8.0 % more`, `costs the same`.

    Args:
        share: 1 - SSA / ASA; None where a side has no price.
        of: What it is a saving of, behind `saves`: `of the model`.
    """
    if share is None:
        return "has no price"
    text = percent(abs(share), DIGITS)
    if not float(text.split()[0]):
        return "costs the same"
    behind = f" {of}" if of else ""
    return f"saves {text}{behind}" if share > 0 else f"costs {text} more{behind}"


def between(fused: float | None, unfused: float | None, of: str = "") -> str:
    """A saving at both bounds: `saves 22.4 % fused, 19.5 % unfused`."""
    first, second = saved(fused, of), saved(unfused)
    if first == saved(unfused, of):
        return f"{first}{' fused and unfused' if fused is not None else ''}"
    if None not in (fused, unfused) and (fused > 0) == (unfused > 0):  # type: ignore[operator]
        second = second.removeprefix("saves ").removeprefix("costs ")
    return f"{first} fused, {second} unfused"


def whole(asa: Estimate, ssa: Estimate, *, block: str | None = None, of: str = "") -> str:
    """What is saved of all that has a price, at both bounds, and of MACs and ACs alone."""
    ends = [saving(asa, ssa, bound, block=block).saving for bound in BOUNDS]
    compute = saving(asa, ssa, COMPUTE_ONLY, block=block).saving
    return f"{between(ends[0], ends[1], of)}; of MACs and ACs alone it {saved(compute)}"
