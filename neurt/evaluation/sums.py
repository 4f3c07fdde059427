"""Sums over the scored tokens of all windows, in float64."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from neurt.text.windows import Window

Sums = defaultdict[Any, float]

#: Scored tokens whose predictions over the whole vocabulary are compared at a time.
_ROWS = 128


def add_predictions(
    sums: Sums, name: str, asa: Tensor, other: Tensor, ids: Tensor, part: list[Window]
) -> None:
    """Add what the logits of a model say of the scored tokens, and how near the analog ones are.

    Sums are by the name of the model and `nll`, `correct`, `agree` or `kl`.
    """
    for index, window in enumerate(part):
        at = window.predicting
        scored = asa[index, at], other[index, at], ids[window.first : window.stop]
        for p, q, targets in zip(*(x.split(_ROWS) for x in scored), strict=True):
            guess, log = q.argmax(-1), q.float().log_softmax(-1)
            sums[name, "nll"] -= total(log.gather(-1, targets.unsqueeze(-1)))
            sums[name, "correct"] += total(guess == targets)
            if other is asa:
                continue
            sums[name, "agree"] += total(p.argmax(-1) == guess)
            standard = p.float().log_softmax(-1)
            sums[name, "kl"] += total(standard.exp() * (standard - log))


def total(x: Tensor) -> float:
    """Sum of all values, in float64."""
    return float(x.sum(dtype=torch.float64))
