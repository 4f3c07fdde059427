from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import Counts, Label, LayerCount, Levels, Tally, estimate, formulas
from energy.compare.twin import activation_bits, twin_counts, widest_levels
from energy.formulas import Attention
from energy.formulas.attention import (
    Events,
    Product,
    Role,
    analog_attention,
    event_attention,
    spikformer,
)
from hwmodels import Op, load_profile

HW = load_profile("45nm")
UP = Label("ffn", "ffn_up", 0)


def row(name: str, label: Label, tally: Tally) -> LayerCount:
    return LayerCount(name, "Linear", label, 1, tally)


def dense(rows: int = 2, fan_in: int = 8, fan_out: int = 4) -> Tally:
    return formulas.linear(rows, fan_in, fan_out, bias=True)


def events(steps: int = 4, rate: float = 0.25, levels: Levels = Levels.BINARY) -> Tally:
    rows = 2 * steps
    spikes = round(rate * rows * 8)
    return formulas.event_linear(rows, 8, 4, spikes, bias=True, levels=levels, steps=steps)


def pair(steps: int = 4, label: Label = UP) -> tuple[Counts, Counts]:
    asa = Counts("asa", (row("mlp.c_fc", label, dense()),))
    ssa = Counts("ssa", (row("mlp.c_fc.events", label, events(steps)),), timesteps=steps)
    return asa, ssa


@pytest.mark.parametrize(
    ("timesteps", "bits"), [(1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4), (16, 5), (64, 7)]
)
def test_the_published_bits_of_binary_spikes(timesteps: int, bits: int) -> None:
    assert activation_bits(timesteps) == bits == math.ceil(math.log2(timesteps + 1))


@pytest.mark.parametrize(
    ("levels", "bits"),
    [
        (Levels.TERNARY, 4),  # -4 .. 4: 9 values
        (Levels.BURST, 6),  # -28 .. 28: 57 values
        (Levels.POWER, 24),  # 4 slots of 6 bits
    ],
)
def test_other_events_say_more_in_four_steps(levels: Levels, bits: int) -> None:
    assert activation_bits(4, levels) == bits


def test_a_three_bit_product_at_45nm() -> None:
    asa, ssa = pair()
    [bill] = estimate(twin_counts(asa, ssa, HW, 3), HW).layers
    # 64 MACs of 3 x 32 bits: 0.9 + (4.6 - 0.9) x 3 / 32 = 1.246875 pJ each
    assert bill.compute_pj == pytest.approx(64 * 1.246875, rel=1e-12)
    assert bill.count.ops[Op.MAC] == 6  # 64 x 3 / 32
    assert bill.count.ops[Op.AC] == 58


def test_activations_are_narrow_and_weights_are_not() -> None:
    asa, ssa = pair()
    [twin] = twin_counts(asa, ssa, HW, 3).layers
    # 16 inputs and 8 results, x 3 / 32 = 1.5 and 0.75 values of 32 bits
    assert twin.ops[Op.ACTIVATION_READ] == 2
    assert twin.ops[Op.ACTIVATION_WRITE] == 1
    assert twin.ops[Op.WEIGHT_READ] == asa.layers[0].ops[Op.WEIGHT_READ] == 32  # 8 x 4
    assert twin.ops[Op.VECTOR_READ] == 4
    assert twin.tally.dense_macs == 64


def test_what_does_not_come_out_even_is_rounded_up() -> None:
    asa, ssa = pair()
    [twin] = twin_counts(asa, ssa, HW, 5).layers
    # 64 x 5 / 32 = 10; 8 results x 5 / 32 = 1.25
    assert (twin.ops[Op.MAC], twin.ops[Op.ACTIVATION_WRITE]) == (10, 2)
    odd = replace(asa, layers=(row("fc", UP, Tally({Op.MAC: 33, Op.ACTIVATION_READ: 11})),))
    [twin] = twin_counts(odd, ssa, HW, 3).layers
    assert twin.ops == {Op.MAC: 4, Op.AC: 29, Op.ACTIVATION_READ: 2}  # 3.09 and 1.03


@pytest.mark.parametrize("bits", [32, 33, 100])
def test_a_twin_as_wide_as_the_hardware_is_the_network_itself(bits: int) -> None:
    asa, ssa = pair()
    assert twin_counts(asa, ssa, HW, bits) == asa


def test_the_width_is_that_of_the_hardware() -> None:
    asa, ssa = pair()
    [twin] = twin_counts(asa, ssa, load_profile("45nm-int8"), 3).layers
    assert twin.ops[Op.MAC] == 24  # 64 x 3 / 8


def test_only_layers_driven_by_events_are_narrow_found_by_label_and_not_by_name() -> None:
    head = row("lm_head", Label("head", "lm_head"), dense())
    deeper = row("mlp.c_fc", Label("ffn", "ffn_up", 1), dense())
    asa, ssa = pair()
    asa = replace(asa, layers=(*asa.layers, head, deeper))
    neuron = formulas.neurons(64, 16, 8, inputs=16, levels=Levels.BINARY, vector=8, arithmetic={})
    ssa = replace(
        ssa,
        layers=(*ssa.layers, head, row("n", Label("ffn", "ffn_up", 1), neuron)),
    )
    twin = twin_counts(asa, ssa, HW, 3)
    assert twin.layers[0] != asa.layers[0]
    assert twin.layers[1:] == asa.layers[1:]  # neurons are no layer that events drive


def test_layers_without_a_label_have_no_counterpart() -> None:
    asa, ssa = pair(label=Label())
    assert twin_counts(asa, ssa, HW, 3) == asa


def test_silent_events_are_events() -> None:
    asa, _ = pair()
    ssa = Counts("ssa", (row("x", UP, events(rate=0.0)),), timesteps=4)
    assert twin_counts(asa, ssa, HW, 3) != asa


def test_the_control_that_sends_analog_values_has_no_twin() -> None:
    asa, _ = pair()
    ssa = Counts("ssa", (row("x", UP, events(levels=Levels.ANALOG)),), timesteps=4)
    assert twin_counts(asa, ssa, HW, 3) == asa


def scores_and_mix(steps: int = 4) -> tuple[Counts, Counts, Counts]:
    """Attention of 2 heads x 4 tokens x width 8: analog, Spikformer, events on Q and weights."""
    roles: tuple[Role, ...] = ("scores", "mix")
    asa, spikformers, softmax = [], [], []
    for role in roles:
        label, product = Label("attention", role, 0), Product(2, 4, 4, 8, 2, Attention.FULL)
        asa.append(row(role, label, analog_attention(role, product)))
        in_steps = Product(2 * steps, 4, 4, 8, 2 * steps, Attention.FULL)
        spikformers.append(row(role, label, spikformer(role, in_steps, 32, 128)))
        events = Events(9, 256, 36)
        tally = event_attention(role, product, events, left=Levels.POWER, right=None, steps=steps)
        softmax.append(row(role, label, tally))
    return (
        Counts("asa", tuple(asa)),
        Counts("ssa", tuple(spikformers), timesteps=steps),
        Counts("ssa", tuple(softmax), timesteps=steps),
    )


def test_both_operands_of_spikformers_scores_are_narrow_and_one_of_its_mix() -> None:
    asa, ssa, _ = scores_and_mix()
    scores, mix = (x.ops for x in twin_counts(asa, ssa, HW, 8).layers)
    # 256 MACs; Q and K of 8 of 32 bits: a sixteenth; V alone: a quarter
    assert (scores[Op.MAC], mix[Op.MAC]) == (16, 64)
    # 64 queries, 32 scores, 64 cached values: a quarter of each
    assert scores[Op.ACTIVATION_READ] == 16
    assert scores[Op.ACTIVATION_WRITE] == 8
    assert scores[Op.KV_READ] == scores[Op.KV_WRITE] == mix[Op.KV_READ] == 16
    assert mix[Op.ACTIVATION_READ] == 32  # the attention weights are analog in both


def test_keys_and_values_that_stay_analog_stay_wide() -> None:
    asa, _, ssa = scores_and_mix()
    for before, after in zip(asa.layers, twin_counts(asa, ssa, HW, 8).layers, strict=True):
        assert after.ops[Op.MAC] == before.ops[Op.MAC] // 4 == 64
        assert after.ops[Op.KV_READ] == before.ops[Op.KV_READ] == 64
        assert after.ops[Op.ACTIVATION_READ] == before.ops[Op.ACTIVATION_READ] // 4


def test_without_columns_of_traffic_the_input_is_narrow() -> None:
    asa = Counts("asa", (row("fc", UP, Tally({Op.MAC: 64})),))
    ssa = Counts("ssa", (row("fc", UP, Tally({Op.AC: 9}, 256, 9, 64)),), timesteps=4)
    assert twin_counts(asa, ssa, HW, 3).layers[0].ops == {Op.MAC: 6, Op.AC: 58}


def test_an_accumulate_that_costs_no_less_narrows_no_product() -> None:
    asa, ssa = pair()
    prices = dict(HW.prices)
    prices[Op.AC] = prices[Op.AC].model_copy(update={"pj": 5.0})
    dear = HW.model_copy(update={"prices": prices})
    [twin] = twin_counts(asa, ssa, dear, 3).layers
    assert twin.ops[Op.MAC] == 64
    assert twin.ops[Op.ACTIVATION_READ] == 2


@pytest.mark.parametrize("levels", [x for x in Levels if x is not Levels.ANALOG])
def test_a_table_tells_what_its_events_may_be(levels: Levels) -> None:
    assert widest_levels(Counts("ssa", (row("x", UP, events(levels=levels)),))) is levels


def test_a_table_without_event_bytes_tells_nothing() -> None:
    asa, _ = pair()
    assert widest_levels(asa) is None
    bare = Tally({Op.AC: 9, Op.WEIGHT_READ: 64}, 256, 9, 64)
    assert widest_levels(Counts("ssa", (row("fc", UP, bare),))) is None


def test_a_narrow_product_is_fetched_as_a_product_and_not_as_events() -> None:
    asa, ssa = pair()
    assert HW.delivery is not None
    each = HW.delivery.model_copy(update={"mac_reuse": 2.0, "event_reuse": 1.0})
    machine = HW.model_copy(update={"delivery": each})
    bills = [estimate(x, machine) for x in (asa, twin_counts(asa, ssa, machine, 3), ssa)]
    # 64 products of 32 weights: each fetch serves its 2. 16 events x 4 sums fetch for themselves.
    assert [bill.counts.total(Op.DELIVERY) for bill in bills] == [32, 32, 64]


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 70),
    st.sampled_from(["45nm", "45nm-fp16", "45nm-int8"]),
    st.tuples(*[st.integers(1, 40)] * 3),
    st.booleans(),
)
def test_a_twin_never_costs_more(
    bits: int, hw: str, shape: tuple[int, int, int], spikformer: bool
) -> None:
    profile = load_profile(hw)
    asa, ssa, softmax = scores_and_mix()
    linear = row("fc", UP, dense(*shape))
    asa = replace(asa, layers=(*asa.layers, linear))
    ssa = ssa if spikformer else softmax
    ssa = replace(ssa, layers=(*ssa.layers, row("fc", UP, events())))
    same, twin = (estimate(x, profile) for x in (asa, twin_counts(asa, ssa, profile, bits)))
    for accounting in ("compute", "full"):
        assert twin.energy_pj(accounting) <= same.energy_pj(accounting) * (1 + 1e-12)
    wider = estimate(twin_counts(asa, ssa, profile, bits + 1), profile)
    assert twin.energy_pj("compute") <= wider.energy_pj("compute") * (1 + 1e-12)
