from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

from reports.kit.palette import GROUP_COLOURS, STORED_COLOURS
from reports.roofline.picture import roofline_picture
from reports.roofline.roofline import Roofline

Make = Callable[..., Roofline]

COLOURS = {"arithmetic": GROUP_COLOURS["compute"], **STORED_COLOURS}


def shares(axes: Axes) -> dict[str, list[float]]:
    """The height of each area at each context, by part."""
    names = {colour: part for part, colour in COLOURS.items()}
    found = {}
    for area in axes.collections:
        assert isinstance(area, PolyCollection)
        corners = np.asarray(area.get_paths()[0].vertices)
        each = [corners[corners[:, 0] == x, 1] for x in sorted({*corners[:, 0]})]
        part = names[to_hex(area.get_facecolor()[0]).upper()]  # type: ignore[index]
        found[part] = [float(ys.max() - ys.min()) for ys in each]
    return found


def test_areas_are_shares_of_the_bill_of_a_token(make_roofline: Make) -> None:
    axes = roofline_picture(make_roofline()).axes
    assert len(axes) == 6  # a row for each model, a column for each batch
    for panel, batch in zip(axes, (1, 8, 64) * 2, strict=True):
        # 2 + 800 / batch + 0.1 x context + 0.03 µJ
        bills = [2 + 800 / batch + 0.1 * x + 0.03 + batch / 1e6 for x in (1, 16, 256, 1000)]
        found = shares(panel)
        assert found["arithmetic"] == pytest.approx([2 / x for x in bills])
        assert found["weights"] == pytest.approx([800 / batch / x for x in bills])
        sums = [sum(parts) for parts in zip(*found.values(), strict=True)]
        assert sums == pytest.approx([1.0] * 4)


def test_a_line_marks_where_the_cache_passes_the_weights(make_roofline: Make) -> None:
    marked = roofline_picture(make_roofline()).axes
    assert [[text.get_text() for text in axes.texts] for axes in marked] == [
        [],
        [],
        ["126"],
        [],
        [],
        [],
    ]
    [line] = marked[2].lines
    assert list(line.get_xdata()) == [126, 126]


def test_the_answer_says_what_share_is_memory_and_what_is_saved(make_roofline: Make) -> None:
    # (800 + 100 + 0.03) / 902.03 = 99.8 %, 112.53 / 114.53 = 98.3 %; both sides cost the same.
    answer = " ".join(roofline_picture(make_roofline()).get_suptitle().split())
    assert answer == (
        "At context 1,000 memory is 99.8 % at batch 1, 98.3 % at batch 64 of an analog token; the "
        "spiking one costs the same fused and unfused at batch 1, costs the same fused and unfused "
        "at batch 64"
    )
    unpriced = tuple(cost._replace(arithmetic=None) for cost in make_roofline().costs)
    answer = roofline_picture(make_roofline(costs=unpriced)).get_suptitle()
    assert "has no price: shares of memory alone" in " ".join(answer.split())


def test_both_bounds_of_the_longest_context_are_written(make_roofline: Make) -> None:
    asa, *_ = roofline_picture(make_roofline()).axes
    # 802.13 and 902.03 µJ; 0.09 in place of 0.03 for activations
    assert asa.get_title(loc="left") == "batch 1: a token 802 µJ to 902 µJ\n(902 µJ unfused)"


def test_the_picture_says_what_it_is_of(make_roofline: Make) -> None:
    [body] = roofline_picture(make_roofline()).subfigs
    assert " ".join(body.get_suptitle().split()) == (
        "tiny, weights random(seed=0), T = 4; spike rates measured in prefill 45 nm digital CMOS, "
        "FP32 (Horowitz 2014); decode, 1 new token per sequence, layerwise, fused without a price, "
        "so not in the picture: exp"
    )


@pytest.mark.parametrize("missing", ["weights", "kv_cache", "other_traffic"])
def test_a_part_without_a_price_is_not_drawn(make_roofline: Make, missing: str) -> None:
    costs = tuple(cost._replace(**{missing: None}) for cost in make_roofline().costs)
    figure = roofline_picture(make_roofline(costs=costs, crossings={}))
    assert missing not in shares(figure.axes[0])
    assert len(shares(figure.axes[0])) == 3
    assert len(figure.subfigs[0].legends[0].get_texts()) == 3
