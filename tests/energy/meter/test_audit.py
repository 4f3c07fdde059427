from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from networks import Chain, Wrapped, count
from torch import Tensor, nn
from transformers import GPT2LMHeadModel

from energy import UncountedOperation, count_pass, counting
from hwmodels import Op


@pytest.mark.parametrize(
    ("use", "operation"),
    [
        (lambda layer, x: layer.forward(x), "addmm in 'layer'"),
        (lambda layer, x: nn.functional.linear(x, layer.weight), "mm in 'the model itself'"),
        (lambda layer, x: layer(x) @ x, "mm in 'the model itself'"),
        (lambda layer, x: torch.einsum("ij,kj->ik", layer(x), x), "bmm in 'the model itself'"),
        (
            lambda layer, x: nn.functional.scaled_dot_product_attention(
                *[layer(x)[None, None]] * 3
            ),
            "attention.* in 'the model itself'",
        ),
    ],
    ids=["forward", "F.linear", "@", "einsum", "sdpa"],
)
def test_a_product_outside_a_counted_layer_is_refused_with_its_module(
    use: Callable[[Any, Tensor], Tensor], operation: str
) -> None:
    model = Wrapped(nn.Linear(4, 4), use)
    with pytest.raises(UncountedOperation, match=operation) as caught:
        count(model, torch.rand(4, 4))
    assert "`neurt-energy count` counts them from their operands" in str(caught.value)


class Heads(nn.Module):
    """A multi-head attention of torch, which may run as one kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.heads(x, x, x)[0]
        return found


def test_what_the_refusal_of_a_fused_kernel_names_counts_it() -> None:
    model, x = Heads().eval(), torch.rand(2, 5, 8)
    with pytest.raises(UncountedOperation, match=r"set_fastpath_enabled\(False\)"):
        count(model, x)
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        counts = count_pass(model, lambda: model(x), variant="asa", loose=True)
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)
    # 10 tokens through Q, K, V and the output of 8 x 8; 2 products of 2 x 25 pairs of 8 channels
    assert counts.dense_macs == 10 * 4 * 64 + 2 * 2 * 25 * 8


def test_the_innermost_module_is_named() -> None:
    model = nn.Sequential(nn.Identity(), Wrapped(nn.Linear(4, 4), lambda layer, x: layer(x) @ x))
    with pytest.raises(UncountedOperation, match=r"1 matrix products .*\(mm in '1'\)"):
        count(model, torch.rand(4, 4))


def test_a_product_beside_the_model_is_refused() -> None:
    x = torch.rand(4, 4)
    with (
        pytest.raises(UncountedOperation, match=r"mm in 'code outside the model'"),
        counting(Chain()),
    ):
        x @ x


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(nn.Conv2d(1, 1, 2), (1, 1, 3, 3)), (nn.LSTM(4, 4), (2, 4)), (nn.GRU(4, 4), (2, 4))],
    ids=["Conv2d", "LSTM", "GRU"],
)
def test_a_product_in_a_layer_without_a_rule_is_refused(
    layer: nn.Module, shape: tuple[int, ...]
) -> None:
    with pytest.raises(UncountedOperation, match=r"outside any counted layer .* in '0'"):
        count(nn.Sequential(layer), torch.rand(shape))


def test_a_product_in_a_quiet_shape_is_seen() -> None:
    model = Wrapped(nn.Linear(4, 4), lambda layer, x: torch.outer(x[0] @ x, layer(x) @ x[0]))
    with pytest.raises(UncountedOperation, match="2 matrix products"):
        count(model, torch.rand(4, 4))


def test_a_contraction_spelled_as_multiply_and_sum_shows_in_uncounted() -> None:
    # The known hole: (4, 4) @ (4, 4) without a matrix product.
    model = Wrapped(nn.Linear(4, 4), lambda layer, x: (layer(x).unsqueeze(-1) * x).sum(-2))
    counts = count(model, torch.rand(4, 4))
    assert counts.total(Op.MAC) == 64  # the layer only
    assert counts.uncounted == {"mul": 1, "sum": 1}


def test_moving_data_is_not_arithmetic() -> None:
    def shuffle(layer: nn.Module, x: Tensor) -> Tensor:
        first, second = layer(x).transpose(0, 1).reshape(2, 8).unsqueeze(0).clone().chunk(2, -1)
        return torch.cat([first, second.contiguous()]).permute(2, 0, 1)[0]

    assert count(Wrapped(nn.Linear(4, 4), shuffle), torch.rand(4, 4)).uncounted == {}


def test_arithmetic_inside_a_counted_layer_is_not_uncounted() -> None:
    counts = count(nn.Sequential(nn.LayerNorm(4), nn.ReLU(), nn.Tanh()), torch.rand(2, 4))
    assert counts.uncounted == {"tanh": 1}


def test_gpt2_without_exposed_attention_is_refused(tiny_gpt2: GPT2LMHeadModel) -> None:
    with pytest.raises(UncountedOperation, match=r"attention.* in 'transformer.h.0.attn'"):
        count(tiny_gpt2, torch.zeros(1, 3, dtype=torch.long))


def test_upsampling_is_no_matrix_product() -> None:
    model = nn.Upsample(scale_factor=2, mode="linear")
    with counting(model) as meter:
        model(torch.rand(1, 2, 4))
    assert any("upsample" in name for name in meter.uncounted)
