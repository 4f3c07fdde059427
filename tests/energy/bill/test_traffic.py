from __future__ import annotations

import numpy as np
import pytest
from builders import chip

from energy import LayerCount, Levels, Tally
from energy.bill.traffic import Bits, encoded_bits
from energy.counts import Label
from energy.counts.columns import Columns
from hwmodels import Dataflow, Encoding, HardwareProfile, Op
from hwmodels.dataflow import Rules

PACKED, BITMAP, ADDRESSES = Encoding.PACKED, Encoding.BITMAP, Encoding.ADDRESSES


def encoded(tally: Tally, encoding: Encoding) -> float:
    [bits] = encoded_bits(Columns.of([LayerCount("a", "Linear", tally=tally)]), encoding)
    return float(bits)


def bits_of(machine: HardwareProfile, rules: Rules, row: LayerCount, op: Op) -> float:
    [bits] = np.broadcast_to(Bits(machine, rules).of(Columns.of([row]), op), 1)
    return float(bits)


@pytest.mark.parametrize(
    ("levels", "spikes", "cheapest", "bits"),
    [
        # 1,000 slots of 6 bits; 1 bit and 6 of payload per event; 6 of place (64 channels) and 6
        (Levels.POWER, 950, PACKED, 6.0),  # 1 + 0.95 x 6 = 6.7; 0.95 x 12 = 11.4
        (Levels.POWER, 500, BITMAP, 4.0),  # 6; 1 + 0.5 x 6; 0.5 x 12 = 6
        (Levels.POWER, 100, ADDRESSES, 1.2),  # 6; 1.6; 0.1 x 12
        (Levels.BINARY, 500, PACKED, 1.0),  # nothing is below one bit; 0.5 x 6 = 3
        (Levels.BINARY, 100, ADDRESSES, 0.6),  # 0.1 x 6
        (Levels.TERNARY, 900, BITMAP, 1.9),  # 2; 1 + 0.9 x 1; 0.9 x 7
        (Levels.TERNARY, 0, ADDRESSES, 0.0),  # silence costs nothing
    ],
)
def test_spikes_lie_in_memory_in_the_cheapest_way(
    levels: Levels, spikes: int, cheapest: Encoding, bits: float
) -> None:
    tally = Tally(spikes=spikes, slots=1000, levels=levels, channels=64)
    found = {kind: encoded(tally, kind) for kind in (PACKED, BITMAP, ADDRESSES)}
    assert encoded(tally, Encoding.CHEAPEST) == found[cheapest] == pytest.approx(bits)
    assert min(found, key=found.__getitem__) is cheapest


def test_without_channels_a_place_is_one_among_all_slots() -> None:
    tally = Tally(spikes=10, slots=1024, levels=Levels.BINARY)
    assert encoded(tally, ADDRESSES) == pytest.approx(10 / 1024 * 10)  # log2 1,024


def test_widths_are_those_of_the_operand() -> None:
    machine = chip(
        widths={"weights": 4.156, "activations": 16, "kv": 8, "accumulators": 24}, value_bytes=2
    )
    row = LayerCount("a", "Linear", tally=Tally({Op.WEIGHT_READ: 1}, 0, 1, 10))
    rules = Dataflow.LAYERWISE.rules
    found = {op: bits_of(machine, rules, row, op) for op in Op if op.buffer and not op.moves_spikes}
    assert found == {
        Op.WEIGHT_READ: 4.156,
        Op.VECTOR_READ: 16,
        Op.ACTIVATION_READ: 16,
        Op.ACTIVATION_WRITE: 16,
        Op.STATE_READ: 24,
        Op.STATE_WRITE: 24,
        Op.KV_READ: 8,
        Op.KV_WRITE: 8,
    }
    assert bits_of(machine, rules, row, Op.DELIVERY) == 4.156


def test_a_state_of_a_recurrence_is_as_wide_as_accumulators() -> None:
    machine = chip(widths={"kv": 8, "accumulators": 24}, value_bytes=2)
    tally, rules = Tally({Op.KV_READ: 1, Op.KV_WRITE: 1}), Dataflow.LAYERWISE.rules
    # In a family it has a name; elsewhere it is the end of one.
    for component, bits in (("scan", 24), ("mamba.scan", 24), ("convolution", 8), ("scores", 8)):
        row = LayerCount("a", "Mixer", Label("attention", component), tally=tally)
        found = {bits_of(machine, rules, row, op) for op in (Op.KV_READ, Op.KV_WRITE)}
        assert found == {bits}
    # Bytes that somebody counted have no other width.
    row = LayerCount("a", "Mixer", Label("other", "scan"), tally=tally)
    assert Bits(machine, rules, 16).of(Columns.of([row]), Op.KV_READ) == 16


def test_what_a_checkpoint_says_of_a_layer_comes_before_the_machine() -> None:
    row = LayerCount(
        "a", "Linear", tally=Tally({Op.WEIGHT_READ: 1}), weight_bits=6.5625, vector_bits=32
    )
    rules, wide = Dataflow.LAYERWISE.rules, chip(widths={"weights": 4}, value_bytes=8)
    assert bits_of(wide, rules, row, Op.WEIGHT_READ) == 6.5625
    assert bits_of(wide, rules, row, Op.VECTOR_READ) == 32
    assert bits_of(wide, rules, row, Op.ACTIVATION_READ) == 64  # that of the machine


def test_what_is_wider_than_the_arithmetic_is_converted_to_it() -> None:
    tally = Tally({Op.WEIGHT_READ: 1})
    row = LayerCount("a", "Linear", tally=tally, weight_bits=16, vector_bits=8)
    rules = Dataflow.LAYERWISE.rules
    assert bits_of(chip(), rules, row, Op.WEIGHT_READ) == 8
    # As wide as the arithmetic says nothing: the machine stores what it takes as it does.
    assert bits_of(chip(widths={"vectors": 6}), rules, row, Op.VECTOR_READ) == 6


def test_without_widths_all_is_as_wide_as_the_arithmetic_but_sums_are_32_bits() -> None:
    row = LayerCount("a", "Linear")
    rules = Dataflow.LAYERWISE.rules
    assert bits_of(chip(widths={}), rules, row, Op.KV_READ) == 8
    assert bits_of(chip(widths={}), rules, row, Op.STATE_WRITE) == 32


def test_an_event_on_a_link_is_an_address_of_32_bits() -> None:
    row = LayerCount("a", "Linear", tally=Tally({}, 0, 3, 100, levels=Levels.POWER))
    assert bits_of(chip(), Dataflow.EVENT_DRIVEN.rules, row, Op.SPIKE_READ) == 32
    assert bits_of(chip(), Dataflow.EVENT_DRIVEN.rules, row, Op.KV_SPIKE_READ) == 6
