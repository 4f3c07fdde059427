from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from energy import Counts, Label, LayerCount, Tally, estimate
from energy.bill.layer import ACCOUNTINGS
from hwmodels import Buffer, HardwareProfile, Op, load_profile
from reports import Run
from reports.kit.answers import saved
from reports.kit.palette import HIGH, LOW, QUIET
from reports.kit.style import STYLE, save
from reports.sensitivity.picture import tornado
from reports.sensitivity.study import Study

CITED = {"source": "a bench", "evidence": "measured"}


def drawn(study: Study, block: str | None = "attention") -> Figure:
    figure = tornado(study, block)
    with mpl.rc_context(STYLE):
        FigureCanvasAgg(figure).figure.draw_without_rendering()
    return figure


def of_run(run: Run, hw: str = "45nm") -> Study:
    profile = load_profile(hw)
    return Study(estimate(run.asa, profile), estimate(run.ssa, profile), 200, 3)


def made(asa: dict[Op, int], ssa: dict[Op, int], **keys: Any) -> Study:
    """Ten kinds of operation beside MAC and AC, 2 pJ each."""
    about: dict[str, Any] = {
        "name": "mine",
        "title": "A chip of mine",
        "precision": "fp32",
        "value_bytes": 4,
        "prices": {
            op: {"pj": 2.0, **CITED} for op in Op if op.buffer is None and op is not Op.DELIVERY
        },
        "memory": {
            "a_dram_of_a_name_that_is_far_too_long": {
                "read_pj_per_byte": 1,
                "write_pj_per_byte": 2,
                "spread": [1, 2],
                **CITED,
            }
        },
    }
    profile = HardwareProfile.model_validate(
        about | {"placement": dict.fromkeys(Buffer, "a_dram_of_a_name_that_is_far_too_long")} | keys
    )

    def bill(variant: str, ops: dict[Op, int]) -> Any:
        row = LayerCount("qkv", "Linear", Label("attention", "qkv", 0), 1, Tally(ops))
        return estimate(Counts(variant, (row,)), profile)

    return Study(bill("asa", asa), bill("ssa", ssa), 200, 3)


def labels(axes: Axes) -> list[str]:
    return [text.get_text().split(":")[0] for text in axes.get_yticklabels()]


def bars(axes: Axes) -> dict[tuple[float, str], tuple[float, float]]:
    """Both ends of each bar, by row and colour."""
    colours = {to_rgba(LOW): "low", to_rgba(HIGH): "high"}
    found = {}
    for patch in axes.patches:
        if (colour := colours.get(patch.get_facecolor())) is not None:
            box = patch.get_bbox()  # type: ignore[attr-defined]
            found[(box.y0 + box.y1) / 2, colour] = (box.xmin, box.xmax)
    return found


def test_a_bar_reaches_from_the_saving_to_what_it_is_at_the_end_of_the_range(
    make_run: Callable[..., Run],
) -> None:
    study = of_run(make_run())
    for axes, accounting in zip(drawn(study).axes, ACCOUNTINGS, strict=True):
        found = study.results["attention", accounting]
        saving = found.nominal.saving
        assert saving is not None
        ends = bars(axes)
        for place, swing in enumerate(found.swings[:2]):
            for end, colour, factor in (
                (swing.at_low, "low", swing.constant.low),
                (swing.at_high, "high", swing.constant.high),
            ):
                if factor != 1:
                    assert ends[place, colour] == pytest.approx(tuple(sorted((saving, end))))
        assert f"{saving:.1%}" in {text.get_text() for text in axes.texts}
        assert axes.get_title(loc="left").split(": ")[1].startswith(f"saving {saving:.1%};")


def test_labels_name_constant_value_evidence_and_range(make_run: Callable[..., Run]) -> None:
    compute, fused, unfused = drawn(of_run(make_run())).axes
    assert "MAC: 4.6 pJ\nderived; x 0.769 to 1.3, our choice" in {
        text.get_text() for text in compute.get_yticklabels()
    }
    assert "SRAM" in labels(unfused)
    # each a bound of its own: a range of a number of uses, or of bytes, is one of values
    texts = {text.get_text() for text in fused.get_yticklabels()}
    assert "event reuse per fetch: 2,048 uses\nprojected; 1 to 4,096 uses, stated" in texts
    assert {"3.54", "5.98"} <= {text.get_text() for text in compute.texts}  # 4.6 x/1.3


def test_the_band_is_the_interval(make_run: Callable[..., Run]) -> None:
    study = of_run(make_run())
    spread = study.results["attention", "compute"].interval
    assert spread is not None
    band = drawn(study).axes[0].patches[0].get_bbox()  # type: ignore[attr-defined]
    assert (band.x0, band.x1) == (spread.low, spread.high)


SCALARS = [Op.ADD, Op.MUL, Op.DIV, Op.EXP, Op.SQRT, Op.CMP, Op.NEURON_UPDATE, Op.SPIKE]


def test_seven_constants_are_shown_and_the_rest_summarised() -> None:
    # As many of each, so that all move the saving by as much: MAC, AC, SHIFT_AC, eight more, memory
    ssa = dict.fromkeys([Op.AC, Op.SHIFT_AC, *SCALARS], 100) | {Op.STATE_READ: 100}
    [compute, full, _] = drawn(made({Op.MAC: 10_000}, ssa)).axes
    assert labels(compute) == ["MAC", "AC", "shift AC"]
    assert len(labels(full)) == 8
    assert labels(full)[0] == "MAC"
    assert labels(full)[-1] == "4 more constants"


def test_a_constant_that_hardly_matters_has_no_bar() -> None:
    ssa = {Op.AC: 1000, Op.ADD: 1, Op.MUL: 1}
    full = drawn(made({Op.MAC: 10_000}, ssa)).axes[1]
    assert labels(full) == ["MAC", "AC", "2 more constants"]
    full = drawn(made({Op.MAC: 10_000}, {Op.AC: 1000, Op.ADD: 1})).axes[1]
    assert labels(full) == ["MAC", "AC", "1 more constant"]


def test_an_end_of_the_range_at_the_nominal_value_has_no_bar_and_a_long_name_is_cut() -> None:
    full = drawn(made({Op.MAC: 100}, {Op.AC: 50, Op.STATE_READ: 50})).axes[1]
    place = next(i for i, name in enumerate(labels(full)) if name.startswith("a DRAM of a"))
    assert labels(full)[place].endswith("...")
    assert (place, "high") in bars(full)
    assert (place, "low") not in bars(full)


def test_a_saving_that_nothing_moves_is_drawn_without_bars() -> None:
    compute, _, _ = drawn(made({Op.MAC: 100}, {Op.MAC: 50})).axes
    assert labels(compute) == []
    assert bars(compute) == {}


def test_savings_that_differ_by_little_are_written_with_the_digits_that_differ() -> None:
    # 1e6 MACs beside 100 that become 50 events: 1 - (2e6 + 100) / (2e6 + 200) = 0.005 %
    full = drawn(made({Op.MAC: 1_000_100}, {Op.MAC: 1_000_000, Op.AC: 50})).axes[1]
    assert "0.0050%" in {text.get_text() for text in full.texts}


def test_break_even_is_marked_where_it_is_in_sight() -> None:
    for events, marked in ((100, True), (20, False)):
        panels = drawn(made({Op.MAC: 100}, {Op.AC: events})).axes
        assert len({axes.get_xlim() for axes in panels}) == 1  # one scale for all
        at_zero = [line for line in panels[0].lines if list(line.get_xdata()) == [0, 0]]
        assert any(line.get_color() == QUIET for line in at_zero) is marked


def test_the_answer_is_the_constant_that_moves_the_whole_bill_most(
    make_run: Callable[..., Run],
) -> None:
    study = of_run(make_run())
    swing = study.results["attention", "fused"].swings[0]
    low, high = sorted((swing.at_low, swing.at_high))
    answer = " ".join(drawn(study).get_suptitle().split())
    assert answer.endswith(
        f"from where it {saved(low)} to where it {saved(high)} (all priced, fused)"
    )


def test_an_accounting_without_a_saving_has_no_panel() -> None:
    bounds = drawn(made({Op.ADD: 100}, {Op.ADD: 50, Op.MUL: 10})).axes
    titles = [axes.get_title(loc="left").partition(":")[0] for axes in bounds]
    assert titles == ["all priced, fused", "all priced, unfused"]


def test_the_picture_says_what_was_drawn_and_whose_choice_the_ranges_are(
    make_run: Callable[..., Run],
) -> None:
    figure = drawn(of_run(make_run()))
    head = " ".join(figure.subfigs[0].get_suptitle().split())
    assert "200 samples, seed 3" in head
    assert "dataflow layerwise" in head
    assert "'our choice': chosen by this project" in head
    assert "tiny, weights random(seed=0), T = 4" in head
    assert figure.axes[-1].get_xlabel() == ("saving on the attention block (below 0 it costs more)")
    # A long line at the top or a label at the side would be cut off at the edge of the figure.
    width, height = figure.bbox.width, figure.bbox.height
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    for axes in figure.axes:
        box = axes.get_tightbbox(renderer)
        assert box is not None
        assert box.x0 >= 0
        assert box.x1 <= width
        assert box.y0 >= 0
        assert box.y1 <= height


def test_the_same_study_gives_the_same_bytes(make_run: Callable[..., Run], tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        save(tornado(of_run(make_run()), None), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
