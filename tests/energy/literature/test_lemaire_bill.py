from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lemaire_paper import spiking_linear

from energy import (
    Attention,
    Counts,
    Label,
    LayerCount,
    Levels,
    Tally,
    count_pass,
    exposed_attention,
    formulas,
)
from energy.formulas import nonlinear
from energy.formulas.attention import Events, Product, analog_attention, event_attention, spikformer
from energy.literature.lemaire import (
    LEMAIRE,
    PARTS,
    PRINTED,
    Costs,
    LemaireError,
    Terms,
    dense_linear,
)
from energy.literature.lemaire_bill import lemaire
from hwmodels import Op

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel

FULL = Attention.FULL
SIZE = st.integers(1, 40)


def counts_of(*tallies: Tally, tokens: int = 1, steps: int = 1, kind: str = "Layer") -> Counts:
    rows = tuple(
        LayerCount(f"layer{i}", kind, Label("attention", f"part{i}"), calls=1, tally=tally)
        for i, tally in enumerate(tallies)
    )
    return Counts("ssa", rows, tokens=tokens, timesteps=steps)


def terms_of(tally: Tally, **how: int) -> Terms:
    (layer,) = lemaire(counts_of(tally, **how)).layers
    assert layer.terms is not None
    return layer.terms


@given(SIZE, SIZE, SIZE, st.booleans())
def test_a_dense_row_is_the_dense_layer(rows: int, fan_in: int, fan_out: int, bias: bool) -> None:
    tally = formulas.linear(rows, fan_in, fan_out, bias=bias)
    assert terms_of(tally, tokens=rows) == dense_linear(fan_in, fan_out, rows=rows, bias=bias)


@given(SIZE, SIZE, SIZE, SIZE, st.integers(1, 8), st.booleans())
def test_synapses_and_neurons_are_the_spiking_layer_and_its_drive(
    tokens: int, fan_in: int, fan_out: int, fired: int, steps: int, bias: bool
) -> None:
    slots, updates = steps * tokens * fan_in, steps * tokens * fan_out
    theta, theta_out = slots // 3, min(fired, updates)
    rows = (
        formulas.event_linear(
            steps * tokens, fan_in, fan_out, theta, bias=bias, levels=Levels.BINARY
        ),
        formulas.neurons(
            updates,
            theta_out,
            fan_out,
            inputs=updates,
            levels=Levels.BINARY,
            vector=fan_out,
            arithmetic={},
        ),
    )
    for variant in (LEMAIRE, PRINTED):
        bill = lemaire(counts_of(*rows, tokens=tokens, steps=steps, kind="LIF"), variant=variant)
        # The paper's layer has T steps of one input; here there are T x tokens.
        paper = spiking_linear(
            fan_in,
            fan_out,
            theta,
            theta_out,
            timesteps=steps * tokens,
            leak=True,
            bias=bias,
            variant=variant,
        )
        drive = Terms(acc=updates, read_in=updates, in_words=fan_out)
        assert bill.energy_pj() == pytest.approx(paper.pj(Costs()) + drive.pj(Costs()))


def test_a_shared_result_gets_its_bias_once() -> None:
    # 4 time steps of 2 tokens in one accumulator each: 2 x 5 biases instead of 8 x 5.
    tally = formulas.event_linear(8, 3, 5, 6, bias=True, levels=Levels.POWER, steps=4)
    found = terms_of(tally, tokens=2, steps=4)
    assert found.acc == 6 * 5 + 10  # a shift is an addition here
    assert found.read_weights == 6 * 5 + 10
    assert found.potentials == 6 * 5


def test_analog_events_are_a_dense_layer_whose_steps_share_a_result() -> None:
    tally = formulas.event_linear(8, 3, 5, 0, bias=True, levels=Levels.ANALOG, steps=4)
    found = terms_of(tally, tokens=2, steps=4)
    assert (found.mac, found.acc, found.read_in, found.write_out) == (120, 10, 24, 10)


def test_the_scores_of_an_analog_attention() -> None:
    # 2 heads of width 8, 3 queries, 5 keys: 2 * 3 * 5 = 30 scores of 8 products each. The stored
    # operand is 2 * 5 * 8 = 80 words of K, to which 2 * 3 * 8 = 48 are appended.
    tally = analog_attention("scores", Product(2, 3, 5, 8, 2, FULL))
    assert terms_of(tally, tokens=3) == Terms(
        mac=240,
        read_in=48,
        read_weights=240,
        write_out=30,
        address_acc=240,
        append=48,
        in_words=16,
        weight_words=80,
        out_words=10,
    )


def test_the_mix_of_an_event_driven_attention() -> None:
    # As above; 7 events of the weights, over 4 time steps, each add 8 values of V.
    product, events = Product(2, 3, 5, 8, 2, FULL), Events(7, 4 * 30, 56)
    tally = event_attention("mix", product, events, left=Levels.TERNARY, right=None, steps=4)
    assert terms_of(tally, tokens=3, steps=4) == Terms(
        acc=56,
        read_in=7,
        read_weights=56,
        potentials=56,
        address_acc=56,
        append=48,
        in_words=1000,
        weight_words=80,
        potential_words=16,
    )


def test_the_products_of_spikformer() -> None:
    # One time step of 2 heads of width 8, 4 queries and keys. Scores: 64 cached slots are 2
    # words, 4 queries have 2 * 4 results each. Mix: V streams over 2 * 4 * 4 = 32 stored scores
    # into the 64 results of all queries.
    product = Product(2, 4, 4, 8, 2, FULL)
    scores = terms_of(spikformer("scores", product, 5, 20), tokens=4)
    assert (scores.weight_words, scores.potential_words, scores.append) == (2, 8, 2)
    mix = terms_of(spikformer("mix", product, 5, 20), tokens=4)
    assert (mix.weight_words, mix.potential_words, mix.append) == (32, 64, 2)
    assert (mix.acc, mix.read_in, mix.read_weights, mix.potentials) == (20, 5, 20, 20)


def test_neurons_leak_by_their_kind() -> None:
    tally = formulas.neurons(24, 5, 3, inputs=24, levels=Levels.BINARY, vector=3, arithmetic={})
    leaky, perfect = (
        lemaire(counts_of(tally, tokens=2, steps=4, kind=kind)).layers[0].terms
        for kind in ("LIF", "SignedIF")
    )
    assert leaky is not None
    assert perfect is not None
    assert (leaky.mac, perfect.mac) == (24, 0)
    assert perfect == Terms(
        acc=5 + 24,
        read_in=24,
        potentials=24,
        write_out=5,
        in_words=3,
        potential_words=3,
        out_words=1000,
    )


def test_what_the_model_does_not_know_is_named() -> None:
    counts = counts_of(
        nonlinear.layer_norm(2, 8),
        formulas.matrix_product(1, 2, 3, 4),
        Tally({Op.MAC: 24}, dense_macs=24),
        Tally(),
        Tally({Op.MAC: 24, Op.WEIGHT_READ: 1000, Op.ACTIVATION_READ: 4}, dense_macs=24),
        tokens=2,
    )
    bill = lemaire(counts)
    assert bill.outside == {
        "layer0": "no matrix product and no neuron",
        "layer1": "no weights and no cache: which operand is stored was not counted",
        "layer2": "its traffic was not counted",
        "layer4": "its shape does not follow from its counts",
    }
    assert bill.energy_pj() == 0
    assert [layer.total_pj for layer in bill.layers] == [0] * 5


def test_the_printed_equation_concerns_no_product() -> None:
    tally = spikformer("scores", Product(2, 4, 4, 8, 2, FULL), 5, 20)
    counts = counts_of(tally, tokens=4)
    assert lemaire(counts, variant=PRINTED).energy_pj() == lemaire(counts).energy_pj()


@given(st.lists(st.tuples(SIZE, SIZE), min_size=1, max_size=5), st.floats(0.1, 10))
def test_the_bill_is_additive_over_layers_and_linear_in_prices(
    shapes: list[tuple[int, int]], factor: float
) -> None:
    tallies = [formulas.linear(2, *shape, bias=True) for shape in shapes]
    whole = lemaire(counts_of(*tallies, tokens=2))
    alone = [lemaire(counts_of(tally, tokens=2)).energy_pj() for tally in tallies]
    assert whole.energy_pj() == pytest.approx(sum(alone))
    by_part = [whole.energy_pj(component=f"part{i}") for i in range(len(shapes))]
    assert by_part == pytest.approx(alone)
    assert whole.energy_pj(block="attention") == whole.energy_pj()
    assert sum(whole.part_pj(part) for part in PARTS) == pytest.approx(whole.energy_pj())
    costs = Costs()
    dearer = Costs(
        factor * costs.add_pj, factor * costs.mul_pj, lambda words: factor * costs.word_pj(words)
    )
    assert lemaire(whole.counts, dearer).energy_pj() == pytest.approx(factor * whole.energy_pj())


def test_calls_add() -> None:
    counts = counts_of(formulas.linear(3, 4, 5, bias=True), tokens=3)
    assert lemaire(counts + counts).energy_pj() == pytest.approx(2 * lemaire(counts).energy_pj())


def test_counts_of_no_token_are_refused() -> None:
    counts = replace(counts_of(formulas.linear(1, 3, 5, bias=True)), tokens=0)
    with pytest.raises(LemaireError, match=r"'ssa' are of 0 tokens.*column `tokens`"):
        lemaire(counts)


def test_every_product_of_a_language_model_is_inside(tiny_gpt2: GPT2LMHeadModel) -> None:
    tokens = torch.zeros(2, 7, dtype=torch.long)
    with exposed_attention(tiny_gpt2):
        counts = count_pass(tiny_gpt2, lambda: tiny_gpt2(tokens), variant="asa", batch=2, tokens=14)
    bill = lemaire(counts)
    inside = [layer for layer in bill.layers if layer.terms is not None]
    assert sum(layer.terms.mac for layer in inside if layer.terms) == counts.dense_macs
    kinds = {layer.count.kind for layer in bill.layers if layer.outside}
    assert kinds == {"Embedding", "LayerNorm", "ScaledSoftmax", "NewGELUActivation", "Residual"}
    assert set(bill.outside.values()) == {"no matrix product and no neuron"}
