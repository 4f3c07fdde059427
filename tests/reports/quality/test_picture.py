from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from energy import Counts, LayerCount, Tally
from hwmodels import Op, load_profile
from reports import Run
from reports.kit import style
from reports.quality.evaluation import Evaluation
from reports.quality.picture import break_even, quality_picture

Make = Callable[..., Evaluation]

# Cosine of the residual stream and of both blocks, and no error.
CLOSE = (0.9, 0.8, 0.9, 0, 0, 0)


def drawn(evaluation: Evaluation) -> Figure:
    figure = quality_picture(evaluation)
    with mpl.rc_context(style.STYLE):
        FigureCanvasAgg(figure).figure.draw_without_rendering()
    return figure


def lines(axes: Axes) -> dict[str, list[float]]:
    return {str(line.get_label()): list(line.get_ydata()) for line in axes.get_lines()}  # type: ignore[arg-type]


def with_events(run: Run, factor: int, op: Op = Op.AC) -> Run:
    def more(row: LayerCount) -> LayerCount:
        ops = {op if key is Op.AC else key: factor * n for key, n in row.tally.ops.items()}
        return replace(row, tally=row.tally._replace(ops=ops))

    return replace(run, ssa=replace(run.ssa, layers=tuple(map(more, run.ssa.layers))))


def test_the_lines_are_the_numbers_of_each_layer(
    make_run: Callable[..., Run], evaluated: Make
) -> None:
    above, below = drawn(evaluated(make_run(layers=3), CLOSE)).axes
    assert lines(above) == {
        "attention": [0.8] * 3,
        "feed-forward": [0.9] * 3,
        "residual stream": [0.9] * 3,
    }
    # 1,024 events for 1,280 MACs and for 2,048, see conftest.
    events = lines(below)
    assert events["attention"] == [0.8] * 3
    assert events["feed-forward"] == [0.5] * 3


def test_a_break_even_line_is_drawn_where_it_fits(
    make_run: Callable[..., Run], evaluated: Make
) -> None:
    # Events per MAC 0.8 x 5 = 4; MAC over AC: 45nm 4.6 / 0.9 = 5.1, int32 3.2 / 0.1 = 32.
    run = with_events(make_run("45nm", "45nm-int32", "loihi"), 5)
    _, below = drawn(evaluated(run)).axes
    found = lines(below)
    assert found["break-even 5.11 (45nm)"] == pytest.approx([4.6 / 0.9] * 2)
    assert found["above the axis:\nbreak-even 32.00\n(45nm-int32)"] == []
    assert len(found) == 4  # none for a chip without a price for MACs
    assert 4.6 / 0.9 < below.get_ylim()[1] < 3.2 / 0.1


def test_two_break_even_lines_differ_in_their_dashes(
    make_run: Callable[..., Run], evaluated: Make
) -> None:
    _, below = drawn(evaluated(with_events(make_run("45nm", "45nm-int8"), 8))).axes
    dashes = {
        line.get_linestyle() for line in below.get_lines() if "break" in str(line.get_label())
    }
    assert len(dashes) == 2


def test_events_break_even_where_they_cost_what_the_macs_cost() -> None:
    profile = load_profile("45nm")

    def counts(ops: dict[Op, int]) -> Counts:
        return Counts("ssa", (LayerCount("a", "X", tally=Tally(ops)),))

    assert break_even(counts({Op.AC: 7}), profile) == pytest.approx(4.6 / 0.9)
    assert break_even(counts({Op.MAC: 7}), profile) is None
    assert break_even(counts({Op.AC: 7}), load_profile("loihi")) is None
    shift = profile.energy_pj(Op.SHIFT_AC)
    if shift is not None:  # three events to one, at the mean of their prices
        mixed = break_even(counts({Op.AC: 3, Op.SHIFT_AC: 1}), profile)
        assert mixed == pytest.approx(4.6 * 4 / (3 * 0.9 + shift))
    bare = profile.model_copy(
        update={"prices": {op: p for op, p in profile.prices.items() if op is not Op.AC}}
    )
    assert break_even(counts({Op.AC: 7}), bare) is None


def test_the_headline_says_what_was_measured_on_what(
    make_run: Callable[..., Run], evaluated: Make
) -> None:
    run = make_run("45nm", weights="local(mine)")
    figure = drawn(evaluated(run))
    assert figure.get_suptitle().startswith("Perplexity +10.52 %; on 45nm the spiking model saves ")
    title = figure.subfigs[0].get_suptitle()
    for part in (
        "tiny, weights local(mine), spikformer attention, pow2 feed-forward, T = 4",
        "a, text.txt: 100 tokens scored, window 64, stride 32",
        "perplexity 7.39 analog, 8.17 spiking (+10.52 %)",
        run.profiles[0].title,
    ):
        assert part in title


@pytest.mark.parametrize("layers", [1, 4, 12, 36])
def test_nothing_overlaps_and_nothing_leaves_the_picture(
    make_run: Callable[..., Run], evaluated: Make, layers: int
) -> None:
    run = make_run("45nm", "45nm-int8", layers=layers, model="a-model-with-a-long-name" * 3)
    figure = drawn(evaluated(run, CLOSE))
    box = figure.bbox
    above, below = figure.axes
    parts = [axes.get_tightbbox() for axes in (above, below)]
    [body] = figure.subfigs
    title = body._suptitle.get_window_extent()
    assert all(part is not None for part in parts)
    for part in (*parts, title):
        assert part is not None
        assert box.x0 <= part.x0 <= part.x1 <= box.x1 + 1
        assert box.y0 <= part.y0 <= part.y1 <= box.y1 + 1
    assert parts[0] is not None
    assert parts[1] is not None
    assert parts[1].y1 <= parts[0].y0
    assert parts[0].y1 <= title.y0
    ticks = [text.get_window_extent() for text in below.get_xticklabels() if text.get_text()]
    assert all(left.x1 < right.x0 for left, right in pairwise(ticks))


def test_perfect_models_are_drawn_at_the_top(make_run: Callable[..., Run], evaluated: Make) -> None:
    above, _ = drawn(evaluated(make_run(), (1, 1, 1, 0, 0, 0))).axes
    low, high = above.get_ylim()
    assert low < 1 < high
    assert math.isclose(high - low, 1.14e-3)


def test_models_without_events_are_drawn(make_run: Callable[..., Run], evaluated: Make) -> None:
    run = make_run()
    _, below = drawn(evaluated(replace(run, ssa=run.asa))).axes
    assert lines(below) == {}
