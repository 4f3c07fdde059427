from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from energy.compare.breakeven import Bound
from energy.compare.thresholds import THRESHOLDS
from reports.breakeven.case import Case
from reports.breakeven.picture import breakeven_picture
from reports.kit.palette import INK, PAPER
from reports.kit.style import save

Make = Callable[..., Case]


def marks(axes: Axes, shape: str) -> list[tuple[float, float, object]]:
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]), line.get_markerfacecolor())
        for line in axes.lines
        if line.get_marker() == shape
    ]


def words(axes: Axes) -> str:
    """What stands above a panel between its accounting and the name of the axis there."""
    [above] = axes.child_axes
    return "\n".join(above.get_xlabel().split("\n")[1:-1])


def test_each_accounting_is_a_panel_with_the_line_of_the_block(make_case: Make) -> None:
    figure = breakeven_picture(make_case(measured=False))
    assert len(figure.axes) == 3
    for axes in figure.axes:
        [line] = (x for x in axes.lines if len(x.get_xdata()) > 2)
        low, high = axes.get_xlim()
        assert (line.get_xdata()[0], line.get_xdata()[-1]) == pytest.approx((low, high))
        # 1 - (2 + 16 r) / 10
        assert list(line.get_ydata()) == pytest.approx([0.8 - 1.6 * x for x in line.get_xdata()])
        assert (0.5, 0.0, INK) in marks(axes, "o")
        assert words(axes) == "ffn block: 0.5"
        assert not axes.texts  # nothing stands over the curves


def test_layers_of_a_run_stand_at_their_rates_filled_where_they_save(make_case: Make) -> None:
    for axes in breakeven_picture(make_case(measured=True)).axes:
        [(x, y, face)] = marks(axes, "v")  # feed-forward up, rate 0.1
        assert (x, y) == (0.1, pytest.approx(0.64))
        assert face != PAPER
        assert marks(axes, "P") == [(0.8, pytest.approx(-0.48), PAPER)]


def test_layers_of_a_closed_form_stand_at_their_break_evens(make_case: Make) -> None:
    for axes in breakeven_picture(make_case(measured=False)).axes:
        assert [(x, y) for x, y, _ in marks(axes, "v")] == [(0.5, 0.0)]


def test_layers_below_the_picture_are_counted(make_case: Make) -> None:
    case = make_case(measured=True)
    assert "lie below" not in breakeven_picture(case).subfigs[0].get_suptitle()
    found = tuple(
        replace(one, busy_pj=20.0) if one.part.name == "high" else one for one in case.breakevens
    )
    said = " ".join(
        breakeven_picture(replace(case, breakevens=found)).subfigs[0].get_suptitle().split()
    )
    assert "(3 of 6 marks lie below)" in said  # 1 - 20 / 10, in each panel


def test_the_literature_stands_on_the_axis_of_spikes_per_synapse(make_case: Make) -> None:
    figure = breakeven_picture(make_case(measured=False))
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes:
        bands = sorted((p.get_x(), p.get_x() + p.get_width()) for p in axes.patches)
        # T = 4
        assert bands[0] == pytest.approx((0.15 / 4, 1.38 / 4))
        assert bands[1] == pytest.approx((0.208 / 4, 0.297 / 4))
        assert any(list(line.get_xdata()) == [1.72 / 4] * 2 for line in axes.lines)
        [above] = axes.child_axes
        assert above.get_xlim() == pytest.approx([4 * x for x in axes.get_xlim()])
    [legend] = figure.subfigs[0].legends
    said = [text.get_text() for text in legend.get_texts()]
    assert all(any(threshold.name in text for text in said) for threshold in THRESHOLDS)


def test_a_bound_is_hollow_and_the_unpriced_is_not_drawn(make_case: Make) -> None:
    case = make_case(measured=False)
    for bound, drawn in ((Bound.AT_MOST, 1), (Bound.UNKNOWN, 0)):
        found = tuple(replace(one, unpriced=("x",), bound=bound) for one in case.breakevens)
        for axes in breakeven_picture(replace(case, breakevens=found)).axes:
            assert len([x for x in axes.lines if len(x.get_xdata()) > 2]) == drawn
            assert [face for *_, face in marks(axes, "o")] == [PAPER] * drawn
            said = "≤ 0.5" if bound is Bound.AT_MOST else "unpriced"
            assert words(axes) == f"ffn block: {said}"


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("busy_pj", [3.0, 18.0, 1e5])
def test_no_words_overlap(measured: bool, busy_pj: float, make_case: Make) -> None:
    case = make_case(measured=measured)
    case = replace(case, breakevens=tuple(replace(one, busy_pj=busy_pj) for one in case.breakevens))
    figure = breakeven_picture(case)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    for axes in figure.axes:
        for shown in (axes, *axes.child_axes):
            boxes = [
                label.get_window_extent(renderer)
                for label in shown.xaxis.get_ticklabels()
                if label.get_text()
            ]
            assert len(boxes) >= 2
            assert not any(one.overlaps(two) for one, two in combinations(boxes, 2))
    [legend] = figure.subfigs[0].legends
    frame = legend.get_window_extent(renderer)
    assert 0 <= frame.x0 < frame.x1 <= figure.bbox.x1
    panels = [axes.get_tightbbox(renderer) for axes in figure.axes]
    assert all(left.x1 <= right.x0 + 1 for left, right in pairwise(panels))
    assert frame.y1 <= min(panel.y0 for panel in panels) + 1


def test_a_layer_alone_has_a_line(make_case: Make) -> None:
    case = make_case(measured=False)
    alone = replace(
        case, breakevens=tuple(one for one in case.breakevens if one.part.name == "low")
    )
    figure: Figure = breakeven_picture(alone)
    assert "low: 0.5" in words(figure.axes[0])
    assert "blue" not in figure.subfigs[0].get_suptitle()
    assert (
        figure.get_suptitle()
        == "The spiking low saves below 0.5 spikes per slot (MACs and ACs, fused, unfused)"
    )


def test_the_same_case_gives_the_same_bytes(make_case: Make, tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        save(breakeven_picture(make_case(measured=True)), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
