from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from energy import estimate
from energy.words import energy_unit
from hwmodels import HardwareProfile
from reports import Run
from reports.kit import style
from reports.kit.style import layer_ticks, save, sheet, spelled, titled
from reports.views.plot_components import per_component
from reports.views.plot_layers import per_layer

SIZES = {
    12: {"layers": 12, "width": 768, "heads": 12, "model": "gpt2-small"},
    48: {"layers": 48, "width": 1600, "heads": 25, "model": "openai-community/gpt2-xl"},
}
PRETRAINED = "pretrained(openai-community/gpt2-xl@0123456789ab)"


@pytest.fixture(
    scope="module",
    params=[
        ("layers", 12, "45nm"),
        ("layers", 48, "45nm"),
        ("layers", 48, "loihi"),
        ("components", 12, "45nm"),
        ("components", 12, "loihi"),
        # Half of all operations are named in its headline, for want of a price.
        ("layers", 12, "kerasspiking-gpu"),
        ("components", 12, "kerasspiking-gpu"),
    ],
    ids=lambda p: f"{p[0]} of {p[1]} on {p[2]}",
)
def picture(
    request: pytest.FixtureRequest, make_run: Callable[..., Run], draw: Callable[[str, Run], Figure]
) -> Figure:
    kind, size, hw = request.param
    run = make_run(hw, vocabulary=50257, tokens=128, weights=PRETRAINED, **SIZES[size])
    return draw(kind, run)


def axes_of(figure: Figure) -> list[Axis]:
    return [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]


def tick_labels(axis: Axis) -> list[Text]:
    low, high = sorted(axis.get_view_interval())
    return [
        tick.label1
        for tick in axis.get_major_ticks()
        if low <= tick.get_loc() <= high and tick.label1.get_visible() and tick.label1.get_text()
    ]


def texts(figure: Figure) -> list[Text]:
    ticks = {
        label
        for axis in axes_of(figure)
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
    }
    others = [
        text
        for text in figure.findobj(Text)
        if text not in ticks and text.get_visible() and text.get_text().strip()
    ]
    return [*others, *(label for axis in axes_of(figure) for label in tick_labels(axis))]


def overlapping(found: list[Text]) -> list[tuple[str, str]]:
    boxes = [(text.get_text(), text.get_window_extent()) for text in found]
    return [
        (a, b)
        for (a, box), (b, other) in combinations(boxes, 2)
        # Half a pixel of anti-aliasing is no overlap.
        if min(box.x1, other.x1) - max(box.x0, other.x0) > 0.5
        and min(box.y1, other.y1) - max(box.y0, other.y0) > 0.5
    ]


def test_no_text_leaves_the_canvas(picture: Figure) -> None:
    found = texts(picture)
    assert len(found) > 20
    canvas = picture.bbox
    outside = [
        text.get_text()
        for text in found
        if (box := text.get_window_extent()).x0 < canvas.x0 - 0.5
        or box.y0 < canvas.y0 - 0.5
        or box.x1 > canvas.x1 + 0.5
        or box.y1 > canvas.y1 + 0.5
    ]
    assert outside == []


def test_everything_drawn_fits_the_canvas(picture: Figure) -> None:
    with mpl.rc_context(style.STYLE):  # ticks made late are made in the style of the moment
        tight = picture.get_tightbbox()  # in inches
    width, height = picture.get_size_inches()
    assert min(tight.x0, tight.y0) >= -0.01
    assert tight.x1 <= width + 0.01
    assert tight.y1 <= height + 0.01


def test_tick_labels_do_not_overlap_each_other(picture: Figure) -> None:
    labelled = [found for axis in axes_of(picture) if len(found := tick_labels(axis)) > 1]
    assert len(labelled) >= 2
    assert [pair for found in labelled for pair in overlapping(found)] == []


def test_no_two_texts_overlap(picture: Figure) -> None:
    assert overlapping(texts(picture)) == []


def test_the_overlap_check_sees_an_overlap() -> None:
    figure = Figure()
    figure.text(0.5, 0.5, "one")
    figure.text(0.5, 0.5, "two")
    figure.text(0.5, 0.1, "three")
    FigureCanvasAgg(figure).draw()
    assert overlapping(texts(figure)) == [("one", "two")]


@pytest.mark.parametrize(
    ("pj", "expected"),
    [
        (0.0, (1.0, "pJ")),
        (999.0, (1.0, "pJ")),
        (1e3, (1e3, "nJ")),
        (1e6, (1e6, "µJ")),
        (9.99e8, (1e6, "µJ")),
        (1e9, (1e9, "mJ")),
        (1e12, (1e12, "J")),
        (1e15, (1e12, "J")),
    ],
)
def test_the_unit_gives_the_largest_value_one_to_three_digits(
    pj: float, expected: tuple[float, str]
) -> None:
    assert energy_unit(pj) == expected


@pytest.mark.parametrize("kind", ["layers", "components"])
def test_a_picture_says_model_weights_hardware_and_what_has_no_price(
    make_run: Callable[..., Run], draw: Callable[[str, Run], Figure], kind: str
) -> None:
    words = " ".join(text.get_text() for text in texts(draw(kind, make_run())))
    words = words.replace("\n", " ")
    assert "tiny, weights random(seed=0), T = 4" in words
    assert "45 nm digital CMOS, FP32 (Horowitz 2014)" in words
    assert "prefill, 4 tokens, full attention" in words
    assert "without a price, so not in the picture: exp, sqrt" in words


@pytest.mark.parametrize("kind", ["layers", "components"])
def test_what_has_no_price_is_said_and_not_drawn_as_zero(
    make_run: Callable[..., Run], draw: Callable[[str, Run], Figure], kind: str
) -> None:
    words = [text.get_text() for text in texts(draw(kind, make_run("loihi")))]
    assert [word for word in words if "unpriced" in word]
    assert not [
        word for word in texts(draw(kind, make_run("45nm"))) if "unpriced" in word.get_text()
    ]


def test_counts_that_cost_nothing_draw_without_a_division_by_zero(
    make_run: Callable[..., Run],
) -> None:
    run = make_run()
    free = HardwareProfile.model_validate(
        {"name": "free", "title": "free", "precision": "fp32", "value_bytes": 4, "prices": {}}
    )
    asa, ssa = (estimate(side, free) for side in (run.asa, run.ssa))
    assert asa.energy_pj() == 0
    for figure in (per_layer(asa, ssa, "t", "s"), per_component(asa, ssa, "t", "s")):
        FigureCanvasAgg(figure).draw()
        assert [text for text in texts(figure) if "unpriced" in text.get_text()]


@pytest.mark.parametrize(
    "name", ["costs $5", "a $x$ b", "a$\\q$b", "100% a_b^c {d} #e & ~f", "a\\"]
)
def test_a_model_name_is_shown_as_it_is(
    make_run: Callable[..., Run], tmp_path: Path, name: str
) -> None:
    run = make_run(model=name)
    [(asa, ssa)] = run.estimates.values()
    save(per_component(asa, ssa, run.title, run.subtitle), tmp_path / "p.svg")
    root = ElementTree.fromstring((tmp_path / "p.svg").read_text(encoding="utf-8"))
    words = ["".join(text.itertext()) for text in root.iter() if text.tag.endswith("}text")]
    assert f"{name}, weights random(seed=0), T = 4" in " ".join(words)


def test_drawing_leaves_the_global_style_alone(
    make_run: Callable[..., Run], draw: Callable[[str, Run], Figure], tmp_path: Path
) -> None:
    before = dict(mpl.rcParams)
    save(draw("layers", make_run()), tmp_path / "p.png")
    assert dict(mpl.rcParams) == before


def test_the_global_style_does_not_reach_the_pictures(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    files = [tmp_path / "a.svg", tmp_path / "b.svg"]
    run = make_run()
    [(asa, ssa)] = run.estimates.values()
    save(per_component(asa, ssa, run.title, run.subtitle), files[0])
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "svg.fonttype": "path"}):
        save(per_component(asa, ssa, run.title, run.subtitle), files[1])
    first, second = (path.read_text(encoding="utf-8") for path in files)
    assert "<text" in second
    assert len(first) == pytest.approx(len(second), rel=0.05)


@pytest.mark.parametrize(("layers", "every"), [(12, 1), (24, 1), (36, 2), (48, 2), (96, 5)])
def test_numbers_of_layers_have_room(layers: int, every: int) -> None:
    axes = Figure().subplots()
    layer_ticks(axes, range(layers))
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert labels == [str(depth) for depth in range(0, layers, every)]


def test_a_title_is_wrapped_between_words_to_the_width_of_the_picture() -> None:
    drawn = sheet(3.4, 2)
    words = "the quick brown fox jumps over the lazy dog " * 6
    titled(drawn, words, "x" * 200)
    answer = drawn.figure.get_suptitle().split("\n")
    assert " ".join(answer) == words.strip()
    # A word that is too long is cut: 72 x 3.4 x 0.95 points / (7 points x 0.592 em) = 56.1.
    small = drawn.body.get_suptitle().split("\n")
    assert [len(line) for line in small] == [56, 56, 56, 32]
    more = (len(answer) * 8.5 + len(small) * 7) * 1.2 / 72
    assert drawn.figure.get_figheight() == pytest.approx(2 + more)


def test_a_number_stays_beside_its_unit() -> None:
    drawn = sheet(3.4, 2)
    titled(drawn, "The spiking model of MACs and ACs saves 35.2 % of the energy")
    # 38 characters of 8.5 points in bold fill the line, which would end between 35.2 and %.
    assert [line for line in drawn.figure.get_suptitle().split("\n") if line.startswith("%")] == []
    assert "35.2 %" in drawn.figure.get_suptitle()


@pytest.mark.parametrize(
    ("name", "said"), [("sram", "SRAM"), ("on_chip_sram", "on chip SRAM"), ("srams", "srams")]
)
def test_usual_short_names_are_in_capitals(name: str, said: str) -> None:
    assert spelled(name) == said


def test_traffic_without_any_price_is_one_word(make_run: Callable[..., Run]) -> None:
    for hw, said in (("kerasspiking-gpu", True), ("loihi", False), ("45nm", False)):
        figure = per_component(*make_run(hw).estimates[hw], "t", "s")
        assert figure.subfigs[0].get_suptitle().endswith("memory traffic") is said
