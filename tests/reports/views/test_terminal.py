from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from energy import estimate, saving
from energy.words import percent
from hwmodels import Op, load_profile
from reports import Run
from reports.kit.closeness import Closeness, Scored
from reports.run.run import Phase
from reports.views.headline import verdict_table
from reports.views.terminal import print_bills, print_run

WRITTEN = [Path("out/counts.csv"), Path("out/report.html"), Path("out/run.json")]


def said(run: Run, *, details: bool = True, width: int | None = None) -> str:
    """On a terminal of that width, or through a pipe."""
    out = io.StringIO()
    console = Console(file=out, width=width or 132, highlight=False, soft_wrap=width is None)
    print_run(run, console, details=details, written=WRITTEN)
    return out.getvalue()


def test_the_terminal_text_is_the_golden_file(run: Run, golden: Callable[[str, str], None]) -> None:
    golden("terminal.txt", said(run, details=False, width=80) + said(run))


def test_the_answer_fits_a_screen_and_stands_last(make_run: Callable[..., Run]) -> None:
    lines = said(make_run("45nm"), details=False, width=80).splitlines()
    # The verdict has a line for each bound, and one says why parts that stay analog change.
    assert len(lines) <= 31
    assert lines[-3:-1] == ["Written to out: 3 files", "--details prints all tables"]
    assert lines[-1] == "Page: out/report.html"
    # 1 - 2,048 ACs x 0.9 pJ / (2,560 MACs x 4.6 pJ), see test_tables
    bounds = [line.split() for line in lines if line.startswith("45nm  ")]
    assert [row[1] for row in bounds] == ["fused", "unfused"]
    assert any("MACs and ACs alone, as most papers count: 45nm 84.35 %" in x for x in lines[-8:])


def test_the_whole_bill_leads_and_what_papers_count_follows(make_run: Callable[..., Run]) -> None:
    text = " ".join(said(make_run()).split())
    parts = ["whole bill", "Quality: ", "MACs and ACs alone", "Published: 64.71 to 85.28 %"]
    assert sorted(parts, key=text.rindex) == parts


def test_each_phase_of_a_request_has_a_saving_in_the_verdict(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm")
    phases = tuple(Phase(name, run.asa, run.ssa) for name in ("prefill", "decode"))
    table = verdict_table(replace(run, request=phases))
    assert [column.heading for column in table.shown][2:5] == ["prefill", "decode", "request"]
    (asa, ssa), *_ = run.phase_estimates["45nm"]
    for row, bound in zip(table.rows, ("fused", "unfused"), strict=True):
        saved = percent(saving(asa, ssa, bound).saving)
        assert [column.cell(row) for column in table.shown[2:4]] == [saved] * 2


def test_quality_is_said_with_its_uncertainty_where_tokens_are_few(
    make_run: Callable[..., Run],
) -> None:
    # A change of e^(5 / 500) - 1 = 1.01 %, a KL of 10 / 500 nats: sqrt(2 x 0.02 / 500) = 0.89 %
    half = Scored(250, 500.0, 502.5, 5.0, 100, 99, 240)
    run = replace(make_run(weights="local(m)"), quality=Closeness((half, half)))
    text = "Quality: perplexity +1.01 %, give or take 0.89 %, KL 0.02 nats, on 500 tokens."
    assert text in said(run)
    many = replace(run, quality=Closeness((half,) * 4), settings={"text": "a.txt"})
    assert "Quality: perplexity +1.01 %, KL 0.02 nats, on 1,000 tokens of a.txt." in said(many)


@pytest.mark.parametrize(
    ("weights", "command", "why"),
    [
        ("random(seed=0)", "profile", "means nothing, with random weights"),
        ("local(m)", "profile", "not measured here; `neurt-energy evaluate` does"),
        ("none(closed form)", "plan", "unknown, a plan reads no text; `neurt-energy profile`"),
    ],
)
def test_no_quality_has_a_reason(
    make_run: Callable[..., Run], weights: str, command: str, why: str
) -> None:
    assert f"Quality: {why}" in said(make_run(weights=weights, command=command))


def test_no_saving_is_claimed_where_macs_have_no_price(make_run: Callable[..., Run]) -> None:
    text = said(make_run("loihi"))
    assert [x.split()[2:] for x in text.splitlines() if x.startswith("loihi  ")] == [
        ["unpriced", "-", "unpriced"]
    ] * 2
    assert "loihi unpriced of attention, unpriced of the model" in text


@pytest.mark.parametrize(
    ("weights", "warned"),
    [
        ("random(seed=3)", True),
        ("local(my-gpt2)", False),
        ("pretrained(openai-community/gpt2)", False),
    ],
)
def test_random_weights_are_said_to_make_savings_meaningless(
    make_run: Callable[..., Run], weights: str, warned: bool
) -> None:
    assert (
        f"Weights are {weights}: dense counts are those of any weights, spike rates and savings "
        "are not." in said(make_run(weights=weights))
    ) is warned


def test_an_assumed_spike_rate_is_said_to_be_one(make_run: Callable[..., Run]) -> None:
    planned = replace(make_run(), command="plan", settings={"spike_rate": 0.2})
    assert "The spike rate 0.2 is assumed, not measured." in said(planned, details=False)


def test_what_has_no_price_is_counted_per_variant(make_run: Callable[..., Run]) -> None:
    text = said(make_run())
    assert "ASA without a price on 45nm: exp x 320, sqrt x 20 (" in text
    assert "SSA without a price on 45nm: sqrt x 20 (" in text
    assert "Without a price, so in no sum: exp, sqrt." in said(make_run(), details=False)


def test_uncounted_operations_of_both_variants_are_listed_in_order(
    make_run: Callable[..., Run],
) -> None:
    says = "Uncounted element-wise operations (calls): add x 5, cumsum x 1, mean x 2."
    assert says in said(make_run())
    run = make_run()
    bare = replace(run, asa=replace(run.asa, uncounted={}), ssa=replace(run.ssa, uncounted={}))
    assert "Uncounted" not in said(bare)


def test_every_profile_has_its_table(make_run: Callable[..., Run]) -> None:
    text = said(make_run("loihi", "45nm", "truenorth"), details=False)
    titles = [load_profile(name).title for name in ("loihi", "45nm", "truenorth")]
    assert [text.count(title) for title in titles] == [1, 1, 1]
    assert sorted(titles, key=text.index) == titles


@pytest.mark.parametrize("name", ["my[red]gpt", "gpt[1]", "a\\[b]"])
def test_names_with_square_brackets_are_shown_as_they_are(
    make_run: Callable[..., Run], name: str
) -> None:
    run = make_run(model=name, weights=f"local({name})")
    titled = run.profiles[0].model_copy(update={"title": f"a chip {name} of mine [/b]"})
    text = said(replace(run, profiles=(titled,)))
    assert f"{name}, weights local({name}), T = 4" in text
    assert f"a chip {name} of mine [/b]" in text


def bill_text(run: Run, hw: str) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=132, highlight=False, soft_wrap=True)
    print_bills([estimate(run.ssa, load_profile(hw))], console)
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def test_a_bill_says_total_compute_and_the_counts_behind_it(make_run: Callable[..., Run]) -> None:
    run = make_run()
    # Head 4 x 8 x 50 = 1,600 MACs. ACs of a layer: 1,024 in attention, 16 x 32 + 64 x 8 = 1,024
    # in the feed-forward block; twice. 1,600 x 4.6 + 4,096 x 0.9 = 11,046.4 pJ.
    assert estimate(run.ssa, load_profile("45nm")).energy_pj("compute") == pytest.approx(11046.4)
    heading, _, row, missing = bill_text(run, "45nm")
    assert heading == ("counts hardware compute fused unfused MACs ACs operations with a price")
    assert row == "ssa 45nm 11.05 nJ 46.3 nJ 76.06 nJ 1,600 4,096 99.86 %"
    assert missing.startswith("SSA without a price on 45nm: sqrt x 20 (")


def test_a_bill_counts_events_with_a_payload_among_the_accumulates(
    make_run: Callable[..., Run],
) -> None:
    run = make_run()
    layers = tuple(
        replace(x, tally=x.tally._replace(ops={**x.tally.ops, Op.AC: 0, Op.SHIFT_AC: x.ops[Op.AC]}))
        for x in run.ssa.layers
    )
    row = bill_text(replace(run, ssa=replace(run.ssa, layers=layers)), "45nm")[2]
    # 1,600 MACs x 4.6 + 4,096 x 0.93 pJ = 11,169.3 pJ
    assert row.startswith("ssa 45nm 11.17 nJ ")
    assert " 1,600 4,096 " in row


def test_a_bill_of_nameless_counts_with_every_price_is_one_row(
    make_run: Callable[..., Run],
) -> None:
    run = make_run()
    proj = replace(run.asa.only(component="proj"), variant="")
    *_, row = bill_text(replace(run, ssa=proj), "45nm")
    assert row.startswith("counts 45nm ")
