from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers.activations import NewGELUActivation
from transformers.pytorch_utils import Conv1D

from energy import (
    Attention,
    Conventions,
    Tally,
    count_pass,
    formulas,
    nonlinear,
    products,
    tally_call,
)
from energy.matmul import AttentionCore, MatMul, ScaledSoftmax
from energy.tally import Rows, is_counted
from hwmodels import Op

CAUSAL = Conventions(Attention.CAUSAL)
ZEROS = Conventions(zeros=True)


def tally_of(
    layer: nn.Module,
    *args: Tensor,
    conventions: Conventions = Conventions(),  # noqa: B008
) -> Tally:
    rows = tally_call(layer, "layer", args, layer(*args), conventions)
    assert list(rows) == [""]
    return rows[""]


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)])
def test_linear_counts_rows_over_any_leading_dimensions(shape: tuple[int, ...]) -> None:
    rows = torch.Size(shape[:-1]).numel()
    expected = formulas.linear(rows, 4, 5, bias=True, value_bytes=4)
    assert tally_of(nn.Linear(4, 5), torch.rand(shape)) == expected
    assert expected.ops[Op.MAC] == rows * 4 * 5


def test_linear_without_a_bias_reads_none() -> None:
    tally = tally_of(nn.Linear(4, 5, bias=False), torch.rand(3, 4))
    assert tally == formulas.linear(3, 4, 5, bias=False, value_bytes=4)


def test_conv1d_is_a_linear_layer_with_its_weight_transposed() -> None:
    layer = Conv1D(5, 4)  # 4 -> 5
    nn.init.normal_(layer.weight)
    assert tally_of(layer, torch.rand(2, 3, 4)) == tally_of(nn.Linear(4, 5), torch.rand(2, 3, 4))


def test_traffic_follows_the_width_of_the_values() -> None:
    wide = tally_of(nn.Linear(4, 5).double(), torch.rand(3, 4).double()).ops
    narrow = tally_of(nn.Linear(4, 5).bfloat16(), torch.rand(3, 4).bfloat16()).ops
    assert wide[Op.MAC] == narrow[Op.MAC]
    for op in (Op.WEIGHT_READ, Op.VECTOR_READ, Op.ACTIVATION_READ, Op.ACTIVATION_WRITE):
        assert wide[op] == 4 * narrow[op] > 0  # 8 and 2 bytes


def test_zeros_are_counted_only_if_asked_for() -> None:
    x = torch.tensor([[0.0, 1.0, -0.0, 2.0], [0.0, 0.0, 0.0, 1.0]])
    layer = nn.Linear(4, 5)
    assert tally_of(layer, x).zero_macs is None
    counted = tally_of(layer, x, conventions=ZEROS)
    assert counted.zero_macs == 25  # 2 + 3 zeros, each before 5 outputs
    assert counted._replace(zero_macs=None) == tally_of(layer, x)  # and change nothing else
    conv = Conv1D(5, 4)
    assert tally_of(conv, x, conventions=ZEROS).zero_macs == 25
    assert tally_of(conv, torch.ones(2, 4), conventions=ZEROS).zero_macs == 0


def test_the_zeros_of_a_relu_network_are_those_of_its_products() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
    x = torch.randn(5, 6)
    counts = count_pass(model, lambda: model(x), variant="asa", conventions=ZEROS)
    hidden = model[1](model[0](x))
    products_of_zero = sum(
        1 for row in hidden.tolist() for value in row for _ in range(3) if value * 1.0 == 0.0
    )
    assert counts.layer("0").tally.zero_macs == 0
    assert counts.layer("1").tally.zero_macs is None  # a ReLU multiplies nothing
    assert counts.layer("2").tally.zero_macs == products_of_zero
    assert 0 < products_of_zero < 5 * 16 * 3
    assert counts.zeros_measured


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.lists(st.sampled_from([0.0, -0.0, 1.5]), min_size=3, max_size=3), max_size=4),
    st.integers(1, 4),
)
def test_there_are_no_more_zeros_than_products(rows: list[list[float]], fan_out: int) -> None:
    x = torch.tensor(rows).reshape(-1, 3)
    tally = tally_of(nn.Linear(3, fan_out), x, conventions=ZEROS)
    assert tally.zero_macs is not None
    assert 0 <= tally.zero_macs <= tally.ops[Op.MAC] == len(rows) * 3 * fan_out


def test_embedding() -> None:
    tally = tally_of(nn.Embedding(10, 8), torch.tensor([[1, 2, 3]]))
    assert tally == formulas.embedding(3, 8, value_bytes=4)


def test_layer_norm() -> None:
    assert tally_of(nn.LayerNorm(8), torch.rand(2, 3, 8)) == nonlinear.layer_norm(
        6, 8, value_bytes=4
    )


def test_layer_norm_over_several_dimensions_has_one_row_per_vector_of_all_of_them() -> None:
    tally = tally_of(nn.LayerNorm((3, 8)), torch.rand(2, 3, 8))
    assert tally == nonlinear.layer_norm(2, 24, value_bytes=4)


def test_layer_norm_without_scale_and_shift_charges_neither() -> None:
    plain = tally_of(nn.LayerNorm(8, elementwise_affine=False), torch.rand(2, 8)).ops
    affine = tally_of(nn.LayerNorm(8), torch.rand(2, 8)).ops
    assert plain.get(Op.VECTOR_READ, 0) == 0
    assert plain[Op.MUL] == affine[Op.MUL] - 16  # 2 rows x 8 scales
    assert plain[Op.ADD] == affine[Op.ADD] - 16  # 2 rows x 8 shifts


def test_layer_norm_without_a_bias_shifts_nothing() -> None:
    scaled = tally_of(nn.LayerNorm(8, bias=False), torch.rand(2, 8)).ops
    affine = tally_of(nn.LayerNorm(8), torch.rand(2, 8)).ops
    assert scaled[Op.VECTOR_READ] == 32  # 8 scales x 4 bytes
    assert scaled[Op.MUL] == affine[Op.MUL]
    assert scaled[Op.ADD] == affine[Op.ADD] - 16  # 2 rows x 8 shifts


def test_activations() -> None:
    x = torch.randn(2, 3)
    assert tally_of(NewGELUActivation(), x) == nonlinear.gelu_tanh(6, value_bytes=4)
    assert tally_of(nn.ReLU(), x) == nonlinear.relu(6, value_bytes=4)


@pytest.mark.parametrize("attention", Attention)
def test_softmax(attention: Attention) -> None:
    layer = ScaledSoftmax()
    scores = torch.rand(2, 4, 3, 5)
    rows = tally_call(
        layer, "softmax", (scores, 1.0, None), layer(scores, 1.0, None), Conventions(attention)
    )
    assert rows == {"": nonlinear.softmax(8, 3, 5, attention=attention, value_bytes=4)}


def test_a_fused_core_has_a_row_for_each_part_and_an_unfused_one_leaves_it_to_them() -> None:
    core = AttentionCore(None)
    query, key = torch.rand(2, 4, 3, 8), torch.rand(2, 2, 5, 8)
    args = (query, key, key, None)
    how: dict[str, Any] = {"attention": Attention.CAUSAL, "value_bytes": 4}
    # 2 x 4 query heads, 2 x 2 key heads
    assert tally_call(core, "core", args, (query, None), CAUSAL) == {
        "scores": products.scores(8, 3, 5, 8, 4, **how),
        "softmax": nonlinear.softmax(8, 3, 5, **how),
        "mix": products.mix(8, 3, 5, 8, 4, **how),
    }
    core.fused = False
    assert tally_call(core, "core", args, (query, None), CAUSAL) == {}


@pytest.mark.parametrize(
    "kind",
    [nn.Linear, Conv1D, nn.Embedding, nn.LayerNorm, nn.ReLU, MatMul, AttentionCore, ScaledSoftmax],
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
