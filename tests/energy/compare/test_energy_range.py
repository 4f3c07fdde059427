from __future__ import annotations

import math
from typing import Any

import builders
import pytest
from builders import CITED

from energy import Counts, Estimate, Label, LayerCount, Tally, estimate
from energy.compare.energy_range import EnergyRange, energy_range
from hwmodels import Evidence, Op, load_profile


def bill(ops: dict[Op, int], **keys: Any) -> Estimate:
    row = LayerCount("fc", "Linear", Label("ffn", "ffn_up", 0), 1, Tally(ops))
    profile = builders.chip({"mac": 4.0, "ac": 1.0, "neuron_update": 2.0}, **keys)
    return estimate(Counts("asa", (row,)), profile)


def priced(spread: list[float], evidence: str = "measured") -> dict[str, Any]:
    return {"pj": 4.0, "source": "a bench", "evidence": evidence, "spread": spread}


def test_the_interval_of_one_constant_is_that_of_its_range() -> None:
    # 100 MACs x 4 pJ, from half to twice of it, evenly on a logarithmic scale: 5 % of the samples
    # cost less than 400 x 2^(-1 + 2 x 0.05) pJ, 5 % more than 400 x 2^(1 - 2 x 0.05).
    found = energy_range(bill({Op.MAC: 100}, prices={"mac": priced([0.5, 2.0])}), "compute")
    assert found is not None
    assert found.nominal_pj == 400
    assert found.low_pj == pytest.approx(400 * 2**-0.9, rel=0.02)
    assert found.high_pj == pytest.approx(400 * 2**0.9, rel=0.02)
    assert found.grades == {Evidence.MEASURED: 1.0}
    assert found.weakest is Evidence.MEASURED


def test_grades_share_the_energy() -> None:
    # 100 MACs x 4 pJ measured, 100 updates x 1 pJ projected: 80 % and 20 %
    prices = {
        "mac": priced([1.0, 1.0]),
        "neuron_update": {"pj": 1.0, "source": "a paper", "evidence": "projected"},
    }
    found = energy_range(bill({Op.MAC: 100, Op.NEURON_UPDATE: 100}, prices=prices))
    assert found is not None
    assert found.nominal_pj == 500
    assert found.grades == {Evidence.MEASURED: pytest.approx(0.8), Evidence.PROJECTED: 0.2}
    assert found.weakest is Evidence.PROJECTED


def test_what_carries_less_than_a_hundredth_decides_no_grade() -> None:
    found = EnergyRange(1.0, 1.0, 1.0, {Evidence.DERIVED: 0.995, Evidence.UNVERIFIED: 0.005})
    assert found.weakest is Evidence.DERIVED


def test_static_energy_takes_part_where_it_is_known() -> None:
    # 2 W for 1 ns are 2,000 pJ beside 400
    static = {"watts": 2.0, **CITED}
    row = LayerCount("fc", "Linear", Label("ffn", "ffn_up", 0), 1, Tally({Op.MAC: 100}))
    profile = builders.chip({"mac": 4.0}, static_power=static)
    found = energy_range(estimate(Counts("asa", (row,)), profile, latency_s=1e-9))
    assert found is not None
    assert found.nominal_pj == pytest.approx(2400)
    assert found.low_pj < 2400 < found.high_pj


def test_what_has_no_price_has_no_range() -> None:
    row = LayerCount("fc", "Linear", Label("ffn", "ffn_up", 0), 1, Tally({Op.MAC: 100}))
    assert energy_range(estimate(Counts("asa", (row,)), load_profile("loihi"))) is None
    assert energy_range(bill({})) is None


def test_another_seed_draws_others() -> None:
    one = bill({Op.MAC: 100}, prices={"mac": priced([0.5, 2.0])})
    first, again, other = (energy_range(one, samples=50, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert first is not None
    assert math.isfinite(first.low_pj)


@pytest.mark.parametrize(
    ("spread", "leans"),
    [
        ([1.0, 2.0], "is at the low end of what sources say, so that the interval lies wholly ab"),
        ([0.5, 1.0], "is at the high end of what sources say, so that the interval lies wholly be"),
        ([0.5, 2.0], ""),
        ([1.0, 1.0], ""),
    ],
)
def test_a_price_at_an_end_of_its_range_is_named(spread: list[float], leans: str) -> None:
    # 100 MACs x 4 pJ: draws from 1 to 2 times of it cost 400 x 2^0.05 to 400 x 2^0.95 pJ, so that
    # the interval of 5 to 95 % has not 400 pJ in it.
    found = energy_range(bill({Op.MAC: 100}, prices={"mac": priced(spread)}), "compute")
    assert found is not None
    assert bool(leans) == (not found.low_pj <= found.nominal_pj <= found.high_pj)
    assert found.leans.startswith(f"prices.mac {leans}" if leans else "")
    assert bool(found.leans) == bool(leans)


def test_what_carries_little_moves_no_interval() -> None:
    # 5 of 405 pJ, of a price that may be twice as much
    prices = {"mac": priced([0.9, 1.1]), "ac": {**priced([1.0, 2.0]), "pj": 1.0}}
    found = energy_range(bill({Op.MAC: 100, Op.AC: 5}, prices=prices), "compute")
    assert found is not None
    assert (found.lowest, found.highest, found.leans) == ((), (), "")


def test_inside_of_its_interval_a_figure_is_mostly_below_it() -> None:
    found = EnergyRange(2.0, 1.9, 4.0, {}, ("memory.dram", "prices.mac"))
    assert found.leans == (
        "memory.dram and prices.mac are at the low end of what sources say, so that the interval "
        "lies mostly above the figure"
    )


def test_bytes_from_dram_on_45nm_are_at_the_low_end() -> None:
    # 1.3 to 2.6 nJ for 64 bits (Horowitz), of which the profile takes 1.3.
    row = LayerCount("fc", "Linear", Label("ffn", "ffn_up", 0), 1, Tally({Op.WEIGHT_READ: 10**9}))
    found = energy_range(estimate(Counts("asa", (row,)), load_profile("45nm")), "unfused")
    assert found is not None
    assert found.lowest == ("memory.dram",)
    assert found.nominal_pj < found.low_pj
    assert "wholly above the figure" in found.leans
