"""How many events must share a fetch beside the adders for the spiking side to cost less."""

from __future__ import annotations

from math import inf

import numpy as np

from energy.bill.estimate import Estimate
from energy.bill.execution import fetches, needed
from energy.bill.traffic import Bits
from hwmodels import Op

#: Steps of the bisection: those of the digits of a float.
_STEPS = 60
#: No operand is used so often in a call.
_MOST = 1e15


def reuse_break_even(
    asa_pj: float, busy_pj: float, busy: Estimate, names: frozenset[str] | None
) -> float | None:
    """Events per fetch at which both sides cost the same; fewer, and the spiking side costs more.

    A fetch is used min(reuse, uses of an operand in a call) times, so that its energy falls with
    the reuse and the crossing is found by bisection.

    Args:
        asa_pj: Energy of the part of the analog side, as it is.
        busy_pj: Energy of the part of the spiking side, as it is.
        busy: Bill of the spiking side.
        names: Its rows in the part; None for all.

    Returns:
        The reuse; 1 where the spiking side costs less though each event fetches for itself; None
        where it costs more however many share a fetch, or where nothing is fetched.
    """
    delivery = busy.profile.delivery
    if delivery is None:
        return None
    found = []
    for counts in busy.made_of:
        rules = busy.dataflow.rules
        rows, bits = needed(counts.columns, rules), Bits(busy.profile, rules, counts.value_bits)
        inside = np.array([names is None or name in names for name in rows.names], dtype=bool)
        each_pj = bits.of(rows, Op.DELIVERY) / 8 * delivery.pj_per_byte
        # How many fetches there are if as many events share one as can, and if none do.
        ends = (fetches(rows, delivery, event_reuse=reuse) for reuse in (inf, 1.0))
        sides = [each_pj * number for number in (rows.accumulates, *ends)]
        found.append(np.array(sides)[:, inside & (rows.accumulates > 0)])
    alone, fewest, most = np.concatenate(found, axis=1)
    if not alone.size:
        return None

    def pj(reuse: float) -> float:
        """Energy of what events fetch, beside what their rows fetch anyway."""
        return float(np.clip(alone / reuse + (most - alone), fewest, most).sum())

    left = asa_pj - (busy_pj - pj(delivery.event_reuse))
    if pj(1.0) <= left:
        return 1.0
    low, high = 0.0, float(np.log(_MOST))
    if pj(_MOST) > left:
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if pj(np.exp(middle)) > left else (low, middle)
    return float(np.exp(high))
