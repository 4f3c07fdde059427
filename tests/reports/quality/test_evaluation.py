from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from energy import Counts
from reports import Run
from reports.quality.evaluation import Comparison, Evaluation, Quality

NONE = Counts("asa", ())


def compared(
    analog: Quality, spiking: Quality, asa: Counts = NONE, ssa: Counts = NONE
) -> Comparison:
    return Comparison(analog, spiking, 0.9, 0.1, 0.99, (), asa, ssa, 64, 32, 3)


def test_perplexity_and_accuracy_are_means_over_the_tokens_scored() -> None:
    # 6 ln 2 over 3 tokens is 2 ln 2 each.
    quality = Quality(3, 6 * math.log(2), 1)
    assert quality.perplexity == pytest.approx(4)
    assert quality.accuracy == 1 / 3


def test_a_perplexity_no_float_can_hold_is_infinite() -> None:
    assert Quality(1, 800.0, 0).perplexity == math.inf


@pytest.mark.parametrize(
    ("analog", "spiking", "change"),
    [
        (2 * math.log(8), 2 * math.log(10), 0.25),  # 10 / 8 - 1
        (2 * math.log(8), 2 * math.log(4), -0.5),
        (1600.0, 1600.0 + 2 * math.log(3), 2.0),  # both perplexities overflow, their ratio does not
        (0.0, 1600.0, math.inf),
    ],
)
def test_the_change_is_relative_to_the_analog_model(
    analog: float, spiking: float, change: float
) -> None:
    found = compared(Quality(2, analog, 0), Quality(2, spiking, 0)).perplexity_change
    assert found == pytest.approx(change)


def test_equal_models_change_by_exactly_nothing() -> None:
    quality = Quality(7, 12.3456789, 3)
    assert compared(quality, quality).perplexity_change == 0


def evaluated(run: Run) -> Evaluation:
    quality = Quality(8191, 8191 * 2.0, 1000)
    return Evaluation(
        compared(quality, quality, run.asa, run.ssa),
        {"form": "softmax", "code": "pow2"},
        "a.txt",
        run.profiles,
        {},
        {},
        "2026-01-02T03:04:05+00:00",
    )


def test_titles_name_models_and_text(make_run: Callable[..., Run]) -> None:
    found = evaluated(make_run())
    assert found.title == (
        "tiny, weights random(seed=0), softmax attention, pow2 feed-forward, T = 4"
    )
    assert found.subtitle == "a.txt: 8,191 tokens scored, window 64, stride 32"


def test_a_baseline_with_other_weights_is_named(make_run: Callable[..., Run]) -> None:
    run = make_run(weights="local(tuned)")
    other = replace(run, asa=replace(run.asa, weights="local(more)"))
    assert "weights local(tuned) (analog: local(more)), " in evaluated(other).title


def test_both_models_are_priced_on_each_hardware(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm", "loihi")
    assert evaluated(run).estimates == run.estimates
