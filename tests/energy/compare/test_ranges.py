from __future__ import annotations

from typing import Any

import builders
import pytest
from builders import CITED

from energy.compare.ranges import GRADE_FACTORS, Origin, UncertainConstant, constants_of
from hwmodels import Evidence, HardwareProfile, Op, load_profile, profile_names


def chip(**keys: Any) -> HardwareProfile:
    return builders.chip(**{"memory": {}, "placement": {}} | keys)


def of(profile: HardwareProfile) -> dict[str, UncertainConstant]:
    return {constant.name: constant for constant in constants_of(profile)}


def price(pj: float = 4.0, **more: Any) -> UncertainConstant:
    return of(chip(prices={"mac": {"pj": pj} | CITED | more}))["prices.mac"]


def test_each_number_that_energy_follows_is_a_constant() -> None:
    found = of(
        chip(
            prices={"mac": {"pj": 4, **CITED}},
            memory={
                "ram": {"read_pj_per_byte": 5, "write_pj_per_byte": 3, **CITED},
                "rom": {"read_pj_per_byte": 2, "write_pj_per_byte": 2, **CITED},
                "sram": {"curve": [[1024, 1.0], [4096, 2.0], [8192, 6.0]], **CITED},
            },
            static_power={"watts": 0.5, **CITED},
            throughput={"mac": {"per_second": 1e9, **CITED}},
            core={"synapses": 1024, "neurons": 16, **CITED},
        )
    )
    assert {name: (constant.values, constant.unit) for name, constant in found.items()} == {
        "prices.mac": ((4.0,), "pJ"),
        "memory.ram": ((3.0, 5.0), "pJ/byte"),
        "memory.rom": ((2.0,), "pJ/byte"),
        "memory.sram": ((1.0, 6.0), "pJ/byte"),
        "static_power": ((0.5,), "W"),
        "throughput.mac": ((1e9,), "per second"),
    }
    assert {(c.hw, c.source, c.evidence) for c in found.values()} == {
        ("mine", "a bench", Evidence.MEASURED)
    }


@pytest.mark.parametrize(
    ("evidence", "factor"),
    [
        ("measured", 1.1),
        ("simulated", 1.2),
        ("derived", 1.3),
        ("projected", 1.5),
        ("unverified", 2.0),
    ],
)
def test_without_more_the_grade_decides_and_says_whose_choice_that_is(
    evidence: str, factor: float
) -> None:
    found = price(evidence=evidence)
    assert (found.low, found.high) == (1 / factor, factor)
    assert found.origin == "our choice"
    assert f"{evidence} x/{factor:g}" in Origin.GRADE.definition
    assert "chosen by this project" in Origin.GRADE.definition


def test_every_grade_has_a_factor() -> None:
    assert GRADE_FACTORS.keys() == set(Evidence)


def others(*pj: float) -> list[dict[str, Any]]:
    return [{"pj": value, "source": f"source {i}"} for i, value in enumerate(pj)]


@pytest.mark.parametrize(
    ("pj", "more", "low", "high", "origin"),
    [
        pytest.param(4, {"spread": [0.5, 3.0]}, 0.5, 3, "stated", id="spread"),
        pytest.param(4, {"spread": [1, 2], "others": others(1)}, 1, 2, "stated", id="spread first"),
        # 2.5 and 26 are printed for the same thing: 2.5 / 26 = 0.096
        pytest.param(26, {"others": others(2.5)}, 2.5 / 26, 1, "sources conflict", id="below"),
        pytest.param(4, {"others": others(8, 6)}, 1, 2, "sources conflict", id="above"),
        pytest.param(4, {"others": others(8, 2)}, 0.5, 2, "sources conflict", id="both"),
        pytest.param(4, {"others": others(4)}, 1 / 1.1, 1.1, "our choice", id="agree"),
        pytest.param(4, {"others": others(0)}, 1 / 1.1, 1.1, "our choice", id="other is 0"),
        pytest.param(0, {"others": others(4)}, 1 / 1.1, 1.1, "our choice", id="it is 0"),
    ],
)
def test_who_says_how_far_a_constant_may_be_off(
    pj: float, more: dict[str, Any], low: float, high: float, origin: str
) -> None:
    found = price(pj, **more)
    assert (found.low, found.high, found.origin) == (low, high, origin)


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_constant_has_a_range_around_it(name: str) -> None:
    profile = load_profile(name)
    constants = constants_of(profile)
    numbers = len(profile.prices) + len(profile.memory) + len(profile.throughput)
    others = (profile.static_power, profile.delivery)
    assert len(constants) == numbers + sum(x is not None for x in others)
    assert len({constant.name for constant in constants}) == len(constants)
    assert all(0 < constant.low <= 1 <= constant.high for constant in constants)


def test_the_name_is_the_key_in_the_file_of_the_profile() -> None:
    assert f"prices.{Op.SHIFT_AC}" in of(load_profile("45nm"))
