"""Operations of torch that make analog values of spikes, and how many spikes one value may be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from energy import Levels
from hwmodels import Op
from tests.energy.network.conftest import through

ENDS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], str]] = {
    "average pooling": (lambda a, b: nn.AvgPool1d(3, 1, 1)(a), "avg_pool2d"),
    "batch norm": (lambda a, b: nn.BatchNorm1d(4)(a), "native_batch_norm"),
    "layer norm": (lambda a, b: nn.LayerNorm(8)(a), "native_layer_norm"),
    "softmax": (lambda a, b: a.softmax(-1), "_softmax"),
    "analog residual": (lambda a, b: a + torch.linspace(0, 1, 8).sin(), "add"),
    "sigmoid": (lambda a, b: a.sigmoid(), "sigmoid"),
    "a shift": (lambda a, b: a + 0.5, "add"),
    "mean over time": (lambda a, b: a.mean(0), "mean"),
    "different units": (lambda a, b: a + 0.3 * b, "add"),
    "a limit between": (lambda a, b: (a + b).clamp(0, 0.5), "clamp"),
    "a choice of values": (
        lambda a, b: torch.where(a > 0, torch.linspace(0, 1, 8).sin(), 0.0),
        "where",
    ),
    "whole numbers": (lambda a, b: a.long().cumsum(0).float(), "cumsum"),
}


@pytest.mark.parametrize("name", ENDS)
def test_spikes_end_and_the_report_says_where(name: str) -> None:
    use, operation = ENDS[name]
    counts, arrived, ends = through(use)
    tally = counts.layer("fc").tally
    assert tally.ops[Op.MAC] == arrived.numel() * 3
    assert tally.ops.get(Op.AC, 0) == 0
    assert operation in [what for _, what in ends]


@pytest.mark.parametrize(
    ("use", "levels"),
    [
        (lambda a, b: a, Levels.BINARY),
        (lambda a, b: a - b, Levels.TERNARY),
        (lambda a, b: a + b, Levels.BURST),
        (lambda a, b: a + a + a + a + b + b + b + b, Levels.COUNT),
        (lambda a, b: a * b, Levels.BINARY),
        (lambda a, b: torch.zeros(2, 4, 8) + a, Levels.BINARY),
    ],
)
def test_levels_add_up(use: Callable[[Tensor, Tensor], Tensor], levels: Levels) -> None:
    counts, _, _ = through(use)
    assert counts.layer("fc").tally.levels is levels


def test_more_than_127_of_one_value_are_no_events() -> None:
    def many(a: Tensor, b: Tensor) -> Tensor:
        total = a
        for _ in range(127):
            total = total + a
        return total

    counts, arrived, ends = through(many)
    assert counts.layer("fc").tally.ops[Op.MAC] == arrived.numel() * 3
    assert ends == (("the model itself", "add"),)
