from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reports.kit.caveats import PUBLISHED_CHANGE, PUBLISHED_SAVING
from reports.kit.palette import ANALOG
from reports.kit.style import save
from reports.quality.pareto_picture import pareto_picture

Point = dict[str, Any]

#: Events per MAC of one time step at threshold 1, and loss there: of the right size, no more.
CODES = {
    "signed_if": (0.45, 0.8),
    "burst": (1.6, 0.12),
    "multi_threshold": (0.5, 0.09),
    "sar": (0.25, 0.1),
    "pow2": (0.6, 0.012),
}
AC, HEAD = 0.9 / 4.6, 0.3  # what an event costs in MACs; MACs of the head, which stay


def point(events: float, change: float, **more: Any) -> Point:
    facts = {
        "model": "nano",
        "weights": "local(nano)",
        "hw": "45nm",
        "attention": "full",
        "text": "heldout.txt of nano",
        "tokens": 8191,
        "window": 256,
        "stride": 128,
        "analog_perplexity": 78.31,
        "form": "softmax",
        "code": "pow2",
        "timesteps": 4,
        "perplexity_change": change,
        "attention_events_per_mac": events,
        "events_per_mac": events,
        "attention_block_saving_compute": 1 - events * AC,
        "model_saving_fused": 1 - HEAD - (1 - HEAD) * events * AC,
        "model_saving_unfused": 0.9 - HEAD - (1 - HEAD) * events * AC,
    }
    return facts | more


def many() -> Iterator[Point]:
    grid = product(("spikformer", "softmax"), CODES.items(), (1, 2, 4, 8, 16), (0.5, 1.0, 2.0))
    for form, (code, (events, loss)), steps, threshold in grid:
        greedy = code == "pow2"
        spent = events * ((2 - 0.5**steps) if greedy else steps) / threshold**0.6
        change = loss * threshold * (1 + 3 * 0.5**steps) / (1 if greedy else steps)
        yield point(
            spent,
            change - 0.014 if form == "softmax" else change + 1.2,
            form=form,
            code=code,
            timesteps=steps,
        )


def panels(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_xlabel().startswith("saving")]


def ticks(axes: Axes) -> dict[str, float]:
    low, high = sorted(axes.get_xlim())
    marks = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    return {text.get_text(): float(place) for place, text in marks if low <= place <= high}


@pytest.fixture(scope="module")
def figure() -> Figure:
    return pareto_picture(list(many()))


def test_each_point_stands_at_what_is_left_of_the_energy() -> None:
    points = [point(0.5, 0.02), point(0.25, 0.2, timesteps=1), point(1.0, 0.3)]
    for axes, name in zip(
        panels(pareto_picture(points)),
        ("attention_block_saving_compute", "model_saving_fused"),
        strict=True,
    ):
        marks = {
            (float(line.get_xdata()[0]), float(line.get_ydata()[0])): line.get_markersize()
            for line in axes.lines
            if len(line.get_xdata()) == 1
        }
        assert marks.keys() == {(1 - p[name], p["perplexity_change"]) for p in points}
        few, many_steps = marks[1 - points[1][name], 0.2], marks[1 - points[0][name], 0.02]
        assert few < many_steps
        # The third is beaten by both others: it saves less at a larger loss.
        front = [line for line in axes.lines if len(line.get_xdata()) == 2 and axes.lines]
        assert [1 - p[name] for p in points[:2]] in [list(line.get_xdata()) for line in front]


def test_the_published_range_is_drawn_at_the_published_loss(figure: Figure) -> None:
    attention, model = panels(figure)
    [stars] = (line for line in attention.lines if line.get_marker() == "*")
    assert list(stars.get_xdata()) == [1 - saving for saving in PUBLISHED_SAVING]
    assert list(stars.get_ydata()) == [PUBLISHED_CHANGE] * 2
    low, high = sorted(attention.get_xlim())
    assert low < 1 - PUBLISHED_SAVING[1] < 1 - PUBLISHED_SAVING[0] < high
    assert all(not len(line.get_xdata()) for line in model.lines if line.get_marker() == "*")


def test_more_saving_is_further_to_the_right_and_no_label_stands_twice(figure: Figure) -> None:
    for axes in panels(figure):
        left, right = axes.get_xlim()
        assert left > right
        found = ticks(axes)
        assert len(found) == len([p for p in axes.get_xticks() if right <= p <= left]) >= 4
        for text, share in found.items():
            assert float(text.rstrip("%")) / 100 == pytest.approx(1 - share)


def test_events_per_mac_stand_above_where_they_follow_from_the_saving(figure: Figure) -> None:
    above = [axes for axes in figure.axes if axes.get_xlabel() == "events per MAC"]
    # The attention block is left with events x AC; a whole bill has more than events.
    [axes] = above
    found = ticks(axes)
    assert len(found) >= 3
    for text, share in found.items():
        assert share == pytest.approx(float(text) * AC)


def test_events_of_two_prices_have_no_axis() -> None:
    dear = 3 * AC
    other = [point(e, 0.1, attention_block_saving_compute=1 - e * dear) for e in (0.3, 0.6, 1.2)]
    points = [point(e, 0.2) for e in (0.3, 0.6, 1.2)] + other
    assert not [a for a in pareto_picture(points).axes if a.get_xlabel() == "events per MAC"]


def test_no_words_overlap(figure: Figure) -> None:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            boxes = [
                text.get_window_extent(renderer)
                for text in axis.get_ticklabels()
                if text.get_text() and text.get_visible()
            ]
            inside = [box for box in boxes if figure.bbox.containsx(box.x0 + box.width / 2)]
            for one, other in pairwise(sorted(inside, key=lambda box: (box.x0, box.y0))):
                assert not one.overlaps(other)
    frames = [axes.get_tightbbox(renderer) for axes in panels(figure)]
    assert frames[0].x1 <= frames[1].x0 + 1
    [legend] = figure.subfigs[0].legends
    assert legend.get_window_extent(renderer).y1 <= min(frame.y0 for frame in frames) + 1


def test_the_legend_names_what_is_there_and_nothing_else() -> None:
    figure = pareto_picture([point(0.5, 0.1), point(1.0, 0.2, code="sar")])
    [legend] = figure.subfigs[0].legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "sar",
        "pow2",
        "softmax attention",
        "T = 4",
        "dark: no point is better",
        "fused to unfused",
        "published (2510.00133)",
    ]


@pytest.mark.parametrize(
    ("outlier", "name"),
    [
        (point(0.5, math.inf), "infinite"),
        (point(50.0, 0.1), "dear"),
        (point(0.5, 0.1, model_saving_fused=None), "no price"),
    ],
)
def test_points_that_lie_outside_are_counted(outlier: Point, name: str, tmp_path: Path) -> None:
    figure = pareto_picture([point(0.5, 0.1), outlier])
    assert figure.subfigs[0].get_suptitle().endswith("1 of 2 points outside"), name
    save(figure, tmp_path / "pareto.png")


def test_points_that_all_lie_outside_leave_an_empty_picture(tmp_path: Path) -> None:
    figure = pareto_picture([point(50.0, math.inf)])
    assert figure.subfigs[0].get_suptitle().endswith("1 of 1 point outside")
    save(figure, tmp_path / "pareto.png")


def test_controls_and_gains_are_drawn(tmp_path: Path) -> None:
    control = point(
        0.0,
        0.0,
        code="exact",
        events_per_mac=None,
        attention_events_per_mac=None,
        attention_block_saving_compute=0.0,
        model_saving_fused=0.0,
        model_saving_unfused=0.0,
    )
    figure = pareto_picture([control, point(0.5, -0.02), point(0.25, 1e4)])
    low, high = panels(figure)[0].get_ylim()
    assert low < -0.02
    assert high > 1e4
    save(figure, tmp_path / "pareto.png")


def test_the_same_points_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        save(pareto_picture([point(0.5, 0.1, model="my $model$")]), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert "my $model$" in (tmp_path / "one.svg").read_text(encoding="utf-8")


def test_baselines_of_the_analog_model_are_joined_by_kind() -> None:
    def baseline(name: str, share: float, change: float) -> dict[str, Any]:
        savings = dict.fromkeys(("attention_block_saving_compute", "model_saving_fused"), share)
        return point(0.5, 0.1) | savings | {"baseline": name, "perplexity_change": change}

    others = [baseline("teal=0.4", 0.2, 0.05), baseline("teal=0.2", 0.1, 0.01)]
    others += [baseline("zones", 0.3, 0.0)]  # of one conversion
    figure = pareto_picture([point(0.5, 0.1), point(0.6, 0.2)], others)
    for axes in figure.axes[:2]:
        [line] = [x for x in axes.lines if x.get_color() == ANALOG]
        assert line.get_xydata().tolist() == [[0.9, 0.01], [0.8, 0.05]]
        left, right = axes.get_xlim()
        assert left > 0.9 > right
    labels = [text.get_text() for text in figure.subfigs[0].legends[0].get_texts()]
    assert "teal" in labels
    assert "zones" not in labels


def test_the_answer_is_what_the_best_point_saves_at_a_small_loss() -> None:
    # 1 - 0.3 - 0.7 x 0.5 x 0.9 / 4.6 = 63.2 %, a tenth less unfused; the other loses too much.
    answer = pareto_picture([point(0.5, 0.008), point(0.2, 0.02)]).get_suptitle()
    assert " ".join(answer.split()) == (
        "Within +1% of perplexity: at +0.80 % pow2 with softmax attention, T = 4, saves 63.2 % of "
        "the model fused, 53.2 % unfused"
    )
    answer = pareto_picture([point(0.5, 0.03), point(0.2, 0.02)]).get_suptitle()
    assert answer.startswith("No point is within +1% of perplexity: at +2.00 % pow2")
