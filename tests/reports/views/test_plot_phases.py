from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from energy import saving
from energy.words import energy
from reports import Run
from reports.kit import style
from reports.run.run import Phase, merged
from reports.views.phases import phase_bills
from reports.views.plot_phases import _spread, per_phase


@pytest.fixture
def whole(make_run: Callable[..., Run]) -> Run:
    run = make_run("45nm", "loihi")
    steps = [replace(x, phase="decode@5-7", tokens=3) for x in (run.asa, run.ssa)]
    phases = (Phase("prefill", run.asa, run.ssa), Phase("decode", steps[0], steps[1], 3))
    sums = [merged(pair, "request 4+4") for pair in ((run.asa, steps[0]), (run.ssa, steps[1]))]
    return replace(run, asa=sums[0], ssa=sums[1], request=phases)


def drawn(run: Run, hw: str = "45nm") -> Figure:
    figure = per_phase(phase_bills(run, hw), run.title, run.subtitle)
    with mpl.rc_context(style.STYLE):
        FigureCanvasAgg(figure).figure.draw_without_rendering()
    return figure


def tops(axes: Axes) -> list[float]:
    # Height of each stack, from left to right.
    found: dict[float, float] = {}
    for bar in axes.patches:
        left = bar.get_x()  # type: ignore[attr-defined]
        top = bar.get_y() + bar.get_height()  # type: ignore[attr-defined]
        found[left] = max(found.get(left, 0.0), top)
    return [found[left] for left in sorted(found)]


def test_a_stack_is_as_high_as_the_energy_of_a_token(whole: Run) -> None:
    panels = drawn(whole).axes
    assert len({axes.get_ylim() for axes in panels}) == 1  # one scale
    for axes, bill in zip(panels, phase_bills(whole, "45nm"), strict=False):
        whole_bill = bill.asa.energy_pj()
        expected = [side.energy_pj() / whole_bill for side in (bill.asa, bill.ssa)]
        assert tops(axes) == pytest.approx(expected)
        ends = [bill.per_token(side.energy_pj()) for side in (bill.asa, bill.under("unfused").ssa)]
        said = " ".join(text.get_text() for text in axes.texts)
        assert all(energy(pj, 3) in said for pj in ends)


def test_the_answer_is_what_each_phase_saves_at_both_bounds(whole: Run) -> None:
    said = " ".join(drawn(whole).get_suptitle().split())
    prefill, decode, _ = phase_bills(whole, "45nm")
    for bill in (prefill, decode):
        for bound in ("fused", "unfused"):
            share = saving(bill.asa, bill.ssa, bound).saving
            assert share is not None
            assert f"{abs(100 * share):.1f} %" in said


def test_each_phase_has_a_panel(whole: Run) -> None:
    assert [axes.get_title(loc="left") for axes in drawn(whole).axes] == [
        "prefill, new tokens per sequence: 4",
        "decode, new tokens per sequence: 3",
    ]


def test_one_phase_has_one_panel(make_run: Callable[..., Run]) -> None:
    assert len(drawn(make_run()).axes) == 1


def test_every_line_has_its_name_and_share(whole: Run) -> None:
    texts = [text.get_text() for text in drawn(whole).axes[0].texts]
    assert any(text.startswith("arithmetic ") and text.endswith(" %") for text in texts)
    assert any(text.startswith("neurons ") for text in texts)
    assert not any("static" in text for text in texts)  # unknown, so said above the picture


def test_labels_do_not_lie_upon_each_other(whole: Run) -> None:
    figure = drawn(whole)
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts if text.get_text().endswith("%")]
        for i, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_a_sum_that_is_not_known_is_said(whole: Run) -> None:
    for axes in drawn(whole, "loihi").axes:
        assert any("MAC unpriced" in text.get_text() for text in axes.texts)


def test_the_title_says_what_is_missing(whole: Run) -> None:
    [body] = drawn(whole).subfigs
    said = " ".join(body.get_suptitle().split())
    assert "static energy unpriced" in said
    assert "without a price" in said


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=8).map(sorted),
    st.floats(0.01, 0.2),
)
def test_places_keep_their_order_and_their_distance(middles: list[float], apart: float) -> None:
    places = _spread(middles, apart, 1.0)
    assert all(b - a >= apart - 1e-9 for a, b in pairwise(places))
    assert places[0] >= min(apart / 2, 1.0) - 1e-9
    assert places[-1] <= max(1.0, apart * (len(places) - 0.5)) + 1e-9
