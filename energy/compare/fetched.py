"""Bytes of weights that one token fetches in decode at batch 1, where silent rows stay away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import fsum

import numpy as np

from energy.bill.traffic import Bits
from energy.counts import Counts, LayerCount
from hwmodels import HardwareProfile, Op


def needed_shares(asa: Counts) -> dict[str, float]:
    """Share of the rows of weights that a token needs, by layer, from MACs with an input of zero.

    Each zero of an input spares one row, whatever other tokens need.
    """
    return {
        row.name: 1 - row.tally.zero_macs / row.tally.ops[Op.MAC]
        for row in asa.layers
        if row.tally.zero_macs is not None and row.tally.ops.get(Op.WEIGHT_READ)
    }


def weight_bytes(
    counts: Counts,
    profile: HardwareProfile,
    shares: Mapping[str, float],
    bits_of: Callable[[LayerCount], float] | None = None,
) -> float:
    """Bytes of weight matrices that a token fetches in the mean, head included.

    Args:
        counts: Of whatever passes; each reads all its weights once per call.
        shares: Of the rows that a token needs, by layer; all of a layer that is not there.
        bits_of: Bits of a weight of a layer; None for those of the rows and of the machine.
    """
    rows = counts.columns
    bits = np.broadcast_to(
        Bits(profile, profile.dataflow.rules, counts.value_bits).of(rows, Op.WEIGHT_READ), len(rows)
    )
    return fsum(
        row.tally.ops[Op.WEIGHT_READ]
        / max(1, row.calls)
        * (float(own) if bits_of is None else bits_of(row))
        / 8
        * shares.get(row.name, 1.0)
        for row, own in zip(counts.layers, bits, strict=True)
        if row.tally.ops.get(Op.WEIGHT_READ)
    )
