from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from energy.words import percent
from reports import Run
from reports.quality.evaluation import Evaluation
from reports.quality.table import compared_table, layers_table, print_quality, savings_table

Make = Callable[..., Evaluation]


def said(evaluation: Evaluation) -> str:
    out = io.StringIO()
    print_quality(evaluation, Console(file=out, width=132, highlight=False, soft_wrap=True))
    return out.getvalue()


def test_both_perplexities_are_said_and_not_only_the_change(
    make_run: Callable[..., Run], evaluated: Make
) -> None:
    found = evaluated(make_run())
    text = said(found)
    # e^2, e^2.1 and e^0.1 - 1.
    assert compared_table(found).cells() == [
        ["perplexity", "7.389", "8.166", "+10.52 %"],
        ["next token right", "40.00 %", "30.00 %", "-10.00 points"],
    ]
    assert (
        "Same likeliest token: 75.00 %. KL(analog || spiking): 0.125 nats. Cosine of the final "
        "hidden states: 0.87500." in text
    )


def test_model_and_text_stand_above(make_run: Callable[..., Run], evaluated: Make) -> None:
    lines = said(evaluated(make_run())).splitlines()
    assert lines[1:3] == [
        "tiny, weights random(seed=0), spikformer attention, pow2 feed-forward, T = 4",
        "a, text.txt: 100 tokens scored, window 64, stride 32",
    ]


def test_a_layer_has_its_row_in_the_order_of_the_headings(
    make_run: Callable[..., Run], evaluated: Make
) -> None:
    # 1,024 events for 1,280 MACs in attention, 1,024 for 2,048 in the feed-forward block; every
    # eighth slot of a neuron spikes. See conftest.
    assert layers_table(evaluated(make_run())).cells()[1] == [
        *("1", "0.1100", "0.2200", "0.3300", "0.4400", "0.5500", "0.6600"),
        *("0.800", "0.500", "0.1250"),
    ]


def test_savings_are_those_of_each_hardware_and_a_gap_is_a_dash(
    make_run: Callable[..., Run], evaluated: Make
) -> None:
    found = evaluated(make_run("45nm", "loihi"))
    own, twin, *loihi = savings_table(found).cells()
    # 1 - 0.8 x 0.9 / 4.6, see test_table; 1 - 0.5 x 0.9 / 4.6.
    assert (own[0], own[1], own[4]) == ("45nm, layerwise", "84.35 %", "90.22 %")
    saved = found.twins["45nm"].saving("compute", block="attention")
    assert saved is not None
    assert twin[:2] == ["  from its 3-bit twin", percent(saved.saving)]
    assert [row[1:] for row in loihi] == [["-"] * 9] * 2


@pytest.mark.parametrize(("weights", "warned"), [("random(seed=3)", True), ("local(a)", False)])
def test_random_weights_are_said_to_mean_nothing(
    make_run: Callable[..., Run], evaluated: Make, weights: str, warned: bool
) -> None:
    text = said(evaluated(make_run(weights=weights)))
    assert (f"Weights are {weights}: neither perplexity" in text) is warned


def test_names_with_square_brackets_are_shown_as_they_are(
    make_run: Callable[..., Run], evaluated: Make
) -> None:
    run = make_run(model="my[red]gpt")
    hw = run.profiles[0].model_copy(update={"name": "chip[b]"})
    text = said(evaluated(replace(run, profiles=(hw,)), text="a[bold].txt"))
    assert all(name in text for name in ("my[red]gpt", "chip[b]", "a[bold].txt"))
