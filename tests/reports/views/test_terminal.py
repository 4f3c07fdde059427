from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from energy import estimate
from hwmodels import Op, load_profile
from reports import Run
from reports.views.terminal import millijoule, percent, print_bill, print_run


def said(run: Run, width: int = 132) -> str:
    out = io.StringIO()
    print_run(run, Console(file=out, width=width, highlight=False, soft_wrap=True))
    return out.getvalue()


def test_the_terminal_text_is_the_golden_file(run: Run, golden: Callable[[str, str], None]) -> None:
    golden("terminal.txt", said(run))


@pytest.mark.parametrize(
    ("pj", "text"),
    [
        (None, "unpriced"),
        (0.0, "0"),
        (1.2345678e9, "1.235"),
        (4.6, "4.6e-09"),
        (7.4e13, "7.4e+04"),
    ],
)
def test_millijoules_have_four_significant_digits(pj: float | None, text: str) -> None:
    assert millijoule(pj) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "-"), (0.0, "0.00 %"), (0.84348, "84.35 %"), (-0.5646, "-56.46 %"), (1.0, "100.00 %")],
)
def test_a_share_is_a_signed_percentage(share: float | None, text: str) -> None:
    assert percent(share) == text


def test_our_saving_stands_beside_the_published_range(make_run: Callable[..., Run]) -> None:
    # 2,048 ACs x 0.9 pJ for 2,560 MACs x 4.6 pJ, see test_table.
    assert (
        "Attention block, compute only: 84.35 % saved (published, for other weights and "
        "undisclosed settings: 64.71-85.28 %)." in said(make_run())
    )


def test_no_saving_is_claimed_where_macs_have_no_price(make_run: Callable[..., Run]) -> None:
    text = said(make_run("loihi"))
    assert "Attention block: no saving, since a side has MACs or ACs without a price." in text
    assert "saved (published" not in text


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


def test_what_has_no_price_is_counted_per_variant(make_run: Callable[..., Run]) -> None:
    text = said(make_run())
    assert "ASA without a price on 45nm: exp x 320, sqrt x 20 (" in text
    assert "SSA without a price on 45nm: sqrt x 20 (" in text


def test_uncounted_operations_of_both_variants_are_listed_in_order(
    make_run: Callable[..., Run],
) -> None:
    assert "Uncounted element-wise operations: add x 5, cumsum x 1, mean x 2." in said(make_run())
    run = make_run()
    bare = replace(run, asa=replace(run.asa, uncounted={}), ssa=replace(run.ssa, uncounted={}))
    assert "Uncounted" not in said(bare)


def test_every_profile_has_its_table(make_run: Callable[..., Run]) -> None:
    text = said(make_run("loihi", "45nm", "truenorth"))
    titles = [load_profile(name).title for name in ("loihi", "45nm", "truenorth")]
    assert [text.count(title) for title in titles] == [1, 1, 1]
    assert sorted(titles, key=text.index) == titles


def test_no_line_is_wider_than_the_table_for_a_pipe(run: Run) -> None:
    table = [line for line in said(run).splitlines() if line.startswith(("│", "┃", "├", "┡"))]
    assert table
    assert max(map(len, table)) <= 132
    assert not any("…" in line for line in table)


@pytest.mark.parametrize("name", ["my[red]gpt", "gpt[1]", "a\\[b]"])
def test_a_model_name_with_square_brackets_is_shown_as_it_is(
    make_run: Callable[..., Run], name: str
) -> None:
    run = make_run(model=name, weights=f"local({name})")
    assert f"{name}, weights local({name}), T = 4" in said(run)


def test_a_profile_title_with_square_brackets_is_shown_as_it_is(
    make_run: Callable[..., Run],
) -> None:
    run = make_run()
    titled = run.profiles[0].model_copy(update={"title": "a chip [see note] of mine [/b]"})
    assert "a chip [see note] of mine [/b]" in said(replace(run, profiles=(titled,)))


def bill_text(run: Run, hw: str) -> str:
    out = io.StringIO()
    bill = estimate(run.ssa, load_profile(hw))
    print_bill(bill, Console(file=out, width=200, highlight=False, soft_wrap=True))
    return out.getvalue()


def test_a_bill_says_total_compute_and_the_counts_behind_it(make_run: Callable[..., Run]) -> None:
    run = make_run()
    bill = estimate(run.ssa, load_profile("45nm"))
    # Head 4 x 8 x 50 = 1,600 MACs. ACs of a layer: 1,024 in attention, 16 x 32 + 64 x 8 = 1,024
    # in the feed-forward block; twice. 1,600 x 4.6 + 4,096 x 0.9 = 11,046.4 pJ.
    assert bill.energy_pj("compute") == pytest.approx(11046.4)
    first, second = bill_text(run, "45nm").splitlines()
    assert first == (
        f"ssa on 45nm: {millijoule(bill.energy_pj())} mJ, of which compute 1.105e-05 mJ "
        "(1,600 MACs, 4,096 ACs)"
    )
    assert second == "without a price: sqrt x 20"


def test_a_bill_counts_events_with_a_payload_among_the_accumulates(
    make_run: Callable[..., Run],
) -> None:
    run = make_run()
    layers = tuple(
        replace(x, tally=x.tally._replace(ops={**x.tally.ops, Op.AC: 0, Op.SHIFT_AC: x.ops[Op.AC]}))
        for x in run.ssa.layers
    )
    first = bill_text(replace(run, ssa=replace(run.ssa, layers=layers)), "45nm").splitlines()[0]
    # 1,600 MACs x 4.6 + 4,096 x 0.93 pJ = 11,169.3 pJ
    assert "of which compute 1.117e-05 mJ (1,600 MACs, 4,096 ACs)" in first


def test_a_bill_of_nameless_counts_with_every_price_is_one_line(
    make_run: Callable[..., Run],
) -> None:
    run = make_run()
    proj = replace(run.asa.only(component="proj"), variant="")
    text = bill_text(replace(run, ssa=proj), "45nm")
    assert text.startswith("counts on 45nm: ")
    assert text.count("\n") == 1
