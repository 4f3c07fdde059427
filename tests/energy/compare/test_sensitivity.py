from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import builders
import pytest
from builders import CITED
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import Counts, Estimate, Label, LayerCount, Tally, estimate
from energy.compare.ranges import Origin
from energy.compare.sensitivity import Sensitivity, SensitivityError, Swing, sensitivity
from hwmodels import HardwareProfile, Op, load_profile

Ops = dict[Op, int]


def chip(pj: dict[str, float] | None = None, **keys: Any) -> HardwareProfile:
    """A MAC costs 4 pJ, an AC 1 pJ, a neuron update 2 pJ, a byte read or written 3 or 5 pJ."""
    return builders.chip(pj or {"mac": 4.0, "ac": 1.0, "neuron_update": 2.0}, **keys)


def counts(variant: str, attention: Ops, ffn: Ops | None = None) -> Counts:
    rows = [("attention", "qkv", attention), ("ffn", "ffn_up", ffn or {})]
    return Counts(
        variant,
        tuple(
            LayerCount(component, "Linear", Label(block, component, 0), 1, Tally(ops))
            for block, component, ops in rows
        ),
    )


def pair(profile: HardwareProfile, asa: Ops, ssa: Ops, **how: Any) -> tuple[Estimate, Estimate]:
    return (
        estimate(counts("asa", asa), profile, **how),
        estimate(counts("ssa", ssa), profile, **how),
    )


def swings(found: Sensitivity) -> dict[str, Swing]:
    return {swing.constant.name: swing for swing in found.swings}


ANALOG: Ops = {Op.MAC: 100, Op.ACTIVATION_WRITE: 8}
SPIKING: Ops = {Op.AC: 60, Op.NEURON_UPDATE: 10, Op.STATE_READ: 20}


def test_on_45_nm_the_ends_of_mac_and_ac_follow_by_hand() -> None:
    # 100 MACs x 4.6 pJ against 300 events x 0.9 pJ: 1 - 3 x 0.9 / 4.6 = 41.3 % are saved
    asa, ssa = pair(load_profile("45nm"), {Op.MAC: 100}, {Op.AC: 300})
    found = sensitivity(asa, ssa, "compute", block="attention")
    saved = found.nominal.saving
    assert saved == pytest.approx(1 - 3 * 0.9 / 4.6)
    by_name = swings(found)
    for name, ends in (
        ("prices.mac", lambda f: 1 - 3 * 0.9 / (4.6 * f)),
        ("prices.ac", lambda f: 1 - 3 * 0.9 * f / 4.6),
    ):
        constant = by_name[name].constant
        assert constant.origin is Origin.GRADE
        assert by_name[name].at_low == pytest.approx(ends(constant.low))
        assert by_name[name].at_high == pytest.approx(ends(constant.high))
    # An AC is projected (x/1.5), a MAC derived (x/1.3): 1.5 - 0.667 is more than 1.3 - 0.769
    assert [swing.constant.name for swing in found.swings[:2]] == ["prices.ac", "prices.mac"]
    assert by_name["prices.ac"].span == pytest.approx(3 * 0.9 / 4.6 * (1.5 - 1 / 1.5))


def test_in_the_full_bill_a_level_is_one_constant_and_each_part_is_attributed() -> None:
    asa, ssa = pair(chip(), ANALOG, SPIKING)
    found = sensitivity(asa, ssa, "full", block="attention")
    # ASA: 100 x 4 + 8 x 5 = 440 pJ; SSA: 60 x 1 + 10 x 2 + 20 x 3 = 140 pJ
    assert found.nominal.saving == pytest.approx(1 - 140 / 440)
    parts = {name: (swing.asa_pj, swing.ssa_pj) for name, swing in swings(found).items()}
    assert parts == {
        "prices.mac": (400, 0),
        "prices.ac": (0, 60),
        "prices.neuron_update": (0, 20),
        "memory.ram": (40, 60),
        "encoding": (0, 0),  # an assumption, which is no part of a sum
    }
    # measured: x/1.1, reads and writes together
    ram = swings(found)["memory.ram"]
    assert ram.at_high == pytest.approx(1 - (80 + 66) / (400 + 44))
    assert ram.at_low == pytest.approx(1 - (80 + 60 / 1.1) / (400 + 40 / 1.1))
    spans = [swing.span for swing in found.swings]
    assert spans == sorted(spans, reverse=True)


def test_a_constant_that_is_not_used_moves_nothing() -> None:
    profile = chip({"mac": 4, "ac": 1, "neuron_update": 2, "exp": 7})
    found = sensitivity(*pair(profile, ANALOG, SPIKING), "full")
    unused = swings(found)["prices.exp"]
    assert (unused.span, unused.asa_pj, unused.ssa_pj) == (0, 0, 0)
    compute = swings(sensitivity(*pair(profile, ANALOG, SPIKING), "compute"))
    assert {name for name, swing in compute.items() if swing.span} == {"prices.mac", "prices.ac"}


def test_what_another_price_includes_is_no_constant() -> None:
    profile = chip({"mac": 4, "ac": 1}, included={"neuron_update": "inside the event"})
    found = sensitivity(*pair(profile, ANALOG, SPIKING), "full")
    assert set(swings(found)) == {"prices.mac", "prices.ac", "memory.ram", "encoding"}


def test_a_part_looks_at_its_own_layers() -> None:
    asa = estimate(counts("asa", {Op.MAC: 100}, {Op.MAC: 50}), chip())
    ssa = estimate(counts("ssa", {Op.AC: 100}, {Op.MAC: 50}), chip())
    savings = [sensitivity(asa, ssa, "compute", block=b) for b in ("attention", "ffn", None)]
    # 1 - 100 / 400, 0, 1 - (100 + 200) / 600
    assert [found.nominal.saving for found in savings] == pytest.approx([0.75, 0, 0.5])
    assert [swings(found)["prices.mac"].asa_pj for found in savings] == [400, 200, 600]
    # A dense block costs the same on both sides, whatever a MAC costs.
    assert savings[1].swings[0].span == 0
    assert savings[1].interval is not None
    assert (savings[1].interval.low, savings[1].interval.high) == (0, 0)


@pytest.mark.parametrize("accounting", ["compute", "full"])
def test_a_factor_that_all_constants_share_cancels(accounting: str) -> None:
    dearer = chip(
        {"mac": 28.0, "ac": 7.0, "neuron_update": 14.0},
        memory={"ram": {"read_pj_per_byte": 21, "write_pj_per_byte": 35, **CITED}},
    )
    ours, theirs = (
        sensitivity(*pair(profile, ANALOG, SPIKING), accounting) for profile in (chip(), dearer)
    )
    assert theirs.nominal.saving == pytest.approx(ours.nominal.saving)
    assert ours.interval is not None
    assert theirs.interval is not None
    for field in ("low", "median", "high"):
        assert getattr(theirs.interval, field) == pytest.approx(getattr(ours.interval, field))


def test_the_interval_of_two_constants_is_that_of_their_ratio() -> None:
    # ln(saving left) = ln(ratio) + U + U', each uniform within +-ln 1.1: a triangle whose 5 %
    # quantile is at -(2 - sqrt(8 x 0.05)) ln 1.1
    found = sensitivity(
        *pair(chip(), {Op.MAC: 100}, {Op.AC: 100}), "compute", samples=100_000
    ).interval
    assert found is not None
    far = 1.1 ** (2 - math.sqrt(8 * 0.05))
    assert found.median == pytest.approx(0.75, abs=1e-3)
    assert found.low == pytest.approx(1 - 0.25 * far, abs=1e-3)
    assert found.high == pytest.approx(1 - 0.25 / far, abs=1e-3)
    assert (found.cheaper, found.samples, found.seed) == (1, 100_000, 0)


def test_the_share_in_which_spikes_are_cheaper_is_counted() -> None:
    # 100 MACs x 4 pJ against 400 ACs x 1 pJ: nothing is saved, so it is even
    found = sensitivity(
        *pair(chip(), {Op.MAC: 100}, {Op.AC: 400}), "compute", samples=20_000
    ).interval
    assert found is not None
    assert found.cheaper == pytest.approx(0.5, abs=0.02)
    assert found.low < 0 < found.high


def test_a_seed_fixes_the_interval() -> None:
    bills = pair(chip(), ANALOG, SPIKING)
    first, again, other = (
        sensitivity(*bills, samples=100, seed=seed).interval for seed in (1, 1, 2)
    )
    assert first == again != other


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_an_interval_of_symmetric_ranges_contains_the_saving(
    mac: int, ac: int, updates: int, state: int
) -> None:
    spiking = {Op.AC: ac, Op.NEURON_UPDATE: updates, Op.STATE_READ: state}
    asa, ssa = pair(chip(), {Op.MAC: mac}, spiking)
    found = sensitivity(asa, ssa, samples=500)
    assert found.interval is not None
    assert found.nominal.saving is not None
    slack = 1e-9 * max(1, ssa.energy_pj() / asa.energy_pj())
    assert found.interval.low - slack <= found.nominal.saving <= found.interval.high + slack
    assert found.interval.low <= found.interval.median <= found.interval.high


def test_a_nominal_value_at_the_end_of_its_range_moves_the_median() -> None:
    ram = {"read_pj_per_byte": 3, "write_pj_per_byte": 3, "spread": [1, 2], **CITED}
    bills = pair(chip(memory={"ram": ram}), {Op.MAC: 100}, {Op.STATE_READ: 50})
    found = sensitivity(*bills)
    # 1 - 150 / 400 at best, 1 - 300 / 400 at worst; half of the draws above 150 x sqrt 2
    assert found.nominal.saving == pytest.approx(1 - 150 / 400)
    assert swings(found)["memory.ram"].at_low == pytest.approx(1 - 150 / 400)
    assert swings(found)["memory.ram"].at_high == pytest.approx(1 - 300 / 400)
    assert found.interval is not None
    assert found.interval.median == pytest.approx(1 - 150 * math.sqrt(2) / 400, abs=0.01)


@settings(deadline=None, max_examples=30)
@given(
    st.dictionaries(st.sampled_from([Op.MAC, Op.ADD, Op.WEIGHT_READ]), st.integers(0, 10**12)),
    st.floats(0.1, 100),
    st.floats(1, 100),
)
def test_a_dearer_mac_never_lowers_the_energy_of_the_ann(
    ops: Ops, mac_pj: float, dearer: float
) -> None:
    cheap, dear = (
        estimate(counts("asa", ops), chip({"mac": pj, "ac": 1.0, "add": 1.0})).energy_pj()
        for pj in (mac_pj, mac_pj * dearer)
    )
    assert dear >= cheap


@pytest.mark.parametrize("missing", ["mac", "ac"])
def test_without_a_price_for_macs_or_acs_there_is_no_interval(missing: str) -> None:
    prices = {"mac": 4.0, "ac": 1.0}
    del prices[missing]
    bills = pair(chip(prices), ANALOG, SPIKING)
    found = sensitivity(*bills, "compute")
    assert (found.swings, found.interval, found.nominal.unpriced) == ((), None, (Op(missing),))
    assert sensitivity(*bills).interval is None


def test_where_the_analog_part_costs_nothing_there_is_no_interval() -> None:
    assert sensitivity(*pair(chip(), {}, SPIKING)).interval is None


STATIC = {"static_power": {"watts": 2.0, **CITED}}
RATES = {op: {"per_second": rate, **CITED} for op, rate in (("mac", 1e12), ("ac", 2e12))}


def test_static_energy_follows_the_power_and_is_inverse_to_the_throughput() -> None:
    profile = chip({"mac": 4, "ac": 1}, throughput=RATES, **STATIC)
    found = sensitivity(*pair(profile, {Op.MAC: 100}, {Op.MAC: 20, Op.AC: 60}))
    # ASA: 400 pJ and 2 W x 100 ps = 200 pJ; SSA: 80 + 60 pJ, 2 W x 20 ps = 40 and x 30 ps = 60 pJ
    assert found.nominal.saving == pytest.approx(1 - 240 / 600)
    by_name = swings(found)
    parts = {name: (swing.asa_pj, swing.ssa_pj) for name, swing in by_name.items()}
    assert parts["static_power"] == pytest.approx((200, 100))
    assert parts["throughput.mac"] == pytest.approx((200, 40))
    assert parts["throughput.ac"] == pytest.approx((0, 60))
    assert by_name["static_power"].at_high == pytest.approx(1 - (140 + 110) / (400 + 220))
    # at 1.1 times the speed it takes 1 / 1.1 of the time
    fast = by_name["throughput.mac"].at_high
    assert fast == pytest.approx(1 - (140 + 40 / 1.1 + 60) / (400 + 200 / 1.1))
    of_block = sensitivity(*pair(profile, ANALOG, SPIKING), block="attention")
    assert swings(of_block)["static_power"].span == 0


def test_a_latency_that_was_given_follows_no_throughput() -> None:
    profile = chip({"mac": 4, "ac": 1}, throughput=RATES, **STATIC)
    asa, ssa = (replace(bill, latency_s=1e-9) for bill in pair(profile, ANALOG, SPIKING))
    by_name = swings(sensitivity(asa, ssa))
    assert by_name["static_power"].asa_pj == pytest.approx(2000)  # 2 W x 1 ns
    assert by_name["throughput.mac"].span == 0


def test_static_energy_takes_part_where_it_is_known_of_both_sides() -> None:
    profile = chip({"mac": 4, "ac": 1, "neuron_update": 2}, **STATIC)
    asa, ssa = pair(profile, ANALOG, SPIKING)
    for bills in ((replace(asa, latency_s=1e-9), ssa), (asa, replace(ssa, latency_s=1e-9))):
        found = sensitivity(*bills)
        assert found.nominal.saving == pytest.approx(1 - 140 / 440)
        assert swings(found)["static_power"].span == 0


def test_profiles_of_two_kinds_have_constants_of_their_own() -> None:
    asa = estimate(counts("asa", {Op.MAC: 100}), chip())
    ssa = estimate(counts("ssa", {Op.MAC: 20, Op.AC: 60}), chip(name="other"))
    macs = {
        swing.constant.hw: (swing.asa_pj, swing.ssa_pj)
        for swing in sensitivity(asa, ssa).swings
        if swing.constant.name == "prices.mac"
    }
    assert macs == {"mine": (400, 0), "other": (0, 80)}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"samples": 0}, r"samples \(= 0\) must be at least 1"),
        ({"samples": 10**9}, r"samples \(= 1,000,000,000\) may be at most 1,000,000; lower it"),
        ({"seed": -1}, r"seed \(= -1\) must be at least 0"),
    ],
)
def test_bad_numbers_are_named(how: dict[str, int], said: str) -> None:
    with pytest.raises(SensitivityError, match=said):
        sensitivity(*pair(chip(), ANALOG, SPIKING), **how)


def test_an_unknown_accounting_is_refused() -> None:
    with pytest.raises(ValueError, match="'computes' is not known"):
        sensitivity(*pair(chip(), ANALOG, SPIKING), "computes")
