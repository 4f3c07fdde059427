"""What a map comes to, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from energy.words import percent
from hwmodels.diff import size
from hwmodels.plain import several
from reports.kit.parts import SPENT_ON
from reports.map.cells import CLOSE, CONTENDERS, Cell, EnergyMap

#: What each part of a bill is called.
PARTS = {**SPENT_ON, "static": "static energy"}


def verdict(found: EnergyMap) -> list[str]:
    """Where spiking costs least, by how much and why; where others do; what the bounds say."""
    won = found.won("spiking")
    first = _won(found, won) if won else _never(found)
    return [first, *_others(found), *_bounds(found)]


def _won(found: EnergyMap, won: Sequence[Cell]) -> str:
    many = len(found.cells)
    where = f"all {many:,}" if len(won) == many else f"{len(won):,} of {many:,}"
    limits = "".join(f", never {limit}" for limit in _limits(found, won))
    margins = [cell.fused.margin for cell in won]
    saved = " to ".join(dict.fromkeys(percent(end) for end in (min(margins), max(margins))))
    close = sum(cell.fused.is_close for cell in won)
    little = f", in {close:,} of them less than {100 * CLOSE:g} %" if close else ""
    return (
        f"Spiking costs least in {where} cells (fused){limits}; it saves {saved} against the next "
        f"best{little}. {_decided(won)}"
    )


def _decided(won: Sequence[Cell]) -> str:
    """The parts of the bill that decide, and in how many cells each does."""
    parts = Counter(cell.fused.decides for cell in won).most_common()
    named = "; ".join(f"{PARTS[part]} ({several(times, 'cell')})" for part, times in parts)
    return f"What decides: {named}." if len(parts) > 1 else f"What decides: {PARTS[parts[0][0]]}."


def _limits(found: EnergyMap, won: Sequence[Cell]) -> Iterator[str]:
    """Where on the axes spiking never costs least."""
    for field in ("batch", "context", "weight_bits", "sram_bytes"):
        every = [x for x in found.axis(field) if x is not None]
        having = [getattr(cell, field) for cell in won]
        if every and max(having) < max(every):
            yield _place(field, "above", max(having))
        if every and min(having) > min(every):
            yield _place(field, "below", min(having))


def _place(field: str, side: str, value: float) -> str:
    return {
        "batch": f"at batch {side} {value:,}",
        "context": f"at context {side} {value:,}",
        "weight_bits": f"with weights {side} {value:g} bits",
        "sram_bytes": f"with SRAM {side} {size(value)}",
    }[field]


def _never(found: EnergyMap) -> str:
    def dearer(cell: Cell) -> float:
        return cell.fused.pj("spiking") / cell.fused.pj(cell.fused.winner) - 1

    closest = min(found.cells, key=dearer)
    return (
        f"Spiking never costs least in these {len(found.cells):,} cells (fused); it comes closest "
        f"at {_cell(closest)}: {percent(dearer(closest))} above {_named(closest)}. "
        f"{_decided([closest])}"
    )


def _cell(cell: Cell) -> str:
    """The place of a cell."""
    sram = f", SRAM of {size(cell.sram_bytes)}" if cell.sram_bytes else ""
    return f"batch {cell.batch:,}, context {cell.context:,}, {cell.weight_bits:g}-bit weights{sram}"


def _named(cell: Cell) -> str:
    return CONTENDERS[cell.fused.winner]


def _others(found: EnergyMap) -> Iterator[str]:
    won = Counter(cell.fused.winner for cell in found.cells)
    parts = [
        f"{CONTENDERS[name]} in {several(won[name], 'cell')}"
        for name in ("zones", "dense")
        if won[name]
    ]
    if parts:
        yield f"Elsewhere: {', '.join(parts)}."


def _bounds(found: EnergyMap) -> Iterator[str]:
    other = sum(not cell.bounds_agree for cell in found.cells)
    spiking = sum(cell.unfused.winner == "spiking" for cell in found.cells)
    if other:
        yield (
            f"Unfused, another model costs least in {other:,} of the cells; the spiking one then "
            f"does in {spiking:,}."
        )
    else:
        yield "Unfused, the same model costs least in each cell."
