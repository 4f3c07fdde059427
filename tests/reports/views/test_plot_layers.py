from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from hwmodels import Op
from reports import Run
from reports.kit import style
from reports.views.plot_layers import per_layer


def tops(axes: Axes) -> dict[float, float]:
    # Height of each stack by the middle of its bars.
    found: dict[float, float] = {}
    for bars in axes.patches:
        for (left, _), (right, _), (_, top), *_ in boxes(bars):
            middle = round((left + right) / 2, 6)
            found[middle] = max(found.get(middle, 0.0), top)
    return found


def boxes(bars: Patch) -> list[list[list[float]]]:
    # The corners of each bar of a path, and its first corner again.
    corners: list[list[list[float]]] = (
        np.asarray(bars.get_path().vertices).reshape(-1, 5, 2).tolist()
    )
    return corners


def test_the_stacks_of_a_layer_are_as_high_as_its_energy(make_run: Callable[..., Run]) -> None:
    run = make_run(layers=3)
    [(asa, ssa)] = run.estimates.values()
    figure = per_layer(asa, ssa, run.title, run.subtitle)
    compute, compute_outside, full, full_outside = figure.axes
    for axes, depths, accounting in (
        (compute, [0, 1, 2], "compute"),
        (compute_outside, [None], "compute"),
        (full, [0, 1, 2], "full"),
        (full_outside, [None], "full"),
    ):
        unit = axes.get_ylabel().removeprefix("energy (").removesuffix(")")
        scale = {"pJ": 1.0, "nJ": 1e3, "µJ": 1e6}[unit]
        drawn = tops(axes)
        for i, depth in enumerate(depths):
            for bill, offset in ((asa, -0.21), (ssa, 0.21)):
                layers = [layer for layer in bill.layers if layer.count.label.depth == depth]
                pj = math.fsum(
                    layer.compute_pj if accounting == "compute" else layer.total_pj
                    for layer in layers
                )
                assert pj > 0
                assert drawn[round(i + offset, 6)] * scale == pytest.approx(pj)


def test_the_legend_names_what_is_visible_and_nothing_else(make_run: Callable[..., Run]) -> None:
    run = make_run("loihi")
    [(asa, ssa)] = run.estimates.values()
    above, _below = per_layer(asa, ssa, "t", "s").subfigs
    [legend] = above.legends
    # On Loihi the analog side and the head have no price: five event layers are left.
    assert [text.get_text() for text in legend.get_texts()] == [
        "Q, K, V projections",
        "scores Q Kᵀ",
        "mix A V",
        "output projection",
        "feed-forward up",
        "feed-forward down",
        "left: analog (ASA)",
        "right: spiking (SSA)",
    ]


def test_a_model_without_numbered_layers_is_drawn(
    make_run: Callable[..., Run], draw: Callable[[str, Run], Figure]
) -> None:
    run = make_run()
    asa, ssa = (side.only(block="head") for side in (run.asa, run.ssa))
    draw("layers", replace(run, asa=asa, ssa=ssa))


def test_hatches_tell_the_sides_apart_without_colour(make_run: Callable[..., Run]) -> None:
    run = make_run()
    [(asa, ssa)] = run.estimates.values()
    for axes in per_layer(asa, ssa, "t", "s").axes:
        bars = {
            (side, bar.get_hatch())
            for bar in axes.patches
            if isinstance(bar, Patch)
            for side in ["right" if boxes(bar)[0][0][0] % 1 < 0.5 else "left"]
        }
        # The right bar of a pair begins at i + 0.01, the left one at i - 0.41.
        assert bars == {("left", None), ("right", style.SPIKING_HATCH)}


UNPRICED_BOTH = """
from energy import Counts, Label, LayerCount, Tally, estimate
from hwmodels import HardwareProfile, Op
from reports.views.plot_layers import per_layer
free = HardwareProfile(name="free", title="free", precision="fp32", value_bytes=4, prices={})
tally = Tally({Op.MAC: 1, Op.AC: 1, Op.SHIFT_AC: 1})
layers = (LayerCount("h.0.a", "X", Label("ffn", "ffn_up", 0), 1, tally),)
asa, ssa = (estimate(Counts(v, layers), free) for v in ("asa", "ssa"))
print(per_layer(asa, ssa, "t", "s").axes[0].get_title(loc="right"))
"""


def test_a_picture_does_not_depend_on_the_hash_seed_of_the_process() -> None:
    # A set of operations iterates in another order under another seed.
    said = {
        subprocess.run(
            [sys.executable, "-c", UNPRICED_BOTH],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "012"  # three orders of these operations; 3 has that of 0
    }
    assert len(said) == 1
    title = said.pop()
    assert all(op.value.upper() in title for op in (Op.MAC, Op.AC, Op.SHIFT_AC))
