from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from energy import Conventions, Multiply, Rotary, Tally, tally_call
from energy.layers.matmul import AttentionCore, MatMul, ScaledSoftmax
from energy.meter.rules import Rows, is_counted, is_known, ruled
from hwmodels import Op


def tally_of(layer: nn.Module, *args: Tensor) -> Tally:
    return tally_call(layer, "layer", args, layer(*args), Conventions())[""]


@pytest.mark.parametrize(
    "kind",
    [
        nn.Linear,
        Conv1D,
        nn.Embedding,
        nn.LayerNorm,
        nn.RMSNorm,
        nn.ReLU,
        nn.SiLU,
        nn.GELU,
        MatMul,
        AttentionCore,
        ScaledSoftmax,
        Rotary,
        Multiply,
    ],
)
def test_a_type_with_a_rule_is_counted(kind: type[nn.Module]) -> None:
    assert is_counted(kind)


@pytest.mark.parametrize("kind", [nn.Module, nn.Dropout, nn.Sequential, nn.Conv2d, nn.Bilinear])
def test_a_type_without_a_rule_is_not_counted(kind: type[nn.Module]) -> None:
    assert not is_counted(kind)


def test_a_type_without_a_rule_cannot_be_tallied() -> None:
    with pytest.raises(TypeError, match=r"layer 'drop' \(Dropout\) has no counting rule"):
        tally_call(nn.Dropout(), "drop", (), None, Conventions())


class Inherited(nn.Linear):
    """Has the rule of its parent."""


class Doubled(nn.Linear):
    """Has a rule of its own."""


class DoubledAgain(Doubled):
    """Has the rule of the closest parent."""


@tally_call.register
def _(layer: Doubled, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    return {"": Tally({Op.MAC: 2 * layer.weight.numel()})}


def test_a_subclass_inherits_the_closest_rule() -> None:
    x = torch.rand(1, 4)
    assert tally_of(Inherited(4, 5), x).ops[Op.MAC] == 20
    assert tally_of(Doubled(4, 5), x).ops[Op.MAC] == 40
    assert tally_of(DoubledAgain(4, 5), x).ops[Op.MAC] == 40
    assert is_counted(Inherited)
    assert is_counted(DoubledAgain)


class Halved(nn.Linear):
    """Has a forward that its parent's rule does not know."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) / 2


def test_a_type_is_known_by_its_forward() -> None:
    assert is_known(nn.Linear)
    assert is_known(Inherited)
    assert not is_known(nn.Dropout)
    assert is_counted(Halved)
    assert not is_known(Halved)
    assert ruled(Halved) is nn.Linear
    assert ruled(DoubledAgain) is Doubled
