from __future__ import annotations

from collections.abc import Callable

import pytest

from reports.roofline.picture import roofline_picture
from reports.roofline.roofline import Roofline

Make = Callable[..., Roofline]


def test_lines_are_energies_per_token(make_roofline: Make) -> None:
    figure = roofline_picture(make_roofline())
    asa, _ssa = figure.axes
    assert asa.get_ylabel() == "energy per token (µJ)"
    drawn = [[round(float(y), 6) for y in line.get_ydata()] for line in asa.lines]  # type: ignore[union-attr]
    for batch in (1, 8, 64):
        assert [round(8e2 / batch, 6)] * 4 in drawn
    assert drawn.count([0.1, 1.6, 25.6, 100.0]) == 3  # the cache, at each batch
    assert drawn.count([2.0] * 4) == 1  # arithmetic, once for all batches


def test_a_circle_marks_where_the_cache_passes_the_weights(make_roofline: Make) -> None:
    asa, ssa = roofline_picture(make_roofline()).axes
    [circle] = [line for line in asa.lines if line.get_marker() == "o"]
    assert list(circle.get_xdata()) == [126]
    assert list(circle.get_ydata()) == [12.5]
    assert [text.get_text() for text in asa.texts] == ["126"]
    assert not [line for line in ssa.lines if line.get_marker() == "o"]


def test_the_titles_say_what_share_is_memory(make_roofline: Make) -> None:
    asa, _ = roofline_picture(make_roofline()).axes
    # (800 + 100 + 0.03) / 902.03 = 99.8 %, (100 + 100) / 202 = 99.0 %, 112.5 / 114.5 = 98 %.
    assert asa.get_title(loc="left") == (
        "analog (ASA)\nmemory at 1,000: 99.8 / 99.0 / 98 % (batch 1 / 8 / 64)"
    )
    unpriced = tuple(cost._replace(arithmetic=None) for cost in make_roofline().costs)
    asa, _ = roofline_picture(make_roofline(costs=unpriced)).axes
    assert asa.get_title(loc="left") == "analog (ASA)\narithmetic unpriced"


def test_the_picture_says_what_it_is_of(make_roofline: Make) -> None:
    said = " ".join(roofline_picture(make_roofline()).get_suptitle().split())
    assert said == (
        "tiny, weights random(seed=0), T = 4; spike rates measured in prefill 45 nm digital CMOS, "
        "FP32 (Horowitz 2014); decode, 1 new token per sequence, layerwise, fused without a price, "
        "so not in the picture: exp"
    )


@pytest.mark.parametrize("missing", ["weights", "kv_cache", "other_traffic"])
def test_a_part_without_a_price_is_not_drawn(make_roofline: Make, missing: str) -> None:
    costs = tuple(cost._replace(**{missing: None}) for cost in make_roofline().costs)
    whole, less = (
        roofline_picture(make_roofline(**more))
        for more in ({"crossings": {}}, {"costs": costs, "crossings": {}})
    )
    assert len(less.axes[0].lines) == len(whole.axes[0].lines) - 3
    assert len(less.legends[0].get_texts()) == len(whole.legends[0].get_texts()) - 1
