from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from energy import Counts, Estimate, Label, LayerCount, Tally, estimate
from hwmodels import Op, load_profile
from reports.count.picture import count_components

ROWS = (
    LayerCount("a.n", "N", Label("attention", "norm", 0), 1, Tally({Op.ADD: 46})),
    LayerCount("f.n", "N", Label("ffn", "norm", 0), 1, Tally({Op.EXP: 5})),
    LayerCount("fc", "Linear", Label("other", "dense_h_to_4h", 0), 1, Tally({Op.MAC: 9})),
    LayerCount("act", "A", Label("other", "act", 0), 1, Tally({Op.ADD: 0})),
)


def bill(hw: str) -> Estimate:
    return estimate(Counts("asa", ROWS, "m", "w", tokens=1), load_profile(hw))


def drawn(hw: str) -> Figure:
    figure = count_components(bill(hw), "title", "subtitle")
    FigureCanvasAgg(figure).draw()
    return figure


def test_each_component_is_stacked_by_what_it_is_spent_on() -> None:
    figure = drawn("45nm")
    [axes] = figure.axes
    # 46 additions x 0.9 pJ = 41.4 pJ = 9 MACs x 4.6 pJ, of which one fetch of 4 bytes at 1.25 pJ
    # would serve 2,048; an exponential has no price
    widths = [patch.get_width() for patch in axes.patches]  # type: ignore[attr-defined]
    each = [41.4, 41.4, 9 / 2048 * 5]
    whole = [41.4, 41.4, 9 / 2048 * 5]  # MACs, additions, delivery
    assert [width for width in widths if width] == pytest.approx([*each, *whole])
    texts = ["50.0 %", "unpriced", "50.0 %", "0.0 %", "82.8 pJ fused, 82.8 pJ unfused"]
    assert [text.get_text() for text in axes.texts] == texts
    assert " ".join(figure.get_suptitle().split()) == (
        "m costs 82.8 pJ fused, 82.8 pJ unfused; most of it for: dense_h_to_4h, 50.0 %"
    )
    # nothing moves: where something has a price the sum at the other bound is the end of its bar
    marks = [line.get_xdata()[0] for line in axes.lines]
    assert marks[:4] == pytest.approx([41.4, 41.4 + 9 / 2048 * 5, 0, 82.8 + 9 / 2048 * 5])
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "norms (attention)",
        "norms (ffn)",
        "dense_h_to_4h",
        "act",
        "whole model",
    ]
    [legend] = figure.subfigs[0].legends
    found = [text.get_text() for text in legend.get_texts()]
    assert found == ["MACs and ACs", "non-linear functions", "operand delivery", "sum if unfused"]
    assert "without a price, so not in the picture: exp" in figure.subfigs[0].get_suptitle()


def test_hardware_without_any_price_is_drawn() -> None:
    [axes] = drawn("loihi").axes
    assert [text.get_text() for text in axes.texts][:3] == ["unpriced"] * 3
