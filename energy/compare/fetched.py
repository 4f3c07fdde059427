"""Bytes of weights that one token fetches in decode at batch 1, where silent rows stay away."""

from __future__ import annotations

from collections.abc import Callable
from math import fsum

import numpy as np

from energy.bill.traffic import Bits
from energy.counts import Counts, LayerCount
from hwmodels import HardwareProfile, Op


def weight_bytes(
    counts: Counts,
    profile: HardwareProfile,
    bits_of: Callable[[LayerCount], float] | None = None,
) -> float:
    """Bytes of weight matrices that a token fetches in the mean, the head's included.

    Of a layer where somebody looked these are the rows that the token needs by itself, whatever
    other tokens need; of any other it is the whole matrix.

    Args:
        counts: Of whatever passes, in which each layer with weights met every token.
        bits_of: Bits of a weight of a layer; None for those of the rows and of the machine.
    """
    rows = counts.columns
    bits = np.broadcast_to(
        Bits(profile, profile.dataflow.rules, counts.value_bits).of(rows, Op.WEIGHT_READ), len(rows)
    )

    def values(row: LayerCount) -> float:
        if row.tally.active_weights is not None:
            return row.tally.active_weights / max(1, counts.tokens)
        return row.tally.ops[Op.WEIGHT_READ] / max(1, row.calls)

    return fsum(
        values(row) * (float(own) if bits_of is None else bits_of(row)) / 8
        for row, own in zip(counts.layers, bits, strict=True)
        if row.tally.ops.get(Op.WEIGHT_READ)
    )
