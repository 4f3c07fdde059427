from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers.activations import NewGELUActivation

from energy import Attention, Conventions, Multiply, Rotary, Tally, tally_call
from energy.formulas import nonlinear
from energy.layers.matmul import ScaledSoftmax
from hwmodels import Op


def tally_of(layer: nn.Module, *args: Tensor) -> Tally:
    rows = tally_call(layer, "layer", args, layer(*args), Conventions())
    assert list(rows) == [""]
    return rows[""]


def test_layer_norm() -> None:
    assert tally_of(nn.LayerNorm(8), torch.rand(2, 3, 8)) == nonlinear.layer_norm(6, 8)


def test_layer_norm_over_several_dimensions_has_one_row_per_vector_of_all_of_them() -> None:
    tally = tally_of(nn.LayerNorm((3, 8)), torch.rand(2, 3, 8))
    assert tally == nonlinear.layer_norm(2, 24)


def test_layer_norm_without_scale_and_shift_charges_neither() -> None:
    plain = tally_of(nn.LayerNorm(8, elementwise_affine=False), torch.rand(2, 8)).ops
    affine = tally_of(nn.LayerNorm(8), torch.rand(2, 8)).ops
    assert plain.get(Op.VECTOR_READ, 0) == 0
    assert plain[Op.MUL] == affine[Op.MUL] - 16  # 2 rows x 8 scales
    assert plain[Op.ADD] == affine[Op.ADD] - 16  # 2 rows x 8 shifts


def test_layer_norm_without_a_bias_shifts_nothing() -> None:
    scaled = tally_of(nn.LayerNorm(8, bias=False), torch.rand(2, 8)).ops
    affine = tally_of(nn.LayerNorm(8), torch.rand(2, 8)).ops
    assert scaled[Op.VECTOR_READ] == 8  # scales
    assert scaled[Op.MUL] == affine[Op.MUL]
    assert scaled[Op.ADD] == affine[Op.ADD] - 16  # 2 rows x 8 shifts


def test_activations() -> None:
    x = torch.randn(2, 3)
    assert tally_of(NewGELUActivation(), x) == nonlinear.gelu_tanh(6)
    assert tally_of(nn.ReLU(), x) == nonlinear.relu(6)
    assert tally_of(nn.SiLU(), x) == nonlinear.silu(6)
    assert tally_of(nn.GELU(), x) == nonlinear.gelu_erf(6)
    assert tally_of(nn.GELU("tanh"), x) == nonlinear.gelu_tanh(6)


@pytest.mark.parametrize("attention", Attention)
def test_softmax(attention: Attention) -> None:
    layer = ScaledSoftmax()
    scores = torch.rand(2, 4, 3, 5)
    rows = tally_call(
        layer, "softmax", (scores, 1.0, None), layer(scores, 1.0, None), Conventions(attention)
    )
    assert rows == {"": nonlinear.softmax(8, 3, 5, attention=attention)}


def test_a_softmax_of_capped_scores_and_one_that_is_not_causal() -> None:
    layer, scores = ScaledSoftmax(), torch.rand(2, 4, 3, 5)
    args = (scores, 1.0, None, 30.0)
    assert tally_call(layer, "softmax", args, layer(*args), Conventions(Attention.CAUSAL)) == {
        "": nonlinear.softmax(8, 3, 5, attention=Attention.CAUSAL, capped=True)
    }
    layer.causal = False
    args = (scores, 1.0, None, None)  # type: ignore[assignment]
    assert tally_call(layer, "softmax", args, layer(*args), Conventions(Attention.CAUSAL)) == {
        "": nonlinear.softmax(8, 3, 5, attention=Attention.FULL)
    }


def test_rms_norm_of_torch() -> None:
    x = torch.rand(2, 3, 8)
    assert tally_of(nn.RMSNorm(8), x) == nonlinear.rms_norm(6, 8)
    assert tally_of(nn.RMSNorm((3, 8)), x) == nonlinear.rms_norm(2, 24)
    plain = nn.RMSNorm(8, elementwise_affine=False)
    assert tally_of(plain, x) == nonlinear.rms_norm(6, 8, scale=False)


def test_multiply() -> None:
    x = torch.rand(2, 3)
    assert tally_of(Multiply(), x, x) == nonlinear.multiply(6)


@pytest.mark.parametrize("rotated", [8, 4])
def test_rotary_counts_the_rotated_channels_of_queries_and_keys(rotated: int) -> None:
    query, key, angles = torch.rand(2, 4, 3, 8), torch.rand(2, 2, 3, 8), torch.rand(1, 3, rotated)
    # (2 x 4 x 3 queries + 2 x 2 x 3 keys) x the rotated channels, angles of 3 positions
    expected = nonlinear.rotary(36 * rotated, 3 * rotated)
    assert tally_of(Rotary(), query, key, angles, angles) == expected
