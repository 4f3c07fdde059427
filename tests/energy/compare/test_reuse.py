from __future__ import annotations

import pytest
from builders import CITED, chip, labelled
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import Estimate, estimate
from energy.bill.execution import fetches
from energy.compare.reuse import reuse_break_even
from hwmodels import HardwareProfile, Op

FETCH = {"pj_per_byte": 2.0, "mac_reuse": 8, "event_reuse": 4, **CITED}


def machine(**fetch: float) -> HardwareProfile:
    return chip({Op.MAC: 4.0, Op.AC: 1.0}, delivery=FETCH | fetch)


def bill(profile: HardwareProfile, *rows: dict[Op, int]) -> Estimate:
    named = {f"layer.{i}": ("ffn", "ffn_up", ops) for i, ops in enumerate(rows)}
    return estimate(labelled("ssa", **named), profile)


# 64 events on 2 weights of a byte, which a call uses 32 times each.
ROW = {Op.AC: 64, Op.WEIGHT_READ: 2}


def at(asa_pj: float, *rows: dict[Op, int]) -> float | None:
    busy = bill(machine(), *(rows or (ROW,)))
    return reuse_break_even(asa_pj, busy.energy_pj(), busy, None)


def test_the_crossing_is_where_fetches_cost_what_is_left() -> None:
    # 64 pJ of events and 2 x 3 of weights; 64 / r fetches of 2 pJ: 70 + 128 / r = 86 at r = 8
    assert at(86) == pytest.approx(8)
    assert at(70 + 128) == 1  # each event may fetch for itself
    assert at(70 + 128 / 32) == pytest.approx(32)
    # No fetch serves more than the 32 uses of a weight: 70 + 4 is the least.
    assert at(73.9) is None


def test_rows_share_as_much_as_each_of_them_can() -> None:
    # A second row whose 8 weights have 2 uses: 16 events, 8 fetches from r = 2 on.
    # 64 + 16 + 3 x 10 = 110; at r = 8: 128 / 8 + 8 x 2 = 32
    assert at(110 + 32, ROW, {Op.AC: 16, Op.WEIGHT_READ: 8}) == pytest.approx(8)


def test_where_nothing_is_fetched_there_is_none() -> None:
    free = bill(chip({Op.MAC: 4.0, Op.AC: 1.0}), ROW)
    assert reuse_break_even(100, 70, free, None) is None
    busy = bill(machine(), {Op.MAC: 64})
    assert reuse_break_even(100, busy.energy_pj(), busy, None) is None
    assert reuse_break_even(86, 102, bill(machine(), ROW), frozenset({"another"})) is None


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(1, 500), st.integers(1, 50), st.integers(0, 90)), min_size=1),
    st.floats(0.01, 0.99),
)
def test_at_the_crossing_both_sides_cost_the_same(
    sizes: list[tuple[int, int, int]], share: float
) -> None:
    rows = [{Op.AC: uses, Op.WEIGHT_READ: held, Op.MAC: macs} for uses, held, macs in sizes]
    few, many = (bill(machine(event_reuse=r), *rows).energy_pj() for r in (1, 1e6))
    asa_pj = many + share * (few - many)
    found = at(asa_pj, *rows)
    if few == many:
        assert found in (1, None)
        return
    assert found is not None
    crossing = bill(machine(event_reuse=found), *rows)
    assert crossing.energy_pj() == pytest.approx(asa_pj, rel=1e-6)
    counted, delivery = crossing.made_of[0].columns, machine().delivery
    assert (fetches(counted, delivery, event_reuse=1) >= fetches(counted, delivery)).all()
