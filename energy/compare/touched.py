"""How much of its weights a model fetches if it gathers rows: of one token, and of a batch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from energy.counts import Counts, LayerCount
from energy.formulas.touched import any_of
from hwmodels import Op

#: Beyond so many tokens side by side nobody asks.
_MOST = 10**6
_BATCHES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Touched:
    """The layers of which somebody knows which weights each token needs, together."""

    #: of each layer the values of its weights, and the share of them that a token needs
    layers: tuple[tuple[float, float], ...]
    #: share of the weights that the calls needed, all tokens of a call together
    union: float
    batch: int  #: sequences side by side
    #: whether a call takes one token of each sequence, as decode does
    one_by_one: bool

    def at(self, batch: float) -> float:
        """Share of the weights that so many tokens need together: each layer's 1 - (1 - A)^batch.

        Tokens are taken as independent; those of a text are not, and touch fewer.
        """
        needed = math.fsum(weights * any_of(active, batch) for weights, active in self.layers)
        return needed / math.fsum(weights for weights, _ in self.layers)

    def batch_of(self, share: float) -> int | None:
        """The smallest number of tokens that need more than a share; None where none below 1e6."""
        if self.at(_MOST) <= share:
            return None
        low, high = 0, 1
        while self.at(high) <= share:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.at(middle) <= share else (low, middle)
        return high

    def summary(self) -> dict[str, object]:
        """The same as plain values, for a file."""
        return {
            "touched_share": self.union,
            "batch": self.batch,
            "share_at_batch": {str(batch): self.at(batch) for batch in _BATCHES},
        }


def active_share(row: LayerCount, tokens: float) -> float | None:
    """Share of the weights of a layer that one of its tokens needs; None where nobody looked."""
    whole, active = row.tally.ops.get(Op.WEIGHT_READ, 0), row.tally.active_weights
    if active is None or not whole or not tokens:
        return None
    return min(1.0, active * max(1, row.calls) / (tokens * whole))


def touched(counts: Counts) -> Touched | None:
    """What is known of a pass; None where nobody looked which weights its tokens need."""
    layers: list[tuple[float, float]] = []
    needed = read = 0.0
    for row in counts.layers:
        union, active = row.tally.touched_weights, active_share(row, counts.tokens)
        if union is None or active is None:
            continue
        whole = row.tally.ops[Op.WEIGHT_READ]
        layers.append((whole / max(1, row.calls), active))
        needed, read = needed + union, read + whole
    one_by_one = counts.phase.startswith("decode")
    return Touched(tuple(layers), needed / read, counts.batch, one_by_one) if layers else None
