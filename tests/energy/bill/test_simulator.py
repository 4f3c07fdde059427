"""The closed forms of what moves against a machine that moves it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from math import sqrt

import pytest
from builders import chip
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator.layers import Sizes
from simulator.machine import Machine
from simulator.scratchpad import Scratchpad, hold_all_of_a, multiply
from simulator.spikformer import Spikformer

from energy import Counts, Label, LayerCount, formulas
from energy.bill.execution import executed
from energy.formulas import Attention, Conventions
from hwmodels import Buffer, Dataflow, Fusion, HardwareProfile, Op
from neurt.closed_form.passes import Pass
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape
from neurt.spiking.config import Code, Form, KeyValue, SpikingConfig

TINY = {
    "gpt2": Shape(2, 8, 2, 12, 11, 16),
    "llama": Shape(
        *(2, 8, 4, 12, 11, 16),
        **{"model_type": "llama", "kv_heads": 2, "activation": "silu"},
        **dict.fromkeys(("qkv_bias", "out_bias", "ffn_bias"), False),
    ),
}
#: Prefill of whole sequences, and decode after some.
PASSES = {"prefill": Pass(2, 6, 6), "decode": Pass(3, 1, 7)}
#: Queries of a head, of 6, in a block of attention.
BLOCKS = (2, 3, 6)


def room(counts: Counts, shape: Shape, block: int) -> int:
    """4 x the bytes of so many queries of a head: of one byte each, or bits of one time step."""
    levels = {x.tally.levels for x in counts.layers if x.label.component == "scores"}.pop()
    bits = levels.bits_per_slot if levels else 8
    return 4 * block * (shape.width // shape.heads) * bits // 8


def machine(fusion: str, room: int | None = None) -> HardwareProfile:
    level = {"read_pj_per_byte": 3.0, "write_pj_per_byte": 5.0, "source": "a bench"}
    ram = level | {"evidence": "measured"} | ({"capacity_bytes": room} if room else {})
    return chip({Op.ADD: 1.0, Op.CMP: 1.0}, memory={"ram": ram}, fusion=fusion)


def closed_form(counts: Counts, profile: HardwareProfile) -> dict[str, Counter[Op]]:
    found: dict[str, Counter[Op]] = {}
    for row in executed(counts, profile, Dataflow.LAYERWISE).layers:
        moved = {op: n for op, n in row.tally.ops.items() if op.group == "memory" and n}
        if moved:
            found.setdefault(row.label.component, Counter()).update(moved)
    return found


def sizes(shape: Shape, what: Pass, causal: bool, **more: bool | int) -> Sizes:
    return Sizes(
        *(shape.layers, shape.width, shape.heads, shape.kv_heads, shape.inner, shape.vocabulary),
        *(what.batch, what.queries, what.keys, shape.model_type == "llama"),
        causal=causal,
        **more,
    )


EVERY = list(product(TINY, PASSES, Fusion, Attention))


@pytest.mark.parametrize(("family", "phase", "fusion", "attention"), EVERY)
def test_the_analog_model_moves_what_the_closed_form_says(
    family: str, phase: str, fusion: Fusion, attention: Attention
) -> None:
    shape, what = TINY[family], PASSES[phase]
    counts = plan_asa(shape, what, Conventions(attention))
    simulated = Machine(
        sizes(shape, what, attention is Attention.CAUSAL),
        fused=fusion is Fusion.FUSED,
        spiking=False,
    )
    assert simulated.run() == closed_form(counts, machine(fusion))


@pytest.mark.parametrize("streamed", [False, True], ids=["stored", "streamed"])
@pytest.mark.parametrize(("family", "phase", "fusion", "attention"), EVERY)
def test_the_spiking_model_moves_what_the_closed_form_says(
    family: str, phase: str, fusion: Fusion, attention: Attention, streamed: bool
) -> None:
    shape, what = TINY[family], PASSES[phase]
    key_value = KeyValue.STREAMED if streamed else KeyValue.STORED
    spiking = SpikingConfig(timesteps=3, form=Form.SOFTMAX, code=Code.POW2, key_value=key_value)
    counts = plan_ssa(shape, what, spiking, 0.25, Conventions(attention))
    causal = attention is Attention.CAUSAL
    simulated = Machine(
        sizes(shape, what, causal, steps=3, streamed=streamed, zones=2),
        fused=fusion is Fusion.FUSED,
        spiking=True,
    )
    assert simulated.run() == closed_form(counts, machine(fusion))


@pytest.mark.parametrize("spiking", [False, True], ids=["analog", "spiking"])
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(("family", "attention"), list(product(TINY, Attention)))
def test_keys_and_values_are_read_once_for_each_block_of_queries(
    family: str, attention: Attention, block: int, spiking: bool
) -> None:
    shape, what, conventions = TINY[family], PASSES["prefill"], Conventions(attention)
    config = SpikingConfig(timesteps=3, form=Form.SOFTMAX, code=Code.POW2)
    counts = (
        plan_ssa(shape, what, config, 0.25, conventions)
        if spiking
        else plan_asa(shape, what, conventions)
    )
    simulated = Machine(
        sizes(shape, what, attention is Attention.CAUSAL, steps=3),
        fused=True,
        spiking=spiking,
        block=block,
    )
    found, stated = (
        simulated.run(),
        closed_form(counts, machine("fused", room(counts, shape, block))),
    )
    for role in ("scores", "mix"):
        assert found[role] == stated[role]


def hong_kung(rows: int, inner: int, columns: int, room: float) -> float:
    """Values that any order of a product moves with so much room.

    Hong and Kung 1981 with the tight constant of Smith, Lowery, Langou and van de Geijn, "A Tight
    I/O Lower Bound for Matrix Multiplication", arXiv:1702.02017: 2 M N K / sqrt(S) - 2 S.
    """
    return 2 * rows * inner * columns / sqrt(room) - 2 * room


side = st.integers(1, 12)


@settings(deadline=None, max_examples=100)
@given(side, side, side, st.integers(1, 12))
def test_no_order_of_the_loops_undercuts_the_lower_bound(
    rows: int, inner: int, columns: int, tile: int
) -> None:
    pad = Scratchpad(float("inf"))
    multiply(pad, rows, inner, columns, tile=tile)
    assert sum(pad.moved.values()) >= hong_kung(rows, inner, columns, pad.most)


@settings(deadline=None, max_examples=100)
@given(side, side, side)
def test_where_one_operand_fits_each_value_of_a_product_moves_once(
    rows: int, inner: int, columns: int
) -> None:
    # All of A, a column of B, and nothing else: what the closed form says is attained.
    pad = Scratchpad(rows * inner + inner)
    hold_all_of_a(pad, rows, inner, columns)
    tally = formulas.linear(rows, inner, columns, bias=False)
    assert dict(pad.moved) == {op: n for op, n in tally.ops.items() if op.group == "memory" and n}
    assert sum(pad.moved.values()) >= hong_kung(rows, inner, columns, pad.room)


large = st.integers(1, 5000)


@settings(deadline=None, max_examples=100)
@given(large, large, large, st.integers(1, 10**6), st.sampled_from(Fusion))
def test_the_closed_form_never_undercuts_the_lower_bound(
    rows: int, inner: int, columns: int, room: int, fusion: Fusion
) -> None:
    # Values of one byte, so that bytes of room are values.
    product = LayerCount(
        "a",
        "Linear",
        Label("head", "lm_head"),
        1,
        formulas.linear(rows, inner, columns, bias=False),
    )
    counts = Counts("asa", (product,), tokens=rows)
    [moved] = closed_form(counts, machine(fusion, room)).values()
    assert sum(moved.values()) >= hong_kung(rows, inner, columns, room) * (1 - 1e-12)


@settings(deadline=None, max_examples=100)
@given(large, large, large, st.integers(1, 10**6))
def test_a_byte_more_of_room_is_no_cliff_and_never_costs(
    rows: int, inner: int, columns: int, room: int
) -> None:
    tally = formulas.linear(rows, inner, columns, bias=False)
    counts = Counts("asa", (LayerCount("a", "Linear", calls=1, tally=tally),), tokens=rows)
    less, more = (
        sum(closed_form(counts, machine("unfused", x))[""].values()) for x in (room, room + 1)
    )
    assert less / (1 + 1 / room) * (1 - 1e-12) <= more <= less


def test_a_scratchpad_does_not_take_away_the_buffer_behind_it() -> None:
    # 60 bytes of inputs and 100 of weights: with a buffer of 64 the inputs lie on the chip and the
    # weights pass once; so they do with a scratchpad of 8 in front of it. With a buffer of 22 the
    # room is 8 + 22 = 30, and the weights pass 60 / 30 = 2 times.
    tally = formulas.linear(6, 10, 10, bias=False)
    counts = Counts("asa", (LayerCount("a", "Linear", calls=1, tally=tally),), tokens=6)

    def weights_read(**sizes: int) -> float:
        level = {"read_pj_per_byte": 3.0, "write_pj_per_byte": 5.0, "source": "a bench"}
        level |= {"evidence": "measured"}
        memory = {name: level | {"capacity_bytes": size} for name, size in sizes.items()}
        memory["dram"] = level
        names = list(memory)
        profile = chip(memory=memory, placement=dict.fromkeys(Buffer, names))
        return closed_form(counts, profile)[""][Op.WEIGHT_READ]

    assert weights_read(sram=64) == weights_read(spad=8, sram=64) == 100
    assert weights_read(sram=30) == weights_read(spad=8, sram=22) == 200


def test_a_strip_of_the_smaller_operand_stays_while_the_larger_one_passes() -> None:
    # A of 6 x 4 by B of 4 x 10 in the room of half of A: B passes twice, and A and C move once. The
    # loops need room for a column of B beside the strip.
    pad = Scratchpad(3 * 4 + 4)
    for strip in range(2):
        hold_all_of_a(pad, 3, 4, 10)
        assert pad.moved[Op.WEIGHT_READ] == 40 * (strip + 1)
    tally = formulas.linear(6, 4, 10, bias=False)
    counts = Counts("asa", (LayerCount("a", "Linear", calls=1, tally=tally),), tokens=6)
    assert closed_form(counts, machine("unfused", 12))[""] == pad.moved
    # A table from elsewhere that says no dense MACs has the same products.
    row = replace(counts.layers[0], tally=tally._replace(dense_macs=0))
    counts = replace(counts, layers=(row,))
    assert closed_form(counts, machine("unfused", 12))[""] == pad.moved


@pytest.mark.parametrize("block", [None, *BLOCKS])
@pytest.mark.parametrize(("family", "phase", "fusion", "attention"), EVERY)
def test_spikformer_moves_what_the_closed_form_says(
    family: str, phase: str, fusion: Fusion, attention: Attention, block: int | None
) -> None:
    shape, what = TINY[family], PASSES[phase]
    spiking = SpikingConfig(timesteps=3, form=Form.SPIKFORMER, code=Code.POW2)
    counts = plan_ssa(shape, what, spiking, 0.25, Conventions(attention))
    simulated = Spikformer(
        sizes(shape, what, attention is Attention.CAUSAL, steps=3, zones=2),
        fused=fusion is Fusion.FUSED,
        spiking=True,
        block=block,
    )
    found = simulated.run()
    stated = closed_form(counts, machine(fusion, block and room(counts, shape, block)))
    for component in found if block is None else ("scores", "mix"):
        assert found[component] == stated[component]
    assert found.keys() == stated.keys()
