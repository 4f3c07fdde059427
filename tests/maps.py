"""Maps of made-up bills."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from hwmodels import load_profile
from reports.map.cells import Bill, Cell, EnergyMap

MIB = 1 << 20
#: Picojoules per token of the dense model, the one with zones, and the spiking one.
Costs = tuple[float, float, float]


def bill(dense: float, zones: float, spiking: float) -> Bill:
    """Half of each is weights, and what the spiking model saves is arithmetic."""
    weights = min(dense, zones, spiking) / 2
    each = {"dense": dense, "zones": zones, "spiking": spiking}
    return Bill({x: {"weights": weights, "compute": pj - weights} for x, pj in each.items()})


def energy_map(
    fused: Callable[[int, int, float, int], Costs],
    unfused: Callable[[int, int, float, int], Costs] | None = None,
    *,
    batches: Sequence[int] = (1, 2, 4),
    contexts: Sequence[int] = (128, 1024),
    weight_bits: Sequence[float] = (4.5, 32),
    sram: Sequence[int] = (MIB, 24 * MIB),
    unpriced: tuple[str, ...] = (),
) -> EnergyMap:
    """A map whose bills are functions of batch, context, bits of weights and bytes of SRAM."""
    cells = [
        Cell(
            batch,
            context,
            bits,
            size,
            *(bill(*f(batch, context, bits, size)) for f in (fused, unfused or fused)),
        )
        for size, bits, batch, context in product(sram, weight_bits, batches, contexts)
    ]
    return EnergyMap(
        load_profile("45nm"),
        tuple(cells),
        "decode",
        "gathered",
        "gpt2-large",
        "none(closed form)",
        4,
        "softmax attention, code pow2",
        "assumed 0.2",
        "assumed 0.59",
        unpriced,
    )
