from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import Counts, Label, LayerCount, Levels, Tally, estimate, formulas, saving
from energy.compare.baselines import Baseline, baselines, sparse_counts
from hwmodels import Dataflow, HardwareProfile, Op, load_profile

HW, INT8 = load_profile("45nm"), load_profile("45nm-int8")
UP, HEAD = Label("ffn", "ffn_up", 0), Label("head", "lm_head")


def networks(zero_macs: int | None = None, tokens: int = 2) -> tuple[Counts, Counts]:
    """One feed-forward layer 8 -> 4, of events in the SNN, and a dense head 8 -> 4."""
    dense = formulas.linear(tokens, 8, 4, bias=True)
    # T = 4: a quarter of the 32 x tokens slots spikes
    events = formulas.event_linear(
        4 * tokens, 8, 4, 8 * tokens, bias=True, levels=Levels.BINARY, steps=4
    )
    head = LayerCount("lm_head", "Linear", HEAD, 1, dense)
    up = LayerCount("fc", "Linear", UP, 1, dense._replace(zero_macs=zero_macs))
    asa = Counts("asa", (up, head), tokens=tokens)
    ssa = Counts("ssa", (replace(up, tally=events), head), tokens=tokens, timesteps=4)
    return asa, ssa


def found(
    asa: Counts, ssa: Counts, profile: HardwareProfile = HW, **how: Any
) -> dict[str, Baseline]:
    rows = baselines([asa], [ssa], profile, **({"int8": INT8} | how))
    return {row.name: row for row in rows}


def saved(row: Baseline, accounting: str = "compute", block: str | None = "ffn") -> float:
    part = row.saving(accounting, block=block)
    assert part is not None
    assert part.saving is not None
    return part.saving


def test_the_rows_and_what_they_compare() -> None:
    rows = found(*networks(0))
    precisions = {
        name: (row.asa.profile.precision, row.ssa.profile.precision, row.activation_bits)
        for name, row in rows.items()
        if row.asa and row.ssa
    }
    assert precisions == {
        "same": ("fp32", "fp32", 32),
        "twin": ("fp32", "fp32", 3),
        "sparse": ("fp32", "fp32", 32),
        "int8": ("int8", "int8", 8),
        "int8-vs-own": ("int8", "fp32", 8),
    }


def test_the_savings_by_hand() -> None:
    rows = found(*networks(16), mixed=True)
    # 64 MACs against 16 spikes x 4 = 64 ACs, at FP32 4.6 and 0.9 pJ, at INT8 0.3 and 0.1 pJ
    assert saved(rows["same"]) == pytest.approx(1 - 0.9 / 4.6)
    # 3-bit: 0.9 + 3.7 x 3 / 32 = 1.246875 pJ
    assert saved(rows["twin"]) == pytest.approx(1 - 0.9 / 1.246875)
    # 16 of 64 are skipped
    assert saved(rows["sparse"]) == pytest.approx(1 - 0.9 / (4.6 * 0.75))
    assert saved(rows["int8"]) == pytest.approx(1 - 0.1 / 0.3)
    assert saved(rows["int8-vs-own"]) == pytest.approx(1 - 0.9 / 0.3)
    assert saved(rows["mixed"]) == pytest.approx(1 - 0.1 / 4.6)


def test_a_row_is_the_bill_of_its_counts() -> None:
    asa, ssa = networks()
    rows = found(asa, ssa)
    assert rows["same"].asa == estimate(asa, HW)
    assert rows["same"].ssa == rows["twin"].ssa == estimate(ssa, HW)
    assert rows["int8"].asa == estimate(asa, INT8)
    for accounting in ("compute", "full"):
        for block in ("ffn", None):
            expected = saving(estimate(asa, HW), estimate(ssa, HW), accounting, block=block)
            assert rows["same"].saving(accounting, block=block) == expected


def test_precisions_are_mixed_on_request_only_and_labelled() -> None:
    assert "mixed" not in found(*networks())
    row = found(*networks(), mixed=True)["mixed"]
    assert (row.title, row.note) == ("FP32 ANN, INT8 SNN", "mixed precision, not comparable")
    assert found(*networks())["int8-vs-own"].note == "favours the ANN"


def test_the_twin_says_where_its_bits_come_from() -> None:
    asa, ssa = networks()
    assert found(asa, ssa)["twin"].note == "b = ceil(log2(T + 1)) for binary spikes, T = 4"
    asked = found(asa, ssa, bits=5)["twin"]
    assert (asked.title, asked.activation_bits) == ("5-bit twin", 5)
    assert asked.note == "b = 5 as asked for"


def test_events_that_say_more_than_the_twin_are_named() -> None:
    asa, ssa = networks()
    events = ssa.layers[0].tally
    signed = replace(ssa.layers[0], tally=events._replace(levels=Levels.TERNARY))
    note = found(asa, replace(ssa, layers=(signed, ssa.layers[1])))["twin"].note
    assert note.endswith("T = 4; the ternary events of this SNN say up to 4 bits")  # -4 .. 4


def test_a_twin_of_a_network_without_events_says_so() -> None:
    asa, _ = networks()
    row = found(asa, replace(asa, variant="ssa", timesteps=4))["twin"]
    assert row.note.endswith("no activation is narrower for it: the twin is the ANN itself")
    assert row.asa == estimate(asa, HW)


@pytest.mark.parametrize("bits", [0, -3])
def test_a_twin_has_at_least_one_bit(bits: int) -> None:
    with pytest.raises(ValueError, match=rf"bits \(= {bits}\) must be at least 1"):
        found(*networks(), bits=bits)


def test_zeros_that_were_not_measured_are_no_zeros() -> None:
    row = found(*networks())["sparse"]
    assert (row.asa, row.ssa, row.activation_bits) == (None, None, None)
    assert row.saving() is None
    assert row.note == "zeros of the activations were not measured"
    none_found = found(*networks(0))["sparse"]
    assert none_found.asa is not None
    assert none_found.note.startswith("0.00 % of the MACs")
    # 16 of 2 x 64
    assert found(*networks(16))["sparse"].note.startswith("12.50 % of the MACs")


def test_skipping_saves_arithmetic_and_no_traffic() -> None:
    asa, _ = networks(16)
    [up, head] = sparse_counts(asa).layers
    assert up.ops == {**asa.layers[0].ops, Op.MAC: 48}
    assert head == asa.layers[1]
    nothing_left = sparse_counts(networks(64)[0])
    assert Op.MAC not in nothing_left.layers[0].tally.ops


def test_without_int8_prices_the_rows_say_so() -> None:
    rows = found(*networks(), int8=None, mixed=True)
    for name in ("int8", "int8-vs-own", "mixed"):
        assert rows[name].saving() is None
        assert rows[name].note == "no INT8 prices for 45nm"


def test_hardware_that_is_int8_is_not_compared_with_itself_twice() -> None:
    rows = found(*networks(), INT8, int8=None, mixed=True)
    assert list(rows) == ["same", "twin", "sparse", "int8"]
    assert rows["int8"].asa == rows["same"].asa
    assert rows["int8"].note == "45nm-int8 is INT8 itself: this is the INT8 ANN"


def test_a_mac_without_a_price_leaves_no_saving() -> None:
    rows = found(*networks(), load_profile("loihi"), int8=None)
    for name in ("same", "twin"):
        part = rows[name].saving()
        assert part is not None
        assert part.asa_pj is part.saving is None
        assert Op.MAC in part.unpriced


def test_an_accumulate_without_a_price_leaves_the_twin_without_one() -> None:
    prices = {op: price for op, price in HW.prices.items() if op is not Op.AC}
    asa, ssa = networks()
    rows = found(asa, ssa, HW.model_copy(update={"prices": prices}))
    part = rows["twin"].saving(block="ffn")
    assert part is not None
    assert part.asa_pj is None
    assert part.unpriced == (Op.AC,)
    same = rows["same"].saving(block="ffn")
    assert same is not None
    assert same.asa_pj is not None


def test_the_bills_of_phases_add() -> None:
    (asa, ssa), (more, more_ssa) = networks(16), networks(32, tokens=5)
    more, more_ssa = replace(more, phase="decode"), replace(more_ssa, phase="decode")
    both = baselines([asa, more], [ssa, more_ssa], HW, int8=INT8)
    parts = [baselines([a], [s], HW, int8=INT8) for a, s in ((asa, ssa), (more, more_ssa))]
    for total, one, two in zip(both, *parts, strict=True):
        assert total.asa
        assert one.asa
        assert two.asa
        assert total.asa.energy_pj() == pytest.approx(one.asa.energy_pj() + two.asa.energy_pj())
    # 16 + 32 of 2 x 64 + 2 x 160
    assert both[2].note.startswith("10.71 % of the MACs")


def test_phases_of_the_two_networks_must_match() -> None:
    asa, ssa = networks()
    with pytest.raises(ValueError, match="zip"):
        baselines([asa, asa], [ssa], HW, int8=None)


def test_a_known_latency_is_that_of_the_own_precision() -> None:
    rows = found(*networks(), latency_s={"asa": 2.0, "ssa": 3.0})
    for name in ("same", "twin"):
        asa, ssa = rows[name].asa, rows[name].ssa
        assert asa
        assert ssa
        assert (asa.latency_s, ssa.latency_s) == (2.0, 3.0)
    narrow = rows["int8"].asa
    assert narrow
    assert narrow.latency_s is None


def test_the_dataflow_is_that_of_every_row() -> None:
    rows = found(*networks(0), dataflow=Dataflow.EVENT_DRIVEN)
    for row in rows.values():
        assert row.asa
        assert row.ssa
        assert row.asa.dataflow is row.ssa.dataflow is Dataflow.EVENT_DRIVEN


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 64), st.integers(1, 40), st.sampled_from([HW, INT8]))
def test_no_fair_baseline_is_dearer_than_the_network_itself(
    zeros: int, bits: int, profile: HardwareProfile
) -> None:
    rows = found(*networks(zeros), profile, bits=bits)
    for accounting in ("compute", "full"):
        same = rows["same"].saving(accounting)
        assert same
        assert same.asa_pj
        for name in ("twin", "sparse"):
            part = rows[name].saving(accounting)
            assert part
            assert part.asa_pj is not None
            assert part.asa_pj <= same.asa_pj * (1 + 1e-12)
            assert part.ssa_pj == same.ssa_pj


def test_a_layer_that_only_looked_is_left_alone() -> None:
    layers = (LayerCount("a", "Linear", tally=Tally({Op.MAC: 3}, 3, zero_macs=0)),)
    assert sparse_counts(Counts("asa", layers)).layers == layers
