from __future__ import annotations

from typing import Any

import pytest
from builders import CITED, chip, labelled
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import Counts, Estimate, Label, LayerCount, Levels, Tally, estimate
from energy.compare.sensitivity import sensitivity
from energy.compare.structure import choices_of, placed
from hwmodels import HardwareProfile, Op, load_profile

PRICES = {Op.MAC: 4.0, Op.AC: 1.0}
FETCH = {"pj_per_byte": 2.0, "mac_reuse": 8, "event_reuse": 4, "reuse_range": [1, 16], **CITED}
LEVELS = {
    "sram": {"read_pj_per_byte": 1.0, "write_pj_per_byte": 1.0, "capacity_bytes": 100, **CITED},
    "dram": {"read_pj_per_byte": 10.0, "write_pj_per_byte": 10.0, **CITED},
}


def machine(**keys: Any) -> HardwareProfile:
    return chip(PRICES, **keys)


def two_levels(**keys: Any) -> HardwareProfile:
    placement = {"weights": ["sram", "dram"], "activations": ["sram", "dram"]}
    return machine(memory=LEVELS, placement=placement, **keys)


def names(profile: HardwareProfile) -> list[str]:
    return [choice.constant.name for choice in choices_of(profile)]


def pair(profile: HardwareProfile, asa: dict[Op, int], ssa: dict[Op, int]) -> list[Estimate]:
    sides = {"asa": asa, "ssa": ssa}
    return [
        estimate(labelled(variant, a=("ffn", "ffn_up", ops)), profile)
        for variant, ops in sides.items()
    ]


def test_what_a_profile_does_not_have_is_no_assumption() -> None:
    assert names(machine(encoding="packed")) == []
    assert names(machine()) == ["encoding"]
    assert names(machine(encoding="packed", delivery=FETCH)) == [
        "delivery.mac_reuse",
        "delivery.event_reuse",
    ]
    assert names(machine(encoding="packed", widths={"accumulators": 32})) == ["widths.accumulators"]
    # The last level holds what fits nowhere, whatever its capacity.
    assert names(two_levels(encoding="packed")) == ["capacity.sram"]


def test_each_end_is_the_machine_with_that_value() -> None:
    profile = two_levels(delivery=FETCH, widths={"accumulators": 32})
    ends = {
        choice.constant.name: [choice.at(profile, choice.multiple(place)) for place in (0, 1)]
        for choice in choices_of(profile)
    }
    assert [it.memory["sram"].capacity_bytes for it in ends["capacity.sram"]] == [25, 400]
    for kind in ("mac_reuse", "event_reuse"):
        found = [getattr(it.delivery, kind) for it in ends[f"delivery.{kind}"]]
        assert found == pytest.approx([1, 16])
    assert [it.widths.accumulators for it in ends["widths.accumulators"]] == [16, 32]
    assert [str(it.encoding) for it in ends["encoding"]] == ["packed", "cheapest"]


def test_the_swing_of_a_reuse_is_the_bill_at_both_of_its_ends() -> None:
    # 64 MACs of 4 pJ, 64 events of 1 pJ, on 2 weights of one byte of 2 pJ. A weight has 32 uses in
    # the call: 8 of MACs share a fetch, 4 of events do.
    ops = {Op.WEIGHT_READ: 2}
    asa, ssa = pair(
        machine(encoding="packed", delivery=FETCH), {Op.MAC: 64} | ops, {Op.AC: 64} | ops
    )
    weights = 2 * 3
    assert asa.energy_pj() == 64 * 4 + weights + 64 / 8 * 2
    found = {swing.constant.name: swing for swing in sensitivity(asa, ssa).swings}
    swing, analog = found["delivery.event_reuse"], 64 * 4 + weights + 64 / 8 * 2
    assert swing.at_low == pytest.approx(1 - (64 + weights + 64 * 2) / analog)
    assert swing.at_high == pytest.approx(1 - (64 + weights + 64 / 16 * 2) / analog)
    # The price of a fetch is a constant as any other: all of both sides' fetches follow it.
    assert (found["delivery"].asa_pj, found["delivery"].ssa_pj) == (16, 32)


def test_an_interval_spans_what_assumptions_do() -> None:
    ops = {Op.WEIGHT_READ: 2}
    sides = {Op.MAC: 64} | ops, {Op.AC: 64} | ops
    narrow = dict(FETCH, reuse_range=None)
    fixed, free = (
        sensitivity(*pair(machine(encoding="packed", delivery=delivery), *sides)).interval
        for delivery in (narrow, FETCH)
    )
    assert fixed is not None
    assert free is not None
    # Between a fetch for each event and 16 events for one, 128 and 8 pJ of 70 to 198.
    assert free.high - free.low > 2 * (fixed.high - fixed.low)
    again = sensitivity(*pair(machine(encoding="packed", delivery=FETCH), *sides)).interval
    assert again == free


def test_macs_and_acs_alone_follow_from_no_assumption() -> None:
    bills = pair(machine(delivery=FETCH), {Op.MAC: 64}, {Op.AC: 64})
    found = sensitivity(*bills, "compute")
    assert {swing.constant.name for swing in found.swings if swing.span} == {
        "prices.mac",
        "prices.ac",
    }
    assert "encoding" not in {swing.constant.name for swing in found.swings}


def test_a_choice_has_two_ways_and_nothing_between() -> None:
    # 16 slots with one event of a sign: packed 2 bits each, 32; one bit each and a sign, 17;
    # an address of 4 bits and a sign, 5.
    tally = Tally({Op.SPIKE_READ: 16, Op.AC: 1}, 0, 1, 16, levels=Levels.TERNARY, channels=16)
    counts = Counts("ssa", (LayerCount("a", "Linear", Label(), 1, tally),))
    bill, hw = estimate(counts, machine()), machine().name
    packed, cheapest = (placed(bill, {(hw, "encoding"): place}).energy_pj() for place in (0.4, 0.6))
    assert (packed, cheapest) == (1 + 32 / 8 * 3, 1 + 5 / 8 * 3)


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 1))
def test_any_place_lies_between_the_ends(place: float) -> None:
    for choice in choices_of(load_profile("45nm")):
        low, high = choice.constant.low, choice.constant.high
        assert low * (1 - 1e-12) <= choice.multiple(place) <= high * (1 + 1e-12)
