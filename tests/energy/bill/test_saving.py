from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from builders import chip, labelled

from energy import Estimate, estimate, saving
from hwmodels import HardwareProfile, Op

PRICED = [op for op in Op if op.buffer is None and op is not Op.DELIVERY]


def profile(pj: dict[Op, float] | None = None) -> HardwareProfile:
    """Every operation that is not traffic costs 2 pJ unless said otherwise, a byte 3 or 5."""
    return chip(dict.fromkeys(PRICED, 2.0) if pj is None else pj)


Pair = Callable[[HardwareProfile], tuple[Estimate, Estimate]]


@pytest.fixture
def pair() -> Pair:
    asa = labelled(
        "asa", a=("attention", "qkv", {Op.MAC: 100}), b=("ffn", "ffn_up", {Op.MAC: 100, Op.EXP: 10})
    )
    ssa = labelled(
        "ssa",
        a=("attention", "qkv", {Op.AC: 100, Op.NEURON_UPDATE: 10}),
        b=("ffn", "ffn_up", {Op.MAC: 100, Op.EXP: 10}),
    )
    return lambda chip: (estimate(asa, chip), estimate(ssa, chip))


def test_a_saving_is_one_minus_the_ratio(
    pair: Pair,
) -> None:
    chip = profile({Op.MAC: 4.0, Op.AC: 1.0, Op.NEURON_UPDATE: 5.0, Op.EXP: 2.0})
    found = saving(*pair(chip), block="attention")
    assert (found.block, found.component, found.accounting) == ("attention", "total", "compute")
    assert (found.asa_pj, found.ssa_pj) == (400, 100)
    assert found.saving == pytest.approx(0.75)
    # 100 ACs and 10 neuron updates x 5 pJ
    assert saving(*pair(chip), "full", block="attention").ssa_pj == 150
    # 800 + 10 exponentials x 2 pJ against 100 + 50 + 400 + 20
    assert saving(*pair(chip), "full").saving == pytest.approx(1 - 570 / 820)
    assert saving(*pair(chip), "full").unpriced == ()


def test_a_loss_is_a_negative_saving(
    pair: Pair,
) -> None:
    chip = profile({Op.MAC: 1.0, Op.AC: 3.0})
    assert saving(*pair(chip), component="qkv").saving == -2


@pytest.mark.parametrize("missing", [Op.MAC, Op.AC])
@pytest.mark.parametrize("accounting", ["compute", "full"])
def test_a_part_with_unpriced_macs_or_acs_has_no_saving(
    pair: Pair, missing: Op, accounting: str
) -> None:
    chip = profile({op: 1.0 for op in PRICED if op is not missing})
    found = saving(*pair(chip), accounting, block="attention")
    assert found.saving is None
    # 100 ACs, and 10 neuron updates in the full accounting
    ssa_pj = 110 if accounting == "full" else 100
    assert (found.asa_pj, found.ssa_pj) == ((None, ssa_pj) if missing is Op.MAC else (100, None))
    assert found.unpriced == (missing,)


def test_a_shift_with_an_accumulate_is_compute_and_has_a_price_or_there_is_no_saving(
    pair: Pair,
) -> None:
    asa, _ = pair(profile({Op.MAC: 4.0, Op.SHIFT_AC: 1.5}))
    events = labelled("ssa", a=("attention", "qkv", {Op.SHIFT_AC: 100}))
    for prices, pj in (({Op.MAC: 4.0, Op.SHIFT_AC: 1.5}, 150.0), ({Op.MAC: 4.0}, None)):
        bill = estimate(events, profile(prices))
        found = saving(asa, bill, block="attention")
        assert (found.asa_pj, found.ssa_pj) == (400, pj)  # 100 MACs x 4 pJ, 100 shifts x 1.5
        assert bill.lacks_compute is (pj is None)
        assert found.unpriced == (() if pj else (Op.SHIFT_AC,))


def test_a_part_without_unpriced_macs_has_a_saving_beside_one_with(
    pair: Pair,
) -> None:
    chip = profile({Op.MAC: 1.0})
    assert saving(*pair(chip), block="ffn").saving == 0
    assert saving(*pair(chip)).saving is None


def test_other_unpriced_operations_are_named_in_the_full_accounting(
    pair: Pair,
) -> None:
    chip = profile({Op.MAC: 4.0, Op.AC: 1.0})
    assert saving(*pair(chip), "full").unpriced == (Op.EXP, Op.NEURON_UPDATE)
    assert saving(*pair(chip), "full").saving is not None
    assert saving(*pair(chip), "compute").unpriced == ()
    assert saving(*pair(chip), "full", block="attention").unpriced == (Op.NEURON_UPDATE,)


def test_a_part_that_costs_nothing_has_no_saving(
    pair: Pair,
) -> None:
    found = saving(*pair(profile()), block="head")
    assert (found.asa_pj, found.ssa_pj, found.saving) == (0, 0, None)


def test_static_energy_counts_where_both_sides_know_it(pair: Pair) -> None:
    watts = {"watts": 1.0, "source": "a bench", "evidence": "measured"}
    chip = profile({Op.MAC: 4.0, Op.AC: 1.0, Op.EXP: 0.0, Op.NEURON_UPDATE: 0.0})
    chip = HardwareProfile.model_validate(chip.model_dump() | {"static_power": watts})
    asa, ssa = pair(chip)  # 800 and 100 + 400 pJ
    slow, fast = replace(asa, latency_s=2e-10), replace(ssa, latency_s=1e-10)  # 200 and 100 pJ
    both = saving(slow, fast, "full")
    assert (both.asa_pj, both.ssa_pj) == pytest.approx((1000, 600))
    assert saving(slow, fast, "full", block="attention").asa_pj == 400
    assert saving(slow, ssa, "full") == saving(asa, ssa, "full")


def test_a_part_of_which_nothing_has_a_price_has_no_energy() -> None:
    asa = labelled("asa", a=("attention", "softmax", {Op.EXP: 10}), b=("ffn", "up", {Op.MAC: 4}))
    ssa = labelled("ssa", a=("attention", "softmax", {Op.EXP: 10}), b=("ffn", "up", {Op.AC: 4}))
    bills = [estimate(side, profile({Op.MAC: 4.0, Op.AC: 1.0})) for side in (asa, ssa)]
    part = saving(*bills, "full", component="softmax")
    assert (part.asa_pj, part.ssa_pj, part.saving, part.unpriced) == (None, None, None, (Op.EXP,))
    assert part.to_frame().asa_pj.isna().all()
    assert part._repr_html_().count(">unpriced<") == 2
    # it does no MACs or ACs, which costs nothing; and the model is what has a price
    assert saving(*bills, "compute", component="softmax").asa_pj == 0
    assert (saving(*bills, "full").asa_pj, saving(*bills, "full").ssa_pj) == (16, 4)
    frame = bills[0].to_frame()
    assert frame.scalar_pj.isna().tolist() == [True, False]
    assert frame.energy_pj.isna().tolist() == [True, False]
    # part, compute, scalar, neuron, routing, memory, all: of the softmax, of ffn, of the model
    assert bills[0]._repr_html_().count(">unpriced<") == 3
