from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from reports.kit import style
from reports.reproduce.picture import reproduce_picture
from reports.reproduce.rows import Reproduction

Made = Callable[..., Reproduction]


@pytest.fixture(scope="module")
def made(make_reproduction: Made) -> Made:
    return partial(make_reproduction, rate=0.2, weights="random(seed=0)")


def drawn(found: Reproduction) -> Figure:
    figure = reproduce_picture(found)
    with mpl.rc_context(style.STYLE):
        FigureCanvasAgg(figure).figure.draw_without_rendering()
    return figure


CASES: dict[str, dict[str, Any]] = {
    "default": {"timesteps": (2, 8)},
    "one": {"models": ("gpt2-nano",), "timesteps": (4,), "hw": ("45nm",)},
    "many": {
        "models": ("gpt2-small", "gpt2-nano"),
        "timesteps": (2,),
        "forms": ("spikformer", "softmax"),
        "codes": ("signed_if", "multi_threshold"),
        "key_values": ("stored", "streamed"),
        "attention": ("full", "causal"),
        "hw": ("45nm", "loihi"),
    },
    "long names": {
        "timesteps": (2,),
        "weights": "pretrained(openai-community/gpt2-large@0123456789ab)",
        "hw": ("45nm", "45nm-fp16", "45nm-int8", "7nm"),
    },
    "costly": {"rate": 1.0, "timesteps": (64,), "models": ("gpt2-nano",)},
    "silent": {"rate": 0.0, "models": ("gpt2-nano",)},
}


@pytest.fixture(params=CASES, scope="module")
def figure(made: Made, request: pytest.FixtureRequest) -> Figure:
    return drawn(made(**CASES[request.param]))


def visible(figure: Figure) -> list[Text]:
    texts = []
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            texts.append(text)
    # Labels of marks beyond the ends of an axis are never drawn.
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not low <= tick.get_loc() <= high or (
                    axis is axes.yaxis and axes is not figure.axes[0]
                ):
                    hidden |= {tick.label1, tick.label2}
    return [text for text in texts if text not in hidden]


def test_no_two_labels_overlap(figure: Figure) -> None:
    boxes = [(text.get_text(), text.get_window_extent()) for text in visible(figure)]
    overlapping = [
        (a, b)
        for (a, box), (b, other) in combinations(boxes, 2)
        if min(box.x1, other.x1) - max(box.x0, other.x0) > 0.5
        and min(box.y1, other.y1) - max(box.y0, other.y0) > 0.5
    ]
    assert overlapping == []


def test_no_label_is_cut(figure: Figure) -> None:
    width, height = figure.get_size_inches() * figure.dpi
    for text in visible(figure):
        box = text.get_window_extent()
        assert box.x0 > -0.5, text.get_text()
        assert box.y0 > -0.5, text.get_text()
        assert box.x1 < width + 0.5, text.get_text()
        assert box.y1 < height + 0.5, text.get_text()


def test_a_mark_stands_at_its_saving(made: Made) -> None:
    found = made(**CASES["one"])
    [axes] = drawn(found).axes
    marks = [
        (line.get_xdata()[0], line.get_marker())
        for line in axes.lines
        if line.get_marker() not in (None, "None")
    ]
    assert axes.get_xscale() == "linear"
    for (place, marker), row in zip(marks, found.rows, strict=True):
        if row["saving"] < -1:
            assert (place, marker) == (-1.04, "<")
        else:
            assert place == pytest.approx(row["saving"])


def test_the_answer_counts_the_runs_that_save_what_is_published(made: Made) -> None:
    found = made(timesteps=(2, 8))
    whole = [
        [
            row["stands"]
            for row in found.rows
            if row["accounting"] == kind and row["projections"] == "with"
        ]
        for kind in ("compute", "fused", "unfused")
    ]
    compute, fused, unfused = whole
    assert " ".join(reproduce_picture(found).get_suptitle().split()) == (
        f"{compute.count('inside')} of {len(compute)} priced runs save the published 64.71 to "
        f"85.28 % of the attention block in MACs and ACs alone, {compute.count('above')} save "
        f"more; of the whole bill {fused.count('inside')} do fused, {unfused.count('inside')} "
        "unfused"
    )


def test_model_weights_phase_tokens_and_conventions_are_named(made: Made) -> None:
    figure = drawn(made(**CASES["one"]))
    said = " ".join(text.get_text() for text in visible(figure))
    for words in (
        "prefill, 32 tokens, batch 1",
        "gpt2-nano random(seed=0)",
        "gpt2-nano, T = 4",
        "45nm",
        "form spikformer, code signed_if, streams Q,V, attention full",
        "64.71–85.28 %",
    ):
        assert words in said


def test_hardware_without_a_price_says_so(made: Made) -> None:
    texts = [x.get_text() for x in visible(drawn(made(hw=("45nm", "loihi"), timesteps=(2,))))]
    assert texts.count("no price for\nMACs or events") == 1


def test_the_same_table_gives_the_same_bytes(made: Made, tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        figure = reproduce_picture(made(**CASES["one"]))
        for suffix in ("png", "svg"):
            style.save(figure, tmp_path / f"{name}.{suffix}")
        contents.append([(tmp_path / f"{name}.{x}").read_bytes() for x in ("png", "svg")])
    assert contents[0] == contents[1]
