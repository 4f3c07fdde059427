from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import reports
from energy import estimate
from hwmodels import load_profile
from reports import PUBLISHED_SAVING, Run
from reports.run import PUBLISHED_SOURCE


def test_each_profile_has_a_bill_of_both_variants_in_the_order_asked_for(
    make_run: Callable[..., Run],
) -> None:
    run = make_run("loihi", "45nm")
    assert list(run.estimates) == ["loihi", "45nm"]
    for name, pair in run.estimates.items():
        assert pair == tuple(estimate(side, load_profile(name)) for side in (run.asa, run.ssa))


def test_the_bills_are_made_once(run: Run) -> None:
    assert run.estimates is run.estimates


def test_a_measured_run_says_model_weights_and_time_steps(make_run: Callable[..., Run]) -> None:
    assert make_run().title == "tiny, weights random(seed=0), T = 4"


def test_a_planned_run_says_its_spike_rate_as_well(make_run: Callable[..., Run]) -> None:
    run = make_run(command="plan", weights="none(closed form)")
    assert run.title == "tiny, weights none(closed form), T = 4, spike rate 0.125"


def test_the_subtitle_says_phase_tokens_and_attention(make_run: Callable[..., Run]) -> None:
    run = make_run()
    assert run.subtitle == "prefill, 4 tokens, full attention"
    asa = replace(run.asa, phase="decode@1024", tokens=12_345, attention="causal")
    assert replace(run, asa=asa).subtitle == "decode@1024, 12,345 tokens, causal attention"


def test_the_published_range_is_that_of_the_abstract() -> None:
    assert PUBLISHED_SAVING == (0.6471, 0.8528)
    assert "arXiv 2510.00133" in PUBLISHED_SOURCE


@pytest.mark.parametrize("name", reports.__all__)
def test_every_exported_name_resolves(name: str) -> None:
    assert getattr(reports, name) is not None
