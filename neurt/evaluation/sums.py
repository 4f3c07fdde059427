"""Sums over the scored tokens of all windows, in float64."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from torch import Tensor

from neurt.measure.scoring import score
from neurt.spiking.precision import summed_in
from neurt.text.windows import Window
from reports.kit.closeness import Scored

Sums = defaultdict[Any, float]
#: Sums over each window, by the name of the model that is compared with the analog one.
Scores = defaultdict[str, list[Scored]]


def add_scores(
    scores: Scores, name: str, asa: Tensor, other: Tensor, ids: Tensor, part: list[Window]
) -> None:
    """Add what the logits of a model say of the scored tokens, and how near the analog ones are."""
    for index, window in enumerate(part):
        at = window.predicting
        found = score(asa[index, at], other[index, at], ids[window.first : window.stop])
        scores[name].append(found)


def total(x: Tensor) -> float:
    """Sum of all values, in float64."""
    return float(x.sum(dtype=summed_in(x.device)))
