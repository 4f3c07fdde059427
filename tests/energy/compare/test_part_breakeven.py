from __future__ import annotations

from typing import Any

import pytest

from energy import Counts, LayerCount, Levels, Tally, estimate, formulas
from energy.compare.breakeven import Bound, BreakEven, Part, Verdict
from energy.compare.part_breakeven import STATIC, part_break_even, silenced
from energy.formulas.nonlinear import row_normalise
from hwmodels import HardwareProfile, Op

WHOLE = Part("all", "model", "", "everything", None, None)
FC = Part("fc", "layer", "", "layer and coder", frozenset({"fc"}), frozenset({"fc", "coder"}))
SIGNED_IF = {Op.NEURON_ADD: 80, Op.NEURON_CMP: 80}  # 2 of each in each of 40 steps
PRICES = {Op.MAC: 5.0, Op.AC: 1.0, Op.NEURON_UPDATE: 2.0, Op.SPIKE: 3.0, Op.EXP: 7.0}


def chip(*ops: Op, **more: Any) -> HardwareProfile:
    priced = {op: {"pj": PRICES[op], "source": "test", "evidence": "measured"} for op in ops}
    about: dict[str, Any] = {"title": "A chip", "precision": "fp32", "value_bytes": 4}
    return HardwareProfile(name="chip", prices=priced, **about, **more)


def layers(*rows: tuple[str, dict[Op, int], int, int, int]) -> tuple[LayerCount, ...]:
    return tuple(
        LayerCount(name, "", calls=1, tally=Tally(ops, macs, spikes, slots))
        for name, ops, macs, spikes, slots in rows
    )


#: 10 inputs, 10 outputs, a non-linear function; T = 2 steps with 4 spikes in 20 slots.
ASA = Counts("asa", layers(("fc", {Op.MAC: 100}, 100, 0, 0), ("act", {Op.EXP: 10}, 0, 0, 0)))
SSA = Counts(
    "ssa",
    layers(
        ("coder", {Op.NEURON_UPDATE: 20, Op.SPIKE: 4}, 0, 4, 20),
        ("fc", {Op.AC: 40}, 200, 4, 20),
        ("act", {Op.EXP: 10}, 0, 0, 0),
    ),
    timesteps=2,
)


def found(
    profile: HardwareProfile,
    accounting: str = "full",
    part: Part = FC,
    ssa: Counts = SSA,
    asa: Counts = ASA,
) -> BreakEven:
    bills = [estimate(counts, profile) for counts in (asa, silenced(ssa), ssa)]
    one = part_break_even(part, accounting, *bills)
    assert one is not None
    return one


def test_a_layer_with_its_coder() -> None:
    # Dense 100 x 5 = 500 pJ. Silent 20 x 2 = 40 pJ; 4 spikes 4 x 3 + 40 x 1 = 52 pJ more.
    one = found(chip(*PRICES))
    assert (one.asa_pj, one.silent_pj, one.busy_pj) == (500, 40, 92)
    assert (one.busy_rate, one.busy_events_per_mac) == (0.2, 0.4)  # 4 / 20, 40 / 100
    # 460 / 52 times as many events: rate 1.769, so it always wins.
    assert one.rate == pytest.approx(0.2 * 460 / 52)
    assert one.events_per_mac == pytest.approx(0.4 * 460 / 52)
    assert one.spikes_per_synapse == pytest.approx(2 * 0.2 * 460 / 52)
    assert one.verdict is Verdict.ALWAYS


def test_arithmetic_alone() -> None:
    # 5 / (2 x 1) = 2.5; the coder does not count.
    one = found(chip(Op.MAC, Op.AC), "compute")
    assert (one.asa_pj, one.silent_pj, one.busy_pj) == (500, 0, 40)
    assert one.rate == pytest.approx(2.5)
    assert not one.unpriced


def test_a_missing_price_on_the_spiking_side_leaves_an_upper_bound() -> None:
    one = found(chip(Op.MAC, Op.AC, Op.NEURON_UPDATE))
    assert (one.unpriced, one.bound, one.rate) == (("spike",), Bound.AT_MOST, None)
    assert one.priced_rate == pytest.approx(0.2 * 460 / 40)
    assert found(chip(*PRICES)).rate < one.priced_rate  # type: ignore[operator]


def test_a_missing_price_on_the_analog_side_leaves_a_lower_bound() -> None:
    # The spiking side has no non-linear function.
    ssa = Counts("ssa", SSA.layers[:2], timesteps=2)
    priced = [op for op in PRICES if op is not Op.EXP]
    one = found(chip(*priced), part=WHOLE, ssa=ssa)
    assert (one.unpriced, one.bound, one.rate) == (("exp",), Bound.AT_LEAST, None)
    assert one.priced_rate < found(chip(*PRICES), part=WHOLE, ssa=ssa).rate  # type: ignore[operator]


def test_missing_prices_on_both_sides_leave_nothing() -> None:
    ssa = Counts("ssa", SSA.layers[:2], timesteps=2)
    one = found(chip(Op.MAC, Op.AC, Op.NEURON_UPDATE), part=WHOLE, ssa=ssa)
    assert one.unpriced == ("exp", "spike")
    assert one.bound is Bound.UNKNOWN
    assert one.verdict is Verdict.UNPRICED


@pytest.mark.parametrize("accounting", ["compute", "full"])
@pytest.mark.parametrize("missing", [Op.MAC, Op.AC])
def test_products_without_a_price_leave_nothing(missing: Op, accounting: str) -> None:
    one = found(chip(*(op for op in PRICES if op is not missing)), accounting)
    assert (one.unpriced, one.bound) == ((missing.value,), Bound.UNKNOWN)
    assert (one.rate, one.busy_saves) == (None, None)


def test_what_both_sides_do_equally_often_needs_no_price() -> None:
    priced = [op for op in PRICES if op is not Op.EXP]
    one, all_priced = found(chip(*priced), part=WHOLE), found(chip(*PRICES), part=WHOLE)
    assert (one.unpriced, one.cancelled) == ((), ("exp",))
    assert all_priced.asa_pj == one.asa_pj + 70
    assert one.rate == pytest.approx(all_priced.rate)


def test_a_part_without_events_has_no_break_even() -> None:
    act = Part("act", "layer", "", "", frozenset({"act"}), frozenset({"act"}))
    bills = [estimate(counts, chip(*PRICES)) for counts in (ASA, silenced(SSA), SSA)]
    assert part_break_even(act, "full", *bills) is None


def test_a_run_without_a_spike_says_so() -> None:
    one = found(chip(*PRICES), ssa=silenced(SSA))
    assert (one.verdict, one.rate) == (Verdict.SILENT, None)
    assert one.busy_saves


def static(**per_second: float) -> HardwareProfile:
    cited = {"source": "test", "evidence": "measured"}
    return chip(
        *PRICES,
        static_power={"watts": 1.0, **cited},
        throughput={op: {"per_second": n, **cited} for op, n in per_second.items()},
    )


def test_static_energy_of_a_model_is_linear_too() -> None:
    # 1 W; a MAC and an AC take 1 ps each: 1 pJ more for each of them.
    one = found(static(mac=1e12, ac=1e12), part=WHOLE)
    assert (one.asa_pj, one.silent_pj) == (570 + 100, 110)
    assert one.busy_pj == pytest.approx(162 + 40)
    assert found(static(mac=1e12, ac=1e12)).asa_pj == 500  # no layer has any
    assert found(static(mac=1e12, ac=1e12), "compute", WHOLE).asa_pj == 500


def test_static_energy_of_one_side_alone_is_no_break_even() -> None:
    one = found(static(mac=1e12), part=WHOLE)
    assert (one.unpriced, one.bound) == ((STATIC,), Bound.UNKNOWN)
    assert not found(static(mac=1e12)).unpriced


def test_each_slot_counts_with_its_fan_out() -> None:
    # 1 of 10 slots reaches 1 accumulator each, 8 of 10 reach 9: (1 + 72) / (10 + 90).
    rows = layers(("a", {Op.AC: 1}, 10, 1, 10), ("b", {Op.AC: 72}, 90, 8, 10))
    part = Part("x", "block", "", "", frozenset(), frozenset({"a", "b"}))
    assert found(chip(*PRICES), part=part, ssa=Counts("ssa", rows)).busy_rate == 0.73


def test_silence_takes_all_that_follows_from_events_and_nothing_else() -> None:
    how: Any = {"levels": Levels.TERNARY}
    coder: Any = how | {"inputs": 20, "vector": 10, "arithmetic": SIGNED_IF}

    def counts(events: int) -> Counts:
        tallies = {
            "coder": formulas.neurons(40, events, 10, **coder),
            "fc": formulas.event_linear(4, 10, 10, events, bias=True, **how),
            "RowNormalise": row_normalise(4, 10, events),
        }
        rows = (
            LayerCount(kind, kind, calls=1, tally=Tally.total([t])) for kind, t in tallies.items()
        )
        return Counts("ssa", tuple(rows), timesteps=2)

    assert silenced(counts(7)) == counts(0)
