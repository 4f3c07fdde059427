from __future__ import annotations

import pytest

from hwmodels import load_profile
from reports.plot_roofline import roofline_picture
from reports.roofline import Roofline, TokenCost


def made(hw: str = "45nm", **changes: object) -> Roofline:
    """One decade per factor 16 of the context; weights shared by the batch."""
    costs = tuple(
        TokenCost(variant, batch, context, 2e6, 8e8 / batch, 1e5 * context, 3e4 + batch, ("exp",))
        for variant in ("asa", "ssa")
        for batch in (1, 8, 64)
        for context in (1, 16, 256, 1000)
    )
    facts: dict[str, object] = {
        "profile": load_profile(hw),
        "dataflow": "layerwise",
        "costs": costs,
        "crossings": {("asa", 64): 126},
        "title": "tiny, weights random(seed=0), T = 4",
        "model": "tiny",
        "weights": "random(seed=0)",
        "timesteps": 4,
        "rates": "measured in prefill",
    }
    return Roofline(**{**facts, **changes})  # type: ignore[arg-type]


def test_lines_are_energies_per_token() -> None:
    figure = roofline_picture(made())
    asa, _ssa = figure.axes
    assert asa.get_ylabel() == "energy per token (µJ)"
    drawn = [[round(float(y), 6) for y in line.get_ydata()] for line in asa.lines]  # type: ignore[union-attr]
    for batch in (1, 8, 64):
        assert [round(8e2 / batch, 6)] * 4 in drawn
    assert drawn.count([0.1, 1.6, 25.6, 100.0]) == 3  # the cache, at each batch
    assert drawn.count([2.0] * 4) == 1  # arithmetic, once for all batches


def test_a_circle_marks_where_the_cache_passes_the_weights() -> None:
    asa, ssa = roofline_picture(made()).axes
    [circle] = [line for line in asa.lines if line.get_marker() == "o"]
    assert list(circle.get_xdata()) == [126]
    assert list(circle.get_ydata()) == [12.5]
    assert [text.get_text() for text in asa.texts] == ["126"]
    assert not [line for line in ssa.lines if line.get_marker() == "o"]


def test_the_titles_say_what_share_is_memory() -> None:
    asa, _ = roofline_picture(made()).axes
    # (800 + 100 + 0.03) / 902.03 = 99.8 %, (100 + 100) / 202 = 99.0 %, 112.5 / 114.5 = 98 %.
    assert asa.get_title(loc="left") == (
        "analog (ASA)\nmemory at 1,000: 99.8 / 99.0 / 98 % (batch 1 / 8 / 64)"
    )
    unpriced = tuple(cost._replace(arithmetic=None) for cost in made().costs)
    asa, _ = roofline_picture(made(costs=unpriced)).axes
    assert asa.get_title(loc="left") == "analog (ASA)\narithmetic unpriced"


def test_the_picture_says_what_it_is_of() -> None:
    said = " ".join(roofline_picture(made()).get_suptitle().split())
    assert said == (
        "tiny, weights random(seed=0), T = 4; spike rates measured in prefill 45 nm digital CMOS, "
        "FP32 (Horowitz 2014); decode, 1 new token per sequence, layerwise without a price, so not "
        "in the picture: exp"
    )


@pytest.mark.parametrize("missing", ["weights", "kv_cache", "other_traffic"])
def test_a_part_without_a_price_is_not_drawn(missing: str) -> None:
    costs = tuple(cost._replace(**{missing: None}) for cost in made().costs)
    whole, less = (
        roofline_picture(made(**more))
        for more in ({"crossings": {}}, {"costs": costs, "crossings": {}})
    )
    assert len(less.axes[0].lines) == len(whole.axes[0].lines) - 3
    assert len(less.legends[0].get_texts()) == len(whole.legends[0].get_texts()) - 1
