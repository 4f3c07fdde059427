from __future__ import annotations

from dataclasses import replace

import pytest
from builders import chip

from energy import Counts, Label, LayerCount, Levels, Tally, estimate
from energy.compare.fetched import weight_bytes
from energy.compare.quantised import w4_bits, w4a16, w8_bits, w8a8
from energy.formulas import event_linear, linear
from hwmodels import Op

#: 3 vectors of 256 inputs and 10 outputs, in 2 calls; the same as events of 4 time steps.
DENSE = LayerCount(
    "fc",
    "Linear",
    Label("ffn", "ffn_up", 0),
    2,
    Tally.total([linear(3, 256, 10, bias=True)] * 2),
)
SPIKING = LayerCount(
    "fc",
    "EventLinear",
    Label("ffn", "ffn_up", 0),
    2,
    Tally.total([event_linear(12, 256, 10, 700, bias=True, levels=Levels.POWER, steps=4)] * 2),
)
NORM = LayerCount("norm", "LayerNorm", Label("ffn", "norm", 0), 2, Tally({Op.VECTOR_READ: 256}))


def counts(*rows: LayerCount) -> Counts:
    return Counts("asa", rows, tokens=6)


@pytest.mark.parametrize("row", [DENSE, SPIKING], ids=["dense", "spiking"])
def test_bits_of_a_weight_have_their_share_of_scales(row: LayerCount) -> None:
    assert w8_bits(row) == 8 + 16 / 256
    assert w4_bits(row) == 4.15625  # 4 + (16 + 4) / 128


def test_a_group_that_is_not_full_has_a_scale_too() -> None:
    row = LayerCount("fc", "Linear", Label(), 1, linear(1, 576, 5, bias=False))
    assert w4_bits(row) == 4 + 20 * 5 / 576  # 576 = 4 x 128 + 64


@pytest.mark.parametrize("row", [DENSE, SPIKING], ids=["dense", "spiking"])
def test_scales_of_8_bits_are_read_beside_the_biases(row: LayerCount) -> None:
    machine = chip({Op.MAC: 1.0}, widths={"accumulators": 8, "weights": 4.0})
    found, priced_on = w8a8(counts(row, NORM), machine)
    # 10 outputs in 2 calls, 16 bits each, where a vector entry has 8: 40 entries beside 20 biases.
    assert found.layers[0].tally.ops[Op.VECTOR_READ] == 20 + 40
    assert found.layers[0].weight_bits == 8
    assert found.layers[1] == NORM
    # A width that was asked for is not that of a baseline with a width of its own.
    assert priced_on.widths.weights is None
    bill = estimate(found, priced_on)
    # 2 calls x 2,560 weights of a byte, 3 pJ each to read.
    assert bill.group_pj("weights") == 3.0 * (5120 + 60 + 256)


def test_weights_of_4_bits_are_read_as_such() -> None:
    machine = chip({Op.MAC: 1.0}, value_bytes=2, precision="fp16")
    found, priced_on = w4a16(counts(DENSE), machine)
    bill = estimate(found, priced_on)
    # 5,120 weights of 4.15625 bits and 20 biases of 16.
    assert bill.group_pj("weights") == pytest.approx(3.0 * (5120 * 4.15625 / 8 + 20 * 2))
    assert found.layers[0].tally == DENSE.tally


def test_of_a_row_that_was_looked_at_each_token_fetches_what_it_needs() -> None:
    # 6 tokens, of which each needs three quarters of 256 rows of 10 weights.
    sparse = replace(DENSE, tally=DENSE.tally.seen(active_weights=6 * 192 * 10))
    machine = chip({Op.MAC: 1.0})
    assert weight_bytes(counts(sparse, NORM), machine) == 2560 * 0.75
    assert weight_bytes(counts(DENSE), machine) == 2560
    assert weight_bytes(counts(sparse), machine, w4_bits) == 0.75 * 2560 * 4.15625 / 8
