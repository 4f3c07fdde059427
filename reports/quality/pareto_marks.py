"""How points of a sweep look in its picture, and what the legend says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.lines import Line2D

from reports.kit.palette import INK, MUTED, PAPER, SPIKING, SPIKING_PALE
from reports.quality.sweep import Point

#: Marker of each code; filled for softmax attention, hollow for Spikformer's.
CODES = {
    "signed_if": "o",
    "burst": "D",
    "multi_threshold": "s",
    "sar": "^",
    "pow2": "P",
    "exact": "x",
}
#: The line through the points that no other beats.
FRONT: dict[str, Any] = {"color": INK, "linewidth": 0.9, "zorder": 1.5}
#: From the fused bound of a point to the unfused one.
BOUND: dict[str, Any] = {"color": SPIKING_PALE, "linewidth": 0.8, "zorder": 1.4}
#: The ends of the published range.
PUBLISHED: Any = {"color": INK, "marker": "*", "ms": 8, "lw": 0.8, "ls": ":", "zorder": 3}


def _size(timesteps: int) -> float:
    """Diameter of a mark in points."""
    return 2.6 + 0.9 * timesteps.bit_length()


def mark(point: Point, colour: str) -> dict[str, Any]:
    """The mark of a point: its code, its form of attention, its time steps."""
    marker = CODES[str(point["code"])]
    filled = point["form"] == "softmax"
    return {
        "linestyle": "",
        "marker": marker,
        "markersize": _size(int(point["timesteps"])) * (1.25 if marker == "P" else 1),
        "markerfacecolor": colour if filled else PAPER,
        "markeredgecolor": colour if marker == "x" or not filled else PAPER,
        "markeredgewidth": 0.4 if filled and marker != "x" else 0.9,
    }


def legend(points: Sequence[Point]) -> list[Line2D]:
    """What codes, forms, sizes and lines mean, of those that there are."""
    codes = {str(p["code"]) for p in points}
    forms = dict.fromkeys(str(p["form"]) for p in points)
    steps = sorted({int(p["timesteps"]) for p in points})
    grey: dict[str, Any] = {"linestyle": "", "color": MUTED, "marker": "o"}
    faces = {"softmax": MUTED}
    return [
        *(
            Line2D([], [], linestyle="", marker=marker, color=SPIKING, label=code)
            for code, marker in CODES.items()
            if code in codes
        ),
        *(
            Line2D([], [], **grey, mfc=faces.get(form, PAPER), label=f"{form} attention")
            for form in forms
        ),
        *(
            Line2D([], [], **grey, markersize=_size(count), label=f"T = {count}")
            for count in dict.fromkeys((steps[0], steps[-1]))
        ),
        Line2D([], [], **FRONT, label="dark: no point is better"),
        Line2D([], [], **BOUND, label="fused to unfused"),
        Line2D([], [], **PUBLISHED, label="published (2510.00133)"),
    ]
