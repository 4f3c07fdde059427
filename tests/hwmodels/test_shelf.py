# The measured systems, against arithmetic on what their sources print.
from __future__ import annotations

import pytest

from hwmodels import Boundary, Evidence, SystemFigure
from hwmodels.shelf import Measured, measured
from hwmodels.systems import Phase

CITED = {"source": "a bench", "evidence": "measured"}


def of(system: str) -> list[SystemFigure]:
    return [one.figure for one in measured() if one.system == system]


def test_the_systems_are_those_of_the_package_and_of_its_profiles() -> None:
    names = ["jetson-orin-nano", "loihi-2", "nvidia-b200", "nvidia-h100", "vck190", "northpole"]
    assert list(dict.fromkeys(one.system for one in measured())) == names


@pytest.mark.parametrize("one", measured(), ids=lambda one: f"{one.system} {one.figure.value}")
def test_each_is_an_energy_per_token_with_its_grounds(one: Measured) -> None:
    assert one.figure.joules_per_token is not None
    assert 1e-3 < one.figure.joules_per_token < 10
    assert one.title
    assert len(one.figure.source) > 20


def test_figures_of_24_chips_are_0_7_watts_a_chip() -> None:
    # 405 mJ x 41.5 tokens/s = 16.8 W; / 24 = 0.70 W. Between 24 chips and the estimate for one
    # lie 346 mJ: 23 chips of 0.62 W over 1 / 41.5 s.
    many, prompt, one = of("loihi-2")
    assert many.joules_per_token == 0.405
    assert prompt.joules_per_token == 0.0037
    assert one.joules_per_token == 0.059
    rate = many.tokens_per_second
    assert rate is not None
    assert 0.405 * rate / 24 == pytest.approx(0.70, abs=0.005)
    assert (0.405 - 0.059) * rate / 23 == pytest.approx(0.62, abs=0.005)
    assert {figure.evidence for figure in (many, prompt, one)} == {Evidence.UNVERIFIED}


def test_a_fpga_is_charged_its_dynamic_power() -> None:
    # 13.849 W / 161.8 tokens/s = 85.6 mJ
    [figure] = of("vck190")
    assert figure.joules_per_token == pytest.approx(13.849 / 161.8, rel=1e-3)
    assert figure.boundary is Boundary.DYNAMIC


def test_both_ends_of_the_jetson_are_those_of_the_source() -> None:
    # 719 to 1,200 mJ generated, 4.4 to 17.9 mJ of the prompt
    generated, prompt = of("jetson-orin-nano")
    assert generated.spread is not None
    assert prompt.spread is not None
    assert generated.value * generated.spread[1] == pytest.approx(1200, rel=1e-3)
    assert prompt.value * prompt.spread[1] == pytest.approx(17.9, rel=1e-3)


@pytest.mark.parametrize("name", ["nvidia-h100", "nvidia-b200"])
def test_a_gpu_draws_no_more_than_its_limit(name: str) -> None:
    # Joules per token x tokens per second are watts: 700 W a board of H100, 1,000 W of B200; the
    # model of 70 billion parameters runs on four and on two boards.
    limit, boards = {"nvidia-h100": (700, 4), "nvidia-b200": (1000, 2)}[name]
    figures = of(name)
    assert len(figures) == 5
    for figure in figures:
        assert figure.joules_per_token is not None
        assert figure.tokens_per_second is not None
        watts = figure.joules_per_token * figure.tokens_per_second
        assert watts < limit * (boards if "70B" in str(figure.model) else 1)
        assert (figure.boundary, figure.phase) == (Boundary.CHIP, Phase.REQUEST)
        assert figure.evidence is Evidence.MEASURED


def test_the_larger_the_batch_the_less_a_token_costs() -> None:
    for name in ("nvidia-h100", "nvidia-b200"):
        llama = [x for x in of(name) if x.model == "Llama-3.1-8B"]
        assert [x.batch for x in llama] == sorted(x.batch or 0 for x in llama)
        assert [x.value for x in llama] == sorted((x.value for x in llama), reverse=True)


@pytest.mark.parametrize(
    ("unit", "joules"),
    [("J/token", 2.0), ("mJ/token", 0.002), ("µJ/token", 2e-6), ("μJ/token", 2e-6), ("W", None)],
)
def test_joules_per_token_follow_from_the_unit(unit: str, joules: float | None) -> None:
    figure = SystemFigure.model_validate({"what": "a model", "value": 2.0, "unit": unit, **CITED})
    assert figure.joules_per_token == joules
    assert figure.boundary is Boundary.UNSAID
