from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from reports import Run
from reports.quality.evaluation import Comparison, Evaluation, LayerSimilarity, Quality
from reports.quality.terminal import print_quality


def evaluated(run: Run, text: str = "a.txt") -> Evaluation:
    compared = Comparison(
        Quality(100, 200.0, 40),
        Quality(100, 210.0, 30),
        top1_agreement=0.75,
        kl_nats=0.125,
        cosine_final=0.875,
        layers=tuple(
            LayerSimilarity(depth, 0.11, 0.22, 0.33, 0.44, 0.55, 0.66) for depth in range(2)
        ),
        asa=run.asa,
        ssa=run.ssa,
        window=64,
        stride=32,
        windows=3,
    )
    conversion = {"form": "spikformer", "code": "pow2"}
    return Evaluation(compared, conversion, text, run.profiles, {}, {}, "")


def said(evaluation: Evaluation) -> str:
    out = io.StringIO()
    print_quality(evaluation, Console(file=out, width=132, highlight=False, soft_wrap=True))
    return out.getvalue()


def cells(text: str, name: str) -> list[str]:
    [line] = [line for line in text.splitlines() if line.startswith((f"│ {name} ", f"│ {name}, "))]
    return [cell.strip() for cell in line.strip("│").split("│")][1:]


def test_both_perplexities_are_said_and_not_only_the_change(make_run: Callable[..., Run]) -> None:
    text = said(evaluated(make_run()))
    # e^2, e^2.1 and e^0.1 - 1.
    assert cells(text, "perplexity") == ["7.389", "8.166", "+10.52 %"]
    assert cells(text, "next token right") == ["40.00 %", "30.00 %", "-10.00 points"]
    assert (
        "Same likeliest token: 75.00 %. KL(analog || spiking): 0.125 nats. Cosine of the final "
        "hidden states: 0.87500." in text
    )


def test_model_and_text_stand_above(make_run: Callable[..., Run]) -> None:
    lines = said(evaluated(make_run())).splitlines()
    assert lines[1:3] == [
        "tiny, weights random(seed=0), spikformer attention, pow2 feed-forward, T = 4",
        "a.txt: 100 tokens scored, window 64, stride 32",
    ]


def test_a_layer_has_its_row_in_the_order_of_the_headings(make_run: Callable[..., Run]) -> None:
    # 1,024 events for 1,280 MACs in attention, 1,024 for 2,048 in the feed-forward block; every
    # eighth slot of a neuron spikes. See conftest.
    assert cells(said(evaluated(make_run())), "1") == [
        *("0.2200", "0.3300", "0.1100", "0.5500", "0.6600", "0.4400"),
        *("0.800", "0.500", "0.1250"),
    ]


def test_savings_are_those_of_each_hardware_and_a_gap_is_a_dash(
    make_run: Callable[..., Run],
) -> None:
    text = said(evaluated(make_run("45nm", "loihi")))
    # 1 - 0.8 x 0.9 / 4.6, see test_quality; 1 - 0.5 x 0.9 / 4.6.
    assert cells(text, "45nm")[0] == "84.35 %"
    assert cells(text, "45nm")[2] == "90.22 %"
    assert cells(text, "loihi") == ["-"] * 6


def test_savings_from_the_twin_stand_below(make_run: Callable[..., Run]) -> None:
    found = evaluated(make_run("45nm", "loihi"))
    lines = [line for line in said(found).splitlines() if line.startswith("│   from its ")]
    assert len(lines) == 2
    ours, other = ([cell.strip() for cell in line.strip("│").split("│")] for line in lines)
    saved = found.twins["45nm"].saving("compute", block="attention")
    assert saved is not None
    assert saved.saving is not None
    assert ours[0] == f"from its {found.twins['45nm'].title}"
    assert ours[1] == f"{100 * saved.saving:.2f} %"
    assert other[1:] == ["-"] * 6


@pytest.mark.parametrize(("weights", "warned"), [("random(seed=3)", True), ("local(a)", False)])
def test_random_weights_are_said_to_mean_nothing(
    make_run: Callable[..., Run], weights: str, warned: bool
) -> None:
    text = said(evaluated(make_run(weights=weights)))
    assert (f"Weights are {weights}: neither perplexity" in text) is warned


def test_names_with_square_brackets_are_shown_as_they_are(make_run: Callable[..., Run]) -> None:
    run = make_run(model="my[red]gpt")
    hw = run.profiles[0].model_copy(update={"name": "chip[b]"})
    text = said(evaluated(replace(run, profiles=(hw,)), text="a[bold].txt"))
    assert all(name in text for name in ("my[red]gpt", "chip[b]", "a[bold].txt"))


def test_no_table_is_wider_than_a_pipe_and_no_heading_is_cut(make_run: Callable[..., Run]) -> None:
    text = said(evaluated(make_run()))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 132
    assert "…" not in text
