from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.literature.claims import Claim, ClaimError
from energy.literature.review import Fault, Review, review
from hwmodels import load_profile

PUBLISHED = tomllib.loads(
    (Path(__file__).parents[2] / "golden" / "published.toml").read_text(encoding="utf-8")
)
CMOS = load_profile("45nm")


def look(**numbers: Any) -> Review:
    hw = numbers.pop("hw", "45nm")
    return review(Claim(numbers.pop("model", "m"), hw, **numbers), load_profile(hw))


def faults(found: Review) -> list[Fault]:
    return [finding.fault for finding in found.findings]


@pytest.mark.parametrize("row", PUBLISHED["wrong"], ids=lambda row: row["fault"])
def test_a_statement_known_to_be_wrong_is_flagged(row: dict[str, Any]) -> None:
    found = look(**row["claim"])
    assert faults(found) == [row["fault"]]
    assert found.verdict == "flagged"
    for words in row["says"]:
        assert words in found.findings[0].sentence


@pytest.mark.parametrize("row", PUBLISHED["energy"], ids=lambda row: row["model"])
def test_a_published_row_that_is_right_passes(row: dict[str, Any]) -> None:
    ops = row["ops"]
    if "ac" in ops:
        numbers = {"snn_ops": ops["ac"], "snn_energy_mj": row["printed_mj"]}
        numbers |= {"snn_macs": ops["mac"]} if "mac" in ops else {}
    else:  # KerasSpiking charges an update as it charges a connection
        numbers = {"ann_ops": sum(ops.values()), "ann_energy_mj": row["printed_mj"]}
        numbers["true_macs"] = ops["mac"]
    found = look(hw=row["hw"], **numbers)
    assert found.verdict == "consistent", found.findings


def test_flops_are_found_out_by_the_energy_or_by_the_count() -> None:
    # 4.6 pJ x 2 x 1 G = 9.2 mJ
    by_energy = look(true_macs=1e9, ann_energy_mj=9.2)
    assert faults(by_energy) == [Fault.FLOPS_AS_MACS]
    assert "2 G FLOPs" in by_energy.findings[0].sentence
    assert faults(look(ann_ops=1e9, ann_energy_mj=9.2)) == [Fault.FLOPS_AS_MACS]
    unpriced = look(true_macs=1e9, ann_ops=2e9)
    assert faults(unpriced) == [Fault.OPERATIONS]
    assert unpriced.findings[0].sentence.endswith(": FLOPs")


def test_a_count_in_flops_is_no_fault_where_macs_are_priced() -> None:
    assert look(true_macs=1e9, ann_ops=2e9, ann_energy_mj=4.6).verdict == "consistent"


@pytest.mark.parametrize(
    ("ops", "energy_mj", "expected"),
    [
        (0.3072e9, None, [Fault.OPERATIONS]),  # a counter that missed the layers
        (0.3072e9, 0.3072 * 4.6, [Fault.OPERATIONS]),
        (0.3072e9, 4.6, [Fault.OPERATIONS]),
        (1e9, 7.0, [Fault.ENERGY]),
        (0.3072e9, 7.0, [Fault.OPERATIONS, Fault.ENERGY]),
        (None, 7.0, [Fault.ENERGY]),
        (1e9, 4.6, []),
    ],
)
def test_the_ann(ops: float | None, energy_mj: float | None, expected: list[Fault]) -> None:
    assert faults(look(true_macs=1e9, ann_ops=ops, ann_energy_mj=energy_mj)) == expected


@pytest.mark.parametrize(
    "known",
    # 0.9 pJ x 1 G = 0.9 mJ; at rate 0.1 over 4 steps of 2.5 G dense operations
    [
        {"spike_rate": 0.1, "snn_energy_mj": 0.09},
        {"spike_rate": 0.1, "timesteps": 4, "snn_energy_mj": 0.36},
        {"ann_ops": 2.5e9, "snn_energy_mj": 0.36},
        {"ann_ops": 2.5e9, "timesteps": 4, "snn_energy_mj": 0.09},
    ],
)
def test_a_rate_is_applied_once(known: dict[str, float]) -> None:
    found = look(snn_ops=1e9, **known)
    assert faults(found) == [Fault.RATE_TWICE]
    assert "0.9 pJ x 1 G = 0.9 mJ" in found.findings[0].sentence


def test_a_rate_belongs_to_operations_that_are_dense() -> None:
    # 0.9 pJ x 1 G x 0.1 x 4 steps = 0.36 mJ, whether the steps are in the operations or not
    common = {"ann_ops": 1e9, "spike_rate": 0.1, "timesteps": 4, "snn_energy_mj": 0.36}
    assert look(**common, snn_ops=1e9).verdict == "consistent"
    assert look(**common, snn_ops=4e9).verdict == "consistent"
    assert faults(look(**common, snn_ops=2e9)) == [Fault.ENERGY]


def test_dense_operations_of_an_snn_are_priced_as_such() -> None:
    # 4.6 x 0.1 G + 0.9 x 1 G = 0.46 + 0.9 = 1.36 mJ; with the rate once more 0.46 + 0.09 = 0.55
    common = {"snn_macs": 0.1e9, "snn_ops": 1e9, "spike_rate": 0.1}
    assert look(**common, snn_energy_mj=1.36).verdict == "consistent"
    assert faults(look(**common, snn_energy_mj=0.55)) == [Fault.RATE_TWICE]
    odd = look(**common, snn_energy_mj=3.0)
    assert faults(odd) == [Fault.ENERGY]
    assert "0.9 pJ x 1 G + 4.6 pJ x 100 M = 1.36 mJ" in odd.findings[0].sentence


def test_a_ratio_is_that_of_its_energies() -> None:
    found = look(ann_energy_mj=10.0, snn_energy_mj=2.0, ratio=7.0)
    assert faults(found) == [Fault.RATIO]
    assert "= 5" in found.findings[0].sentence
    assert look(ann_energy_mj=10.0, snn_energy_mj=2.0, ratio=5.05).verdict == "consistent"


def test_a_price_may_be_that_of_another_source() -> None:
    assert look(hw="truenorth", ac_pj=2.5).verdict == "consistent"
    assert faults(look(hw="truenorth", ac_pj=5.0)) == [Fault.PRICE]
    assert faults(look(mac_pj=3.2, ac_pj=0.1)) == [Fault.PRICE, Fault.PRICE]


def test_a_claim_is_held_to_its_own_prices() -> None:
    # 3.2 pJ x 1 G = 3.2 mJ
    found = look(mac_pj=3.2, ann_ops=1e9, ann_energy_mj=3.2, hw="45nm-int32")
    assert found.verdict == "consistent"


def test_what_has_no_price_is_not_checked() -> None:
    assert look(hw="loihi", ann_ops=1e9, ann_energy_mj=1.0).verdict == "nothing to check"
    mixed = look(hw="loihi", snn_ops=1e9, snn_macs=1e9, snn_energy_mj=1.0)
    assert mixed.verdict == "nothing to check"
    assert look().checks == ()
    assert look(snn_ops=1e9, snn_energy_mj=0.9).checks == (Fault.ENERGY, Fault.RATE_TWICE)


def test_the_tolerance_stays_below_factors_that_mean_something() -> None:
    claim = Claim("m", ann_ops=1e9, ann_energy_mj=5.0)
    assert review(claim, CMOS).findings
    assert not review(claim, CMOS, tolerance=0.1).findings
    for share in (-0.1, 0.5, float("nan")):
        with pytest.raises(ClaimError, match="tolerance"):
            review(claim, CMOS, tolerance=share)


POSITIVE = st.floats(1e-3, 1e15)


@given(POSITIVE, POSITIVE, st.floats(0, 1), st.floats(1, 64))
def test_what_agrees_with_itself_is_never_flagged(
    macs: float, events: float, rate: float, steps: float
) -> None:
    ann, snn = macs * 4.6e-9, (macs * 4.6 + events * 0.9) * 1e-9
    claim = Claim(
        "m",
        true_macs=macs,
        ann_ops=macs,
        ann_energy_mj=ann,
        snn_ops=events,
        snn_macs=macs,
        snn_energy_mj=snn,
        spike_rate=rate,
        timesteps=steps,
        ratio=ann / snn,
        mac_pj=4.6,
        ac_pj=0.9,
    )
    assert review(claim, CMOS).verdict == "consistent"


@given(st.floats(0.001, 0.9), POSITIVE)
def test_a_rate_applied_twice_is_always_flagged(rate: float, dense: float) -> None:
    claim = Claim("m", ann_ops=dense, snn_ops=rate * dense, snn_energy_mj=rate**2 * dense * 0.9e-9)
    assert faults(review(claim, CMOS)) == [Fault.RATE_TWICE]
