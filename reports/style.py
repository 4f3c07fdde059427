"""One style for all pictures: colour-blind safe, readable in grey, fit for a paper."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from energy import Estimate

#: Okabe and Ito's palette, ordered so that neighbours differ in lightness too.
COMPONENT_COLOURS = {
    "qkv": "#0072B2",
    "scores": "#E69F00",
    "mix": "#F0E442",
    "proj": "#56B4E9",
    "ffn_up": "#009E73",
    "ffn_down": "#7FD6B8",
    "lm_head": "#D55E00",
}
GROUP_COLOURS = {
    "compute": "#0072B2",
    "scalar": "#F0E442",
    "neuron": "#D55E00",
    "routing": "#CC79A7",
    "memory": "#56B4E9",
}
GROUP_NAMES = {
    "compute": "MACs and ACs",
    "scalar": "non-linear functions",
    "neuron": "neuron updates",
    "routing": "spike routing",
    "memory": "memory traffic",
}
COMPONENT_NAMES = {
    "qkv": "Q, K, V projections",
    "scores": "scores Q Kᵀ",
    "softmax": "softmax / row scale",
    "mix": "mix A V",
    "proj": "output projection",
    "ffn_up": "feed-forward up",
    "activation": "activation",
    "ffn_down": "feed-forward down",
    "neuron": "spiking neurons",
    "norm": "norms",
    "embedding": "embeddings",
    "lm_head": "language-model head",
}
SPIKING_HATCH = "////"

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "hatch.linewidth": 0.5,
    "svg.hashsalt": "neurt-energy",
    "svg.fonttype": "none",
    "figure.dpi": 100,
    "text.parse_math": False,  # a dollar in a model's name is a dollar
}


def save(figure: Figure, path: Path) -> None:
    """Write a figure; the suffix decides the format. The same figure gives the same bytes."""
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    with mpl.rc_context(STYLE):
        figure.savefig(path, dpi=200, metadata=metadata)


def unit_for(largest_pj: float) -> tuple[float, str]:
    """Picojoules per unit, and the unit in which the largest value has one to three digits."""
    for scale, unit in ((1e12, "J"), (1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ")):
        if largest_pj >= scale:
            return scale, unit
    return 1.0, "pJ"


def headline(figure: Figure, title: str, subtitle: str, asa: Estimate, ssa: Estimate) -> None:
    """Model, hardware and what has no price, above a picture."""
    missing = sorted({op.value for side in (asa, ssa) for op in side.unpriced})
    lines = [title, f"{asa.profile.title}; {subtitle}"]
    if missing:
        lines.append(f"without a price, so not in the picture: {', '.join(missing)}")
    columns = int(figure.get_figwidth() * 17)
    wrapped = [part for line in lines for part in textwrap.wrap(line, columns)]
    figure.suptitle("\n".join(wrapped), fontsize=8, x=0.01, ha="left")
