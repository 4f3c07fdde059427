"""One style for all pictures: colour-blind safe, readable in grey, fit for a paper."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple
from warnings import catch_warnings, filterwarnings

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.ticker import NullLocator

from energy import Estimate
from energy.bill.both import machine_of
from hwmodels import Op
from hwmodels.pair import TwoMachines
from hwmodels.plain import printable
from reports.kit.caveats import on_two
from reports.kit.fit import Fit
from reports.kit.fonts import FAMILY, dress
from reports.kit.palette import FAINT, MUTED
from reports.kit.wrapped import wrapped

#: Inches across both columns of a paper, and across one of them: pictures are drawn in the size in
#: which they are printed, so that a font is as large as it says.
PAGE_WIDTH, COLUMN_WIDTH = Fit.TWO.inches, Fit.ONE.inches
#: Points of the smallest text.
SMALL = 6.5

#: What has no price, where it is drawn at all.
UNPRICED_HATCH = "////"
#: Points of the answer and of the lines below it; bold letters are so much wider.
_ANSWER_SIZE, _CONTEXT_SIZE, _BOLD = 8.5, 7.0, 1.13
_DPI = 200
#: Characters of a name at the left of a picture of one column, after which it is broken.
_NAME = 22
_CAPITALS = ("ac", "dram", "hbm", "mac", "sram")

STYLE: Any = {
    "font.family": FAMILY,
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # to look for a free place takes a tenth of the time of a picture
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "hatch.linewidth": 0.5,
    "svg.hashsalt": "neurt-energy",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # TrueType: publishers refuse the Type 3 of matplotlib
    "figure.dpi": 100,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "text.parse_math": False,  # a dollar in a model's name is a dollar
}


@contextmanager
def styled(changes: Mapping[str, Any] | None = None) -> Iterator[None]:
    """The style of all pictures, and nothing of the user's own, while one is made or written.

    Args:
        changes: What is different in one of them.
    """
    defaults = {k: v for k, v in mpl.rcParamsDefault.items() if not k.startswith("backend")}
    with mpl.rc_context(defaults | STYLE | dict(changes or {})), catch_warnings():
        # A character that no font has is a box, and a name that is too long leaves no room for the
        # rest: whoever chose it sees that.
        for known in (
            "Glyph .* missing",
            "Matplotlib currently does not",
            "constrained_layout not",
        ):
            filterwarnings("ignore", known)
        yield


def save(figure: Figure, path: Path) -> None:
    """Write a figure; the suffix decides the format. The same figure gives the same bytes."""
    dated = {".svg": "Date", ".pdf": "CreationDate"}
    metadata = {dated.get(path.suffix, "Software"): None}
    with styled():
        dress(figure)
        if engine := figure.get_layout_engine():  # laid out once for all of its files
            figure.set_dpi(_DPI)
            FigureCanvasAgg(figure)  # keeps the renderer that measures text
            engine.execute(figure)
            figure.set_layout_engine(None)
        figure.savefig(path, dpi=_DPI, metadata=metadata)


def bars(
    axes: Axes,
    places: Sequence[float],
    ends: Sequence[tuple[float, float]],
    width: float,
    **look: Any,
) -> None:
    """Upright bars that look alike, as one path: to draw each of hundreds takes seconds.

    Args:
        axes: Where to; its limits and margins stay as they are.
        places: The middle of each bar.
        ends: Where each bar begins and ends.
        width: Of each bar.
        **look: Colours, lines and hatches of `PathPatch`.
    """
    boxes = [
        [(x - width / 2, low), (x + width / 2, low), (x + width / 2, high), (x - width / 2, high)]
        for x, (low, high) in zip(places, ends, strict=True)
    ]
    outline = Outline.make_compound_path(*(Outline([*box, box[0]], closed=True) for box in boxes))
    patch = PathPatch(outline, **look)
    patch.set_in_layout(False)  # it lies inside the axes
    axes.add_artist(patch)


class Sheet(NamedTuple):
    """A figure with room for its answer, and the part of it that holds the panels and legends."""

    figure: Figure
    body: SubFigure


def sheet(width: float, height: float) -> Sheet:
    """A figure of so many inches, to which `titled` adds what its text needs."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return Sheet(figure, figure.add_subfigure(figure.add_gridspec(1, 1)[0]))


def headline(
    drawn: Sheet, answer: str, title: str, subtitle: str, asa: Estimate, ssa: Estimate
) -> None:
    """The answer; below it model, hardware and what has no price."""
    machine = machine_of(asa, ssa)
    two = isinstance(machine, TwoMachines)
    answer = on_two(answer) if two else answer
    lines = [title, f"{machine.title}; {subtitle}"]
    for sides in [(asa,), (ssa,)] if two else [(asa, ssa)]:
        if missing := _missing(*sides):
            where = f" on {sides[0].profile.name}" if two else ""
            lines.append(f"without a price{where}, so not in the picture: {', '.join(missing)}")
    titled(drawn, answer, *lines)


def _missing(*sides: Estimate) -> list[str]:
    """What has no price, in a word for memory traffic where that is all of it."""
    missing = {op for side in sides for op in side.unpriced}
    moved = {
        op for op in Op if op.group == "memory" and (any(side.counts.total(op) for side in sides))
    }
    whole = moved if moved <= missing else frozenset[Op]()
    return sorted(op.value for op in missing - whole) + ["memory traffic"] * bool(whole)


def titled(drawn: Sheet, answer: str, *context: str) -> None:
    """The answer in bold above a picture, what it is of below it, both wrapped to its width.

    The figure grows by their height.
    """
    figure, body = drawn
    points = 72 * 0.95 * figure.get_figwidth()
    bold = [*wrapped(printable(answer), points, _ANSWER_SIZE * _BOLD)]
    small = [part for line in context for part in wrapped(printable(line), points, _CONTEXT_SIZE)]
    more = (len(bold) * _ANSWER_SIZE + len(small) * _CONTEXT_SIZE) * 1.2 / 72
    figure.set_figheight(figure.get_figheight() + more)
    where: dict[str, Any] = {"x": 0.01, "ha": "left"}
    figure.suptitle("\n".join(bold), fontsize=_ANSWER_SIZE, fontweight="bold", **where)
    if small:
        body.suptitle("\n".join(small), fontsize=_CONTEXT_SIZE, color=MUTED, **where)


def spelled(name: str) -> str:
    """A name for people: the usual short names of memories and operations in capitals."""
    return " ".join(w.upper() if w in _CAPITALS else w for w in name.replace("_", " ").split())


def layer_ticks(axes: Axes, depths: Sequence[int | None], fit: Fit = Fit.TWO) -> None:
    """Numbers of transformer layers below an axis, as many as have room."""
    most = 24 if fit is Fit.TWO else 12
    every = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000) if len(depths) <= most * step)
    ticks = range(0, len(depths), every)
    axes.set_xticks(ticks, ["outside" if depths[i] is None else f"{depths[i]}" for i in ticks])


def lanes(axes: Axes, names: Sequence[str], fit: Fit = Fit.TWO) -> None:
    """A lane for each name, downwards: in the order of the forward pass."""
    name_lanes(axes, range(len(names)), names, fit)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


def name_lanes(axes: Axes, places: Sequence[int], names: Sequence[str], fit: Fit) -> None:
    """Names at the left, smaller and in lines of so many characters where room is scarce."""
    if fit is Fit.ONE:
        names = [
            fill(name, _NAME, break_long_words=False, break_on_hyphens=False) for name in names
        ]
    axes.set_yticks(places, names, fontsize=7 if fit is Fit.ONE else None, linespacing=1.0)


def spread_ticks(axes: Axes, marks: Mapping[float, str], apart: float) -> None:
    """Mark a logarithmic axis: the first come first, each `apart` of its length from all others."""
    low, high = sorted(axes.get_xlim())
    least = apart * math.log(high / low)
    chosen: list[float] = []
    for place in marks:
        if low <= place <= high and all(abs(math.log(place / x)) >= least for x in chosen):
            chosen.append(place)
    axes.set_xticks(chosen, [marks[place] for place in chosen])
    axes.xaxis.set_minor_locator(NullLocator())


def beside(
    axes: Axes,
    text: str,
    place: tuple[float, float],
    away: tuple[float, float] = (3, 0),
    **look: Any,
) -> None:
    """A small text, so many points away from a place."""
    small: dict[str, Any] = {"va": "center", "fontsize": SMALL}
    axes.annotate(text, place, away, textcoords="offset points", **(small | look))
