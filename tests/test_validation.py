"""The fitted profiles and their page against the measured points, where those are at hand."""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest

from energy.serving.unseen import mean_of
from hwmodels.wholechip import Kind
from neurt.measure.fitting import Fitted, about_fit, run_fit
from neurt.requests.measured import FitRequest
from reports.kit.table import to_markdown
from reports.serving.fitted import errors_table, otherwise_table, prices_table, targets
from reports.serving.profile_text import profile_text

#: The points that the profiles were fitted on are not in this package.
MEASURED = os.environ.get("NEURT_MEASURED", "")
PAGE = (Path(__file__).parents[1] / "docs/results/validation.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.skipif(
    not MEASURED, reason="NEURT_MEASURED does not name the ML.ENERGY points that were fitted"
)
#: Mean errors on models left out that were asked for: dense, mixtures of experts, time.
ASKED = {"H100": (0.07, 0.20, 0.10), "B200": (0.11, 0.20, 0.15)}
TITLES = {
    "H100": ("NVIDIA H100 SXM, 80 GB, as a server of language models", 80_000_000_000),
    "B200": ("NVIDIA B200, 180 GB, as a server of language models", 180_000_000_000),
}


def request(gpu: str) -> FitRequest:
    title, memory = TITLES[gpu]
    return FitRequest(
        measured=Path(MEASURED),
        gpu=gpu,
        name=gpu.lower(),
        title=title,
        source=(
            "ML.ENERGY Benchmark v3 (arXiv 2505.06371, arXiv 2601.22076), its data set (Apache-2.0)"
        ),
        boundary=(
            "the GPU boards alone, over the steady state of a vLLM server; host, network and "
            "cooling are outside"
        ),
        memory=memory,
    )


@cache
def fitted(gpu: str) -> Fitted:
    return run_fit(request(gpu), lambda _sentence: None)


@pytest.mark.parametrize("gpu", ASKED)
def test_errors_and_intervals_are_as_good_as_was_asked_for(gpu: str) -> None:
    found, (dense, experts, time) = fitted(gpu).fit, ASKED[gpu]
    assert (found.energy.error(kind=Kind.DENSE) or 1) <= dense
    assert (found.energy.error(kind=Kind.EXPERTS) or 1) <= experts
    assert found.latency is not None
    assert (found.latency.error() or 1) <= time
    for target in targets(found).values():
        # Of models that took no part in anything: prices, works, intervals.
        assert 0.85 <= (mean_of(target.unseen, "held") or 0) <= 0.95


@pytest.mark.parametrize("gpu", ASKED)
def test_the_profile_is_what_the_command_makes_of_the_points(gpu: str) -> None:
    found, name = fitted(gpu), gpu.lower()
    about = about_fit(request(gpu), found, Path(f"{name}.toml"))
    shipped = (files("hwmodels.builtin") / f"{name}.toml").read_text(encoding="utf-8")
    assert profile_text(found.fit, found.parameters, about) == shipped


@pytest.mark.parametrize("gpu", ASKED)
def test_the_page_has_the_tables_of_the_command(gpu: str) -> None:
    found = fitted(gpu)
    assert to_markdown(errors_table(found.fit, found.parameters)) in PAGE
    assert to_markdown(prices_table(found.fit)) in PAGE
    assert to_markdown(otherwise_table(found.otherwise)) in PAGE
