from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import CITED, chip
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import Counts, LayerCount, Tally, estimate, price_many
from energy.bill.pricing import prepare, terms
from hwmodels import Buffer, Dataflow, HardwareProfile, Op, load_profile, profile_names

OPS = st.dictionaries(st.sampled_from(Op), st.integers(1, 10**9), max_size=12)
COUNTS = st.lists(OPS, min_size=1, max_size=4).map(lambda layers: counts_of(*layers))
BUILTIN = [load_profile(name) for name in profile_names()]


def counts_of(*layers: dict[Op, int], slots: int = 0) -> Counts:
    rows = (
        LayerCount(f"layer{i}", "Layer", calls=1, tally=Tally(ops, 10 * slots, slots // 3, slots))
        for i, ops in enumerate(layers)
    )
    return Counts("ssa", tuple(rows), timesteps=4)


def curved(**changed: Any) -> HardwareProfile:
    sram = {"sram": {"curve": [[100, 1.0], [300, 5.0]], **CITED}}
    placed = dict.fromkeys(Buffer, "sram")
    return chip({Op.MAC: 2.0}, **{"memory": sram, "placement": placed} | changed)


@pytest.mark.parametrize(
    ("size", "pj_per_byte"),
    [(1, 1.0), (100, 1.0), (150, 2.0), (200, 3.0), (300, 5.0), (1000, 5.0)],
)
def test_an_array_costs_the_more_the_larger_it_is(size: int, pj_per_byte: float) -> None:
    # between 100 bytes at 1 pJ and 300 bytes at 5 pJ: 1 + 4 (size - 100) / 200
    bill = estimate(counts_of({Op.ACTIVATION_READ: size}), curved())
    assert bill.energy_pj() == pytest.approx(size * pj_per_byte)


def test_the_array_is_as_large_as_the_buffer_at_the_precision_of_the_profile() -> None:
    # 100 values of FP16 are 200 bytes, at 3 pJ
    bill = estimate(counts_of({Op.ACTIVATION_READ: 100}), curved(value_bytes=2))
    assert bill.energy_pj() == pytest.approx(200 * 3.0)


@settings(deadline=None, max_examples=100)
@given(COUNTS, st.lists(st.sampled_from([*BUILTIN, curved()]), min_size=1, max_size=6))
def test_many_profiles_are_priced_like_one(counts: Counts, profiles: list[HardwareProfile]) -> None:
    bills = price_many(counts, profiles)
    assert bills.shape == (len(profiles), len(counts.layers))
    for bill, profile in zip(bills, profiles, strict=True):
        for energy, layer in zip(bill, estimate(counts, profile).layers, strict=True):
            if layer.lacks_compute:
                assert np.isnan(energy)
            else:
                assert energy == pytest.approx(layer.total_pj, rel=1e-12)


def test_profiles_of_one_structure_and_several_values() -> None:
    counts = counts_of({Op.MAC: 10, Op.ACTIVATION_READ: 200})
    cheap, dear = curved(), curved(prices={"mac": {"pj": 7.0, **CITED}})
    # 10 MACs at 2 and at 7 pJ, 200 bytes at 3 pJ
    assert price_many(counts, [dear, cheap, dear]).tolist() == [[670.0], [620.0], [670.0]]


def test_a_layer_without_a_price_of_its_products_has_no_energy() -> None:
    bills = price_many(counts_of({Op.AC: 1}, {Op.MAC: 1}, {Op.EXP: 1}), [curved()])
    np.testing.assert_array_equal(bills, [[np.nan, 2.0, 0.0]])


def test_no_profiles_no_bills() -> None:
    assert price_many(counts_of({Op.MAC: 1}), []).shape == (0, 1)


@settings(deadline=None, max_examples=50)
@given(COUNTS, st.sampled_from(BUILTIN), st.sampled_from(Dataflow))
def test_the_terms_make_up_the_bill(
    counts: Counts, chip: HardwareProfile, dataflow: Dataflow
) -> None:
    work = prepare(counts, chip, dataflow)
    total = sum(
        term.amounts.sum() * term.constant.pj(chip) for term in terms(work, chip) if term.constant
    )
    assert total == pytest.approx(estimate(counts, chip, dataflow=dataflow).energy_pj(), rel=1e-9)


@settings(deadline=None, max_examples=50)
@given(COUNTS, st.floats(1, 100))
def test_a_dearer_mac_never_lowers_the_bill(counts: Counts, factor: float) -> None:
    chip = load_profile("45nm")
    dearer = chip.model_copy(
        update={
            "prices": chip.prices
            | {Op.MAC: chip.prices[Op.MAC].model_copy(update={"pj": 4.6 * factor})}
        }
    )
    before, after = price_many(counts, [chip, dearer])
    assert (np.nan_to_num(after) >= np.nan_to_num(before)).all()
