from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from builders import CITED, chip
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import Counts, LayerCount, Levels, Tally, formulas
from energy.bill.execution import cores_needed, executed, mean_hops
from energy.bill.placement import BUFFERS
from energy.bill.pricing import prepare
from energy.counts.columns import Columns
from energy.formulas import Attention
from energy.formulas.attention import Events, Product, event_attention
from hwmodels import Buffer, Core, Dataflow, Op

CORE = Core(synapses=40, neurons=4, source="a bench", evidence="measured")


def row(tally: Tally, calls: int = 1) -> LayerCount:
    return LayerCount("layer", "Layer", calls=calls, tally=tally)


def one(tally: Tally, dataflow: Dataflow, timesteps: int = 4) -> dict[Op, int]:
    counts = Counts("ssa", (row(tally),), timesteps=timesteps)
    return dict(executed(counts, chip({Op.ADD: 1.0}), dataflow).layers[0].tally.ops)


# 4 steps x 2 tokens of 8 channels into 5 accumulators, 7 of the 64 slots hold a spike
LINEAR = formulas.event_linear(8, 8, 5, 7, bias=True, levels=Levels.BINARY, steps=4)
# a coder of 2 tokens x 8 channels over 4 steps, 7 spikes
CODER = formulas.neurons(
    64, 7, 8, inputs=16, levels=Levels.BINARY, vector=8, arithmetic={Op.NEURON_ADD: 64}
)
#: An update is charged as what it is made of.
UPDATED = {op: n for op, n in CODER.ops.items() if op is not Op.NEURON_UPDATE}
# queries as events over stored analog keys: 4 steps, 1 head, 2 queries, 3 keys, width 8
SCORES = event_attention(
    "scores",
    Product(1, 2, 3, 8, 1, Attention.FULL),
    Events(7, 64, 21),
    left=Levels.BINARY,
    right=None,
    steps=4,
)


def test_layerwise_is_what_was_counted() -> None:
    for tally in (LINEAR, CODER, SCORES):
        counted = {op: n for op, n in tally.ops.items() if n and op is not Op.NEURON_UPDATE}
        assert one(tally, Dataflow.LAYERWISE) == counted


def test_stepwise_fetches_what_is_stored_and_every_input_once_per_step() -> None:
    assert one(LINEAR, Dataflow.STEPWISE) == LINEAR.ops | {
        Op.WEIGHT_READ: 4 * 8 * 5,
        Op.VECTOR_READ: 4 * 5,
    }
    assert one(CODER, Dataflow.STEPWISE) == UPDATED | {
        Op.VECTOR_READ: 4 * 8,
        Op.ACTIVATION_READ: 64,
    }
    assert one(SCORES, Dataflow.STEPWISE)[Op.KV_READ] == 4 * 3 * 8


def test_event_driven_fetches_a_weight_and_moves_an_accumulator_per_event() -> None:
    # 7 spikes x 5 accumulators; 7 addresses
    assert one(LINEAR, Dataflow.EVENT_DRIVEN) == LINEAR.ops | {
        Op.WEIGHT_READ: 35,
        Op.STATE_READ: 35,
        Op.STATE_WRITE: 35,
        Op.SPIKE_READ: 7,
    }
    assert one(CODER, Dataflow.EVENT_DRIVEN) == UPDATED | {
        Op.ACTIVATION_READ: 64,
        Op.SPIKE_WRITE: 7,
    }
    assert one(SCORES, Dataflow.EVENT_DRIVEN)[Op.KV_READ] == 21


def test_time_batched_keeps_membrane_potentials_in_registers() -> None:
    ops = one(CODER, Dataflow.TIME_BATCHED)
    assert not {Op.STATE_READ, Op.STATE_WRITE} & ops.keys()
    assert ops == {k: n for k, n in UPDATED.items() if k not in (Op.STATE_READ, Op.STATE_WRITE)}
    assert one(LINEAR, Dataflow.TIME_BATCHED) == LINEAR.ops


def test_gathered_fetches_the_rows_that_are_touched_and_all_where_nobody_looked() -> None:
    batched = one(LINEAR, Dataflow.TIME_BATCHED)
    assert one(LINEAR, Dataflow.GATHERED) == batched  # nobody looked
    # 3 of 8 channels reach 5 accumulators; biases stay
    linear = one(LINEAR._replace(touched_weights=15), Dataflow.GATHERED)
    assert linear == batched | {Op.WEIGHT_READ: 15}
    assert one(LINEAR._replace(touched_weights=0), Dataflow.GATHERED) == {
        op: n for op, n in batched.items() if op is not Op.WEIGHT_READ
    }
    # 2 of 3 keys of width 8, stored as values or as spikes
    assert one(SCORES._replace(touched_kv=16), Dataflow.GATHERED)[Op.KV_READ] == 16
    spikes = Tally(
        {Op.AC: 9, Op.KV_SPIKE_READ: 24, Op.KV_SPIKE_WRITE: 8}, spikes=3, slots=24, touched_kv=16
    )
    assert one(spikes, Dataflow.GATHERED) == spikes.ops | {Op.KV_SPIKE_READ: 16}


def test_gathered_holds_for_an_analog_layer_whose_zeros_were_counted() -> None:
    dense = formulas.linear(6, 8, 5, bias=True)
    assert one(dense._replace(touched_weights=15), Dataflow.GATHERED) == dense.ops | {
        Op.WEIGHT_READ: 15
    }
    for dataflow in Dataflow:
        if dataflow is not Dataflow.GATHERED:
            assert one(dense._replace(touched_weights=15), dataflow) == dense.ops


def test_what_memory_holds_is_the_whole_matrix() -> None:
    machine, flow = chip(), Dataflow.GATHERED
    layer = row(LINEAR._replace(touched_weights=15))
    counts = Counts("ssa", (layer,), timesteps=4)
    work = prepare(counts, machine, flow)
    weights = BUFFERS.index(Buffer.WEIGHTS)
    assert work.held.bytes[0, weights] == 8 * 5 + 5  # with the biases
    assert work.held.moved[0, weights] == 15 + 5


def test_a_row_that_is_not_touched_is_not_delivered() -> None:
    # 35 events of 40 weights, of which 15 are touched: each is used 35 / 15 times
    delivery = {"pj_per_byte": 1.0, "mac_reuse": 64, "event_reuse": 64, **CITED}
    machine = chip(delivery=delivery)
    counts = Counts("ssa", (row(LINEAR._replace(touched_weights=15)),), timesteps=4)
    assert executed(counts, machine, Dataflow.GATHERED).total(Op.DELIVERY) == pytest.approx(15)
    assert executed(counts, machine, Dataflow.TIME_BATCHED).total(Op.DELIVERY) == 35


@pytest.mark.parametrize("dataflow", Dataflow)
def test_a_dense_layer_moves_the_same_in_every_dataflow(dataflow: Dataflow) -> None:
    dense = formulas.linear(6, 8, 5, bias=True)
    assert one(dense, dataflow) == dense.ops


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 64), st.integers(1, 8), st.sampled_from(Dataflow))
def test_no_dataflow_changes_the_arithmetic(events: int, steps: int, dataflow: Dataflow) -> None:
    tally = formulas.event_linear(
        8 * steps, 8, 5, events, bias=True, levels=Levels.TERNARY, steps=steps
    )
    ops = one(tally, dataflow, steps)
    for op in Op:
        if op.group != "memory":
            assert ops.get(op, 0) == tally.ops.get(op, 0)


def needed(layer: LayerCount, core: Core) -> float:
    [cores] = cores_needed(Columns.of([layer]), core)
    return float(cores)


def test_cores_are_as_many_as_weights_or_neurons_demand() -> None:
    # 8 x 5 = 40 weights fit in one core of 40, but 5 neurons need two cores of 4
    assert needed(row(LINEAR), CORE) == 2
    assert needed(row(LINEAR), CORE.model_copy(update={"neurons": 100})) == 1
    assert needed(row(LINEAR), CORE.model_copy(update={"synapses": 12})) == 4  # 40 / 12
    twice = Tally.total([LINEAR, LINEAR])
    assert needed(row(twice, calls=2), CORE) == 2
    dense = formulas.linear(6, 8, 5, bias=True)
    assert needed(row(dense), CORE) == needed(row(CODER), CORE) == 0


@pytest.mark.parametrize("side", [1, 2, 3, 7])
def test_the_mean_distance_in_a_mesh(side: int) -> None:
    places = list(product(range(side), repeat=2))
    distances = [abs(a - c) + abs(b - d) for (a, b), (c, d) in product(places, repeat=2)]
    assert mean_hops(side**2) == Fraction(sum(distances), len(distances))
    assert mean_hops(side**2 + 1) == mean_hops((side + 1) ** 2)


def test_every_spike_travels_to_each_core_of_the_layer_it_drives() -> None:
    counts = Counts("ssa", (row(CODER), row(LINEAR), row(SCORES)), timesteps=4)
    layers = executed(counts, chip(core=CORE), Dataflow.LAYERWISE).layers
    # 2 cores make a mesh of 2 x 2, where two cores are 2 x 3 / 6 = 1 hop apart in the mean: 7
    # spikes to 2 cores, and 7 into the product of attention, each to one core
    assert [layer.tally.ops.get(Op.SPIKE_HOP, 0) for layer in layers] == [0, 14, 7]


def test_without_cores_nothing_is_routed() -> None:
    counts = Counts("ssa", (row(LINEAR),), timesteps=4)
    assert executed(counts, chip(), Dataflow.LAYERWISE).total(Op.SPIKE_HOP) == 0


def test_an_update_is_charged_whole_or_as_what_it_is_made_of() -> None:
    whole, parts = chip({Op.NEURON_UPDATE: 7.0}), chip({Op.ADD: 1.0})
    counts = Counts("ssa", (row(CODER),), timesteps=4)
    for machine, op in ((whole, Op.NEURON_UPDATE), (parts, Op.NEURON_ADD)):
        ops = executed(counts, machine, Dataflow.LAYERWISE).layers[0].tally.ops
        assert {x for x in ops if x.group == "neuron"} == {op}
        assert ops[op] == 64


@pytest.mark.parametrize(
    ("mac_reuse", "fetches"),
    [
        (1, 240),  # each of the 6 x 8 x 5 MACs fetches its weight
        (3, 80),
        (6, 40),  # a weight serves all 6 rows
        (2048, 40),  # and no more: it is fetched once per call
    ],
)
def test_a_fetch_serves_as_many_uses_as_a_call_has(mac_reuse: int, fetches: int) -> None:
    delivery = {"pj_per_byte": 1.0, "mac_reuse": mac_reuse, "event_reuse": 1, **CITED}
    counts = Counts("asa", (row(formulas.linear(6, 8, 5, bias=True)),))
    run = executed(counts, chip(delivery=delivery), Dataflow.LAYERWISE)
    assert run.total(Op.DELIVERY) == fetches


@pytest.mark.parametrize(
    ("macs", "dense_macs", "fetches"),
    [
        (0, 0, 80),  # each event fetches for itself
        (1, 0, 81),  # beside a MAC, too
        (20, 100, 60),  # parts of narrow products: 100 of them share 60 fetches of 60 weights
    ],
)
def test_events_beside_macs_are_narrow_products_only_where_dense_macs_say_so(
    macs: int, dense_macs: int, fetches: int
) -> None:
    delivery = {"pj_per_byte": 1.0, "mac_reuse": 64, "event_reuse": 1, **CITED}
    ops = {Op.MAC: macs, Op.AC: 80, Op.WEIGHT_READ: 60}
    counts = Counts("asa", (row(Tally(ops, dense_macs=dense_macs)),))
    assert executed(counts, chip(delivery=delivery), Dataflow.LAYERWISE).total(Op.DELIVERY) == (
        fetches
    )


def test_events_fetch_for_themselves() -> None:
    # 7 events x 5 accumulators, of 40 weights, each used less than once: 35 fetches
    delivery = {"pj_per_byte": 1.0, "mac_reuse": 64, "event_reuse": 64, **CITED}
    counts = Counts("ssa", (row(LINEAR),), timesteps=4)
    assert executed(counts, chip(delivery=delivery), Dataflow.LAYERWISE).total(Op.DELIVERY) == 35
