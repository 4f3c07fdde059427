from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import CITED, chip, labelled
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import Counts, LayerCount, Tally, estimate
from energy.bill.layer import GROUPS
from energy.bill.request import bill_of
from hwmodels import HardwareProfile, Op, load_profile

PROFILES = ("45nm", "45nm-fp16", "45nm-int8", "kerasspiking-cpu", "loihi", "truenorth")

#: What may be counted and has a price of its own; the parts of a neuron are charged instead of it.
PRICED = [op for op in Op if op.buffer is None and op is not Op.DELIVERY and not op.alike]
COUNTED = [op for op in Op if op.is_counted and not op.alike]
ANALOG_TRAFFIC = [op for op in Op if op.buffer is not None and "spike" not in op.value]
SPIKE_TRAFFIC = [op for op in Op if op.buffer is not None and "spike" in op.value]

OPS = st.dictionaries(st.sampled_from(COUNTED), st.integers(0, 10**12), max_size=len(Op))
COUNTS = st.lists(OPS, min_size=1, max_size=4).map(lambda layers: counts_of(*layers))


def counts_of(*layers: dict[Op, int], **about: Any) -> Counts:
    return Counts(
        "asa",
        tuple(
            LayerCount(f"layer{i}", "Linear", calls=1, tally=Tally(ops))
            for i, ops in enumerate(layers)
        ),
        **about,
    )


def profile(pj: dict[Op, float] | None = None, **changed: Any) -> HardwareProfile:
    """Every operation that is not traffic costs 2 pJ unless said otherwise, a byte 3 or 5."""
    return chip(dict.fromkeys(PRICED, 2.0) if pj is None else pj, **changed)


def scaled(original: HardwareProfile, factor: float) -> HardwareProfile:
    """The same profile with every price and every byte `factor` times as expensive."""
    keys = original.model_dump()
    if keys["delivery"]:
        keys["delivery"]["pj_per_byte"] *= factor
    for price in keys["prices"].values():
        price["pj"] *= factor
    for level in keys["memory"].values():
        level["curve"] = [(size, pj * factor) for size, pj in level["curve"]]
        for part in ("read_pj_per_byte", "write_pj_per_byte"):
            level[part] = None if level[part] is None else level[part] * factor
    return HardwareProfile.model_validate(keys)


def test_a_layer_costs_counts_times_prices() -> None:
    counts = counts_of({Op.MAC: 10, Op.ADD: 4, Op.KV_READ: 8}, {Op.AC: 7, Op.KV_WRITE: 1})
    bill = estimate(counts, profile({Op.MAC: 2.0, Op.AC: 0.5, Op.ADD: 1.5}))
    assert bill.layers[0].pj == {Op.MAC: 20.0, Op.ADD: 6.0, Op.KV_READ: 24.0}
    assert bill.layers[1].pj == {Op.AC: 3.5, Op.KV_WRITE: 5.0}
    assert [layer.compute_pj for layer in bill.layers] == [20.0, 3.5]
    assert [layer.total_pj for layer in bill.layers] == [50.0, 8.5]
    assert bill.energy_pj("compute") == 23.5
    assert bill.energy_pj("full") == bill.energy_pj() == 58.5


@settings(deadline=None, max_examples=50)
@given(COUNTS, st.sampled_from(PROFILES))
def test_the_bill_doubles_with_the_prices(counts: Counts, name: str) -> None:
    once, twice = load_profile(name), scaled(load_profile(name), 2)
    for accounting in ("compute", "full"):
        single = estimate(counts, once).energy_pj(accounting)
        assert estimate(counts, twice).energy_pj(accounting) == pytest.approx(2 * single)


@settings(deadline=None, max_examples=50)
@given(COUNTS, st.sampled_from(PROFILES))
def test_the_bill_doubles_with_the_counts(counts: Counts, name: str) -> None:
    chip = load_profile(name)
    single = estimate(counts, chip).energy_pj()
    assert estimate(counts + counts, chip).energy_pj() == pytest.approx(2 * single)


@settings(deadline=None, max_examples=50)
@given(COUNTS, st.sampled_from([profile(), load_profile("loihi"), load_profile("truenorth")]))
def test_the_bill_is_the_sum_over_layers(counts: Counts, chip: HardwareProfile) -> None:
    # Where layers share on-chip memory (45nm), what one holds moves the others; see placement.
    alone = [estimate(replace(counts, layers=(x,)), chip).energy_pj() for x in counts.layers]
    bill = estimate(counts, chip)
    assert bill.energy_pj() == pytest.approx(sum(alone))
    assert [layer.total_pj for layer in bill.layers] == pytest.approx(alone)


@settings(deadline=None, max_examples=50)
@given(COUNTS, st.sampled_from(PROFILES))
def test_the_headings_add_up_to_the_total(counts: Counts, name: str) -> None:
    bill = estimate(counts, load_profile(name))
    assert sum(bill.group_pj(group) for group in GROUPS) == pytest.approx(bill.energy_pj())
    assert bill.group_pj("compute") == pytest.approx(bill.energy_pj("compute"))
    for layer in bill.layers:
        assert sum(layer.group_pj(group) for group in GROUPS) == pytest.approx(layer.total_pj)


@pytest.mark.parametrize("name", PROFILES)
def test_nothing_counted_costs_nothing(name: str) -> None:
    bill = estimate(counts_of({}, dict.fromkeys(Op, 0)), load_profile(name))
    assert bill.energy_pj() == bill.energy_pj("compute") == 0
    assert bill.unpriced == {}
    assert bill.coverage == 1


@settings(deadline=None, max_examples=50)
@given(COUNTS, st.sampled_from(PROFILES))
def test_every_counted_operation_is_on_the_bill_or_in_unpriced(counts: Counts, name: str) -> None:
    chip = load_profile(name)
    bill = estimate(counts, chip)
    billed = {op for layer in bill.layers for op in layer.pj}
    executed = {op for op in Op if bill.counts.total(op)}
    assert billed | bill.unpriced.keys() == executed
    assert not billed & bill.unpriced.keys()
    assert all(number == bill.counts.total(op) for op, number in bill.unpriced.items())
    # What is executed is what was counted, but for fetches beside the adders and neurons.
    same = [op for op in Op if op is not Op.DELIVERY and op.group != "neuron"]
    assert all(bill.counts.total(op) == counts.total(op) for op in same if not op.buffer)
    assert not any(chip.is_priced(op) for op in bill.unpriced)


def test_an_unpriced_operation_is_not_a_free_one() -> None:
    chip = profile({Op.MAC: 2.0, Op.CMP: 0.0})
    bill = estimate(counts_of({Op.EXP: 7, Op.CMP: 5, Op.MAC: 1}, {Op.EXP: 1}), chip)
    assert bill.layers[0].pj == {Op.MAC: 2.0, Op.CMP: 0.0}
    assert bill.layers[1].pj == {}
    assert bill.unpriced == {Op.EXP: 8}


def test_an_included_operation_is_free_and_not_unpriced() -> None:
    bill = estimate(
        counts_of({Op.AC: 10, Op.SPIKE: 3, Op.STATE_READ: 4}), load_profile("truenorth")
    )
    assert bill.layers[0].pj == {Op.AC: 260.0, Op.SPIKE: 0.0, Op.STATE_READ: 0.0}
    assert bill.unpriced == {}


def test_unpriced_operations_come_in_the_order_of_the_vocabulary() -> None:
    bill = estimate(counts_of({Op.SQRT: 1, Op.KV_READ: 1}, {Op.MAC: 1}), load_profile("loihi"))
    assert list(bill.unpriced) == [Op.MAC, Op.SQRT, Op.KV_READ]


def test_coverage_is_the_priced_share_of_the_operations() -> None:
    counts = counts_of({Op.MAC: 60, Op.EXP: 30, Op.KV_READ: 1000}, {Op.SQRT: 10})
    assert estimate(counts, profile({Op.MAC: 2.0})).coverage == pytest.approx(0.6)
    no_memory = profile({Op.MAC: 2.0, Op.EXP: 1.0, Op.SQRT: 1.0}, memory={}, placement={})
    assert estimate(counts, no_memory).coverage == 1  # traffic is left out
    assert estimate(counts, no_memory).unpriced == {Op.KV_READ: 1000}


@pytest.mark.parametrize("width", [4, 2, 0.5])
def test_analog_traffic_follows_the_width_of_a_value_and_spikes_do_not(width: float) -> None:
    # 100 values of each kind; 800 slots of one bit are 100 bytes in a pass without spikes
    counts = counts_of(dict.fromkeys(ANALOG_TRAFFIC, 100) | dict.fromkeys(SPIKE_TRAFFIC, 800))
    machine = profile(value_bytes=width, widths={"accumulators": 8}, encoding="packed")
    bill = estimate(counts, machine).layers[0]
    state = {Op.STATE_READ: 300.0, Op.STATE_WRITE: 500.0}
    assert bill.pj == (
        {op: 100 * width * (3 if op.is_read else 5) for op in ANALOG_TRAFFIC}
        | {op: 100.0 * (3 if op.is_read else 5) for op in SPIKE_TRAFFIC}
        | state
    )


def test_both_bounds_are_the_bill_of_the_same_counts() -> None:
    # An activation function reads and writes 10 values at 3 and 5 pJ, or takes them on their way.
    counts = labelled("asa", f=("ffn", "activation", {Op.CMP: 10, Op.ACTIVATION_READ: 10,
                                                      Op.ACTIVATION_WRITE: 10}))  # fmt: skip
    bill = estimate(counts, profile())
    assert bill.energy_pj("unfused") == bill.energy_pj() == 20 + 30 + 50
    assert bill.energy_pj("fused") == bill.under("fused").energy_pj() == 20
    assert (bill + bill).energy_pj("fused") == 40
    assert bill.under("fused").under("unfused").energy_pj() == bill.energy_pj()


def test_energy_of_a_block_or_component() -> None:
    counts = labelled(
        "asa",
        a=("attention", "proj", {Op.MAC: 1, Op.ADD: 100}),
        b=("attention", "scores", {Op.MAC: 10}),
        c=("ffn", "proj", {Op.MAC: 1000}),
    )
    bill = estimate(counts, profile())
    assert bill.energy_pj(block="attention") == 222
    assert bill.energy_pj("compute", block="attention") == 22
    assert bill.energy_pj("compute", component="proj") == 2002
    assert bill.energy_pj("compute", block="ffn", component="proj") == 2000
    assert bill.energy_pj(block="head") == 0


def test_static_energy_is_power_times_latency_or_unknown() -> None:
    counts = counts_of({Op.MAC: 100})
    watts = {"watts": 0.5, "source": "a bench", "evidence": "measured"}
    chip = profile(static_power=watts)
    assert estimate(counts, chip).static_pj is None  # no latency
    assert estimate(counts, profile(), latency_s=2.0).static_pj is None  # no power
    bill = estimate(counts, chip, latency_s=3e-9)
    assert bill.static_pj == pytest.approx(1500)  # 0.5 W x 3 ns
    assert bill.energy_pj() == pytest.approx(1500 + 200)
    assert bill.energy_pj("compute") == bill.energy_pj(block="other") == 200
    assert estimate(counts, load_profile("truenorth")).static_pj == 0  # inside the one price


def test_latency_follows_from_the_throughput_where_it_covers_the_products() -> None:
    rate = {"source": "a bench", "evidence": "measured"}
    chip = profile(
        throughput={"mac": {"per_second": 1e9, **rate}, "cmp": {"per_second": 1e8, **rate}}
    )
    # 100 MACs at 1 ns and 5 comparisons at 10 ns
    assert estimate(counts_of({Op.MAC: 100, Op.CMP: 5}), chip).latency_s == pytest.approx(150e-9)
    assert estimate(counts_of({Op.MAC: 100, Op.AC: 1}), chip).latency_s is None
    assert estimate(counts_of({Op.MAC: 100}), chip, latency_s=1.0).latency_s == 1.0


def test_static_energy_is_there_when_nothing_is_counted() -> None:
    watts = {"watts": 2.0, "source": "a bench", "evidence": "measured"}
    bill = estimate(counts_of({}), profile(static_power=watts), latency_s=1e-12)
    assert bill.energy_pj() == pytest.approx(2.0)


def test_traffic_is_billed_by_memory_level() -> None:
    cited = {"source": "a bench", "evidence": "measured"}
    flat = {"read_pj_per_byte": 3.0, "write_pj_per_byte": 5.0, **cited}
    chip = profile(
        memory={"near": flat | {"capacity_bytes": 89}, "far": {**flat, "read_pj_per_byte": 7.0}},
        placement={"weights": ["near", "far"], "activations": "near"},
    )
    counts = counts_of({Op.WEIGHT_READ: 80, Op.ACTIVATION_READ: 9}, {Op.WEIGHT_READ: 30})
    bill = estimate(counts, chip)
    # beside 9 bytes of activations, which live near, 80 of the 110 of weights have room: those of
    # the first layer
    assert bill.level_pj == {"near": 3 * (9 + 80), "far": 7 * 30}
    assert [layer.level_pj for layer in bill.layers] == [{"near": 267.0}, {"far": 210.0}]
    assert sum(bill.level_pj.values()) == bill.group_pj("memory")


def test_the_bills_of_two_phases_add() -> None:
    watts = {"watts": 1.0, "source": "a bench", "evidence": "measured"}
    chip = profile(static_power=watts)
    first = estimate(counts_of({Op.MAC: 3}, phase="prefill", tokens=5), chip, latency_s=1e-12)
    second = estimate(
        counts_of({Op.MAC: 4, Op.KV_READ: 2}, phase="decode@6", tokens=1), chip, latency_s=2e-12
    )
    both = first + second
    assert both.layers[0].pj == {Op.MAC: 14.0, Op.KV_READ: 6.0}
    assert (both.counts.phase, both.counts.tokens, both.counts.total(Op.MAC)) == ("request", 6, 7)
    assert both.static_pj == pytest.approx(3.0)
    assert both.energy_pj() == pytest.approx(first.energy_pj() + second.energy_pj())
    with pytest.raises(ValueError, match="do not add"):
        first + estimate(second.counts, load_profile("loihi"))


def test_an_unknown_accounting_is_refused() -> None:
    bill = estimate(Counts("asa", ()), load_profile("45nm"))
    with pytest.raises(
        ValueError, match="'computes' is not known; known are compute, fused, unfused"
    ):
        bill.energy_pj("computes")


def test_a_time_that_is_given_is_that_of_the_other_bound_too() -> None:
    chip = profile(static_power={"watts": 2.0, **CITED})
    counts = counts_of({Op.MAC: 1})
    whole = bill_of([counts, counts], chip, latency_s=3.0)
    # 2 W for 3 s are 6 J, once for both phases
    assert [whole.under(bound).static_pj for bound in ("fused", "unfused")] == [6e12, 6e12]
    unknown = estimate(counts, chip, latency_s=3.0).lasting(None)
    assert [unknown.under(bound).static_pj for bound in ("fused", "unfused")] == [None, None]
