from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from matplotlib.axes import Axes

from energy import Saving
from reports import Run
from reports.kit.answers import saved
from reports.shown import TABLES
from reports.views.plot_components import _said, per_component


def rows(run: Run, block: str, component: str) -> dict[str, dict[str, str]]:
    """Rows of `savings.csv` of one part, by accounting."""
    table = csv.DictReader(io.StringIO(TABLES["savings"](run).to_csv()))
    return {
        row["accounting"]: row
        for row in table
        if (row["block"], row["component"]) == (block, component)
    }


def widths(axes: Axes, place: int) -> list[float]:
    """Where the bars of a lane end: analog, and spiking; the pale ends on top."""
    ends: dict[float, float] = {}
    for bar in axes.patches:
        middle = round(bar.get_y() + bar.get_height() / 2, 3)  # type: ignore[attr-defined]
        ends[middle] = max(ends.get(middle, 0), bar.get_x() + bar.get_width())  # type: ignore[attr-defined]
    return [ends[round(place + offset, 3)] for offset in (-0.2, 0.2)]


def test_bars_and_words_are_those_of_the_table_of_savings(make_run: Callable[..., Run]) -> None:
    run = make_run()
    [(asa, ssa)] = run.estimates.values()
    left, right = per_component(asa, ssa, "t", "s").axes
    assert left.get_xlim() == right.get_xlim()
    names = [label.get_text() for label in left.get_yticklabels()]
    scale = {"pJ": 1.0, "nJ": 1e3, "µJ": 1e6}[left.get_xlabel().split("(")[1].rstrip(")")]
    for name, part in (
        ("Q, K, V projections", ("attention", "qkv")),
        ("feed-forward down", ("ffn", "ffn_down")),
        ("whole model", ("total", "total")),
    ):
        found, place = rows(run, *part), names.index(name)
        for axes, accounting in ((left, "compute"), (right, "unfused")):
            expected = [float(found[accounting][f"{side}_pj"]) for side in ("asa", "ssa")]
            assert [x * scale for x in widths(axes, place)] == pytest.approx(expected)
        savings = {key: saved(float(row["saving"])) for key, row in found.items()}
        assert savings["compute"] in [text.get_text() for text in left.texts]
        fused, unfused = savings["fused"], savings["unfused"].removeprefix("saves ")
        said = fused if fused.endswith(unfused) else f"{fused} ({unfused})"
        assert said in [text.get_text() for text in right.texts]


def test_the_answer_is_that_of_the_table_of_savings(make_run: Callable[..., Run]) -> None:
    run = make_run()
    found = rows(run, "total", "total")
    compute, fused, unfused = (
        f"{100 * float(found[x]['saving']):.1f} %" for x in ("compute", "fused", "unfused")
    )
    answer = " ".join(per_component(*run.estimates["45nm"], "t", "s").get_suptitle().split())
    assert answer.startswith(
        f"The spiking model saves {fused} fused, {unfused} unfused; of MACs and ACs alone it "
        f"saves {compute}; most is saved in: "
    )


def test_the_components_are_listed_downwards_in_the_order_of_the_forward_pass(
    make_run: Callable[..., Run],
) -> None:
    run = make_run()
    [(asa, ssa)] = run.estimates.values()
    left, _ = per_component(asa, ssa, "t", "s").axes
    bottom, top = left.get_ylim()
    assert bottom > top
    names = [label.get_text() for label in left.get_yticklabels()]
    order = [
        "Q, K, V projections",
        "scores Q Kᵀ",
        "mix A V",
        "output projection",
        "feed-forward up",
        "feed-forward down",
        "language-model head",
    ]
    assert [name for name in names if name in order] == order
    assert names[-1] == "whole model"


def test_what_costs_next_to_nothing_shares_a_lane_and_nothing_is_lost(
    make_run: Callable[..., Run],
) -> None:
    run = make_run()
    [(asa, ssa)] = run.estimates.values()
    left, right = per_component(asa, ssa, "t", "s").axes
    names = [label.get_text() for label in left.get_yticklabels()]
    assert "each < 0.5 %" in names[-2]
    for axes in (left, right):
        drawn = [widths(axes, place) for place in range(len(names))]
        for *parts, whole in zip(*drawn, strict=True):
            assert sum(parts) == pytest.approx(whole)


def test_what_costs_many_times_as_much_says_how_many() -> None:
    words = [_said(Saving("ffn", "neuron", "fused", 2.0, pj, ())) for pj in (19.9, 20.0, 24864.0)]
    # 19.9 / 2 - 1 = 8.95; 20 / 2 = 10; 24,864 / 2 = 12,432
    assert words == ["costs 895.0 % more", *(f"costs {n} times as much" for n in ("10", "12,432"))]
