"""Energies of two bills where each constant of the hardware may be anywhere in its range."""

from __future__ import annotations

import numpy as np

from energy.bill.estimate import Estimate
from energy.compare.ranges import UncertainConstant
from energy.compare.structure import choices_of, key_of, placed
from energy.compare.terms import Floats, Model

#: Machines, each with assumptions of its own, over which the samples are spread.
MACHINES = 4


def assumptions(asa: Estimate, ssa: Estimate, accounting: str) -> dict[UncertainConstant, None]:
    """Assumptions of both sides; MACs and ACs follow from none."""
    sides = () if accounting == "compute" else (asa, ssa)
    return dict.fromkeys(x.constant for side in sides for x in choices_of(side.profile))


def drawn_energies(
    asa: Estimate, ssa: Estimate, accounting: str, block: str | None, samples: int, seed: int
) -> Floats:
    """Picojoules at drawn constants, on machines with drawn assumptions, (sides, samples).

    Both sides have the same draws; a bill alone is given as both.
    """
    random, model = np.random.default_rng(seed), Model(asa, ssa, accounting, block)
    lows, highs = model.ranges
    drawn = lows + random.random((samples, len(model.constants))) * (highs - lows)
    names = sorted({key_of(constant) for constant in assumptions(asa, ssa, accounting)})
    if not names:
        return model.energies(drawn)
    # Stratified: each assumption stands once in each fourth of its range.
    machines = np.random.default_rng(seed)
    places = [
        (machines.permutation(MACHINES) + machines.random(MACHINES)) / MACHINES for _ in names
    ]
    found = []
    for i, each in enumerate(zip(*places, strict=True)):
        at = dict(zip(names, map(float, each), strict=True))
        model = Model(placed(asa, at), placed(ssa, at), accounting, block)
        found.append(model.energies(drawn[i::MACHINES]))
    return np.concatenate(found, axis=1)
