from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from energy import Attention, Conventions, Tally, count_pass, formulas, tally_call
from energy.formulas import nonlinear
from energy.formulas.attention import Product, analog_attention
from energy.layers.matmul import AttentionCore
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
    expected = formulas.linear(rows, 4, 5, bias=True)
    assert tally_of(nn.Linear(4, 5), torch.rand(shape)) == expected
    assert expected.ops[Op.MAC] == rows * 4 * 5


def test_linear_without_a_bias_reads_none() -> None:
    tally = tally_of(nn.Linear(4, 5, bias=False), torch.rand(3, 4))
    assert tally == formulas.linear(3, 4, 5, bias=False)


def test_conv1d_is_a_linear_layer_with_its_weight_transposed() -> None:
    layer = Conv1D(5, 4)  # 4 -> 5
    nn.init.normal_(layer.weight)
    assert tally_of(layer, torch.rand(2, 3, 4)) == tally_of(nn.Linear(4, 5), torch.rand(2, 3, 4))


def test_values_are_counted_however_wide_the_model_stores_them() -> None:
    wide = tally_of(nn.Linear(4, 5).double(), torch.rand(3, 4).double())
    narrow = tally_of(nn.Linear(4, 5).bfloat16(), torch.rand(3, 4).bfloat16())
    assert wide == narrow == formulas.linear(3, 4, 5, bias=True)


def test_zeros_are_counted_only_if_asked_for() -> None:
    x = torch.tensor([[0.0, 1.0, -0.0, 2.0], [0.0, 0.0, 0.0, 1.0]])
    layer = nn.Linear(4, 5)
    assert tally_of(layer, x).zero_macs is None
    counted = tally_of(layer, x, conventions=ZEROS)
    assert counted.zero_macs == 25  # 2 + 3 zeros, each before 5 outputs
    # channels 1 and 3 have a value: 2 rows of 5 weights; of the 8 inputs 3 are not zero
    looked = {"zero_macs": 25, "touched_weights": 10, "active_weights": 15}
    assert counted == tally_of(layer, x)._replace(**looked)  # and change nothing else
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
    assert tally == formulas.embedding(3, 8)


def test_a_fused_core_has_a_row_for_each_part_and_an_unfused_one_leaves_it_to_them() -> None:
    core = AttentionCore(None)
    query, key = torch.rand(2, 4, 3, 8), torch.rand(2, 2, 5, 8)
    args = (query, key, key, None)
    product = Product(8, 3, 5, 8, 4, Attention.CAUSAL)  # 2 x 4 query heads, 2 x 2 key heads
    softmax = nonlinear.softmax(8, 3, 5, attention=Attention.CAUSAL)
    assert tally_call(core, "core", args, (query, None), CAUSAL) == {
        "scores": analog_attention("scores", product),
        "softmax": softmax,
        "mix": analog_attention("mix", product),
    }
    core.fused = False
    assert tally_call(core, "core", args, (query, None), CAUSAL) == {}


def test_values_may_be_wider_than_keys() -> None:
    core = AttentionCore(None)
    query, key, value = torch.rand(1, 4, 3, 8), torch.rand(1, 2, 3, 8), torch.rand(1, 2, 3, 5)
    rows = tally_call(core, "core", (query, key, value, None), (query, None), Conventions())
    full = Attention.FULL
    assert rows["scores"] == analog_attention("scores", Product(4, 3, 3, 8, 2, full))
    assert rows["mix"] == analog_attention("mix", Product(4, 3, 3, 5, 2, full))


def test_grouped_heads_are_cached_once() -> None:
    core = AttentionCore(None)
    query, key = torch.rand(2, 6, 1, 8), torch.rand(2, 2, 9, 8)
    ops = tally_call(core, "core", (query, key, key, None), (query, None), CAUSAL)["scores"].ops
    assert ops[Op.MAC] == 2 * 6 * 9 * 8  # of each query head
    assert ops[Op.KV_READ] == 2 * 2 * 9 * 8  # 2 sequences, 2 cached heads, 9 keys of 8
    assert ops[Op.KV_WRITE] == 2 * 2 * 1 * 8


def test_a_bidirectional_core_has_no_pair_to_leave_out() -> None:
    core = AttentionCore(None)
    core.causal = False
    query = torch.rand(1, 2, 3, 8)
    rows = tally_call(core, "core", (query, query, query, None), (query, None), CAUSAL)
    assert rows["scores"].ops[Op.MAC] == 2 * 3 * 3 * 8
    assert rows["softmax"].ops[Op.EXP] == 2 * 3 * 3
