from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from reports import Run
from reports.compare.comparison import Comparison, compare_runs
from reports.compare.picture import side_by_side
from reports.kit.answers import saved
from reports.kit.style import SMALL, STYLE


def drawn(found: Comparison) -> Figure:
    figure = side_by_side(found)
    with mpl.rc_context(STYLE):
        FigureCanvasAgg(figure).figure.draw_without_rendering()
    return figure


@pytest.fixture
def many(make_run: Callable[..., Run]) -> Comparison:
    run = make_run("45nm", "45nm-int8", "loihi")
    wide = make_run("45nm", width=64, layers=8, model="a-model-with-a-rather-long-name")
    return compare_runs({"first": run, "a second one that has a long name too": wide})


def test_no_text_overlaps_another_or_leaves_the_picture(many: Comparison) -> None:
    figure = drawn(many)
    undrawn = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
        for label in (tick.label1, tick.label2)
    }
    shown = [
        text
        for text in figure.findobj(Text)
        if text.get_text().strip() and text.get_visible() and text not in undrawn
    ]
    boxes = [(text.get_text(), text.get_window_extent().padded(-1)) for text in shown]
    width, height = figure.bbox.width, figure.bbox.height
    for text, box in boxes:
        assert box.x0 >= -1, text
        assert box.y0 >= -1, text
        assert box.x1 <= width + 1, text
        assert box.y1 <= height + 1, text
    for (one, a), (other, b) in combinations(boxes, 2):
        assert not a.overlaps(b), (one, other)
    assert min(text.get_fontsize() for text in shown) >= SMALL


def test_each_row_says_what_makes_it_another_one(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm")
    found = compare_runs({"T = 4": run, "b": replace(run, ssa=replace(run.ssa, timesteps=8))})
    figure = drawn(found)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["T = 4", "b\nT = 8"]
    assert figure.subfigs[0].get_suptitle().replace("\n", " ") == found.same_text


def test_energies_far_apart_are_on_a_logarithmic_scale(many: Comparison) -> None:
    assert drawn(many).axes[0].get_xscale() == "log"


def test_energies_close_together_start_at_zero(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm")
    axes = drawn(compare_runs({"a": run, "b": run})).axes[0]
    assert (axes.get_xscale(), axes.get_xlim()[0]) == ("linear", 0)


def test_what_has_no_price_is_said_and_not_drawn(make_run: Callable[..., Run]) -> None:
    left, right = drawn(compare_runs({"a": make_run("loihi"), "b": make_run("loihi")})).axes
    assert [text.get_text() for text in left.texts] == ["analog unpriced", "spiking unpriced"] * 2
    assert [text.get_text() for text in right.texts] == ["no saving: unpriced"] * 2


def test_a_saving_far_below_zero_is_written_at_the_edge(many: Comparison) -> None:
    row = next(row for row in many.rows if row.asa.profile.name == "45nm-int8")
    part = row.parts["unfused", "attention"].saving
    assert part.saving is not None
    assert part.saving < -1  # a model so small that its neurons cost more than its products
    right = drawn(many).axes[1]
    assert saved(part.saving) in [text.get_text() for text in right.texts]
    assert not any(text.get_text().startswith("-") for text in right.texts)
    assert right.get_xlim()[0] == pytest.approx(-1.04)
