from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from reports.roofline.batch_picture import batch_picture, gone_at
from reports.roofline.roofline import Roofline, TokenCost
from reports.roofline.write import batch_table

Make = Callable[..., Roofline]


def made(make_roofline: Make) -> Roofline:
    """Gathering saves half of the weights at batch 1, a tenth at 2, and nothing from 4 on."""
    kinds = {("asa", "layerwise"): (1, 1, 1), ("ssa", "layerwise"): (1, 1, 1)}
    kinds |= {("ssa", "gathered"): (0.5, 0.9, 1)}
    costs = tuple(
        (dataflow, TokenCost(variant, batch, 512, 2.0, share * 800 / batch, 10.0, 1.0))
        for (variant, dataflow), shares in kinds.items()
        for batch, share in zip((1, 2, 4), shares, strict=True)
    )
    return replace(make_roofline(), over_batch=costs)


def test_it_says_from_which_batch_no_weights_are_saved(make_roofline: Make) -> None:
    roofline = made(make_roofline)
    assert gone_at(roofline) == 4
    figure = batch_picture(roofline)
    [axes] = figure.axes
    # 413 / 813 = 1 - 49.2 %
    assert " ".join(figure.get_suptitle().split()) == (
        "Fetching only the rows that events need saves 49.2 % at batch 1, nothing at batch 4, of "
        "a spiking token (fused)"
    )
    assert "saved from batch 4" in axes.texts[0].get_text()
    plain, gathered = ([float(y) for y in axes.lines[i].get_ydata()] for i in (1, 2))  # type: ignore[union-attr]
    assert [round(b / a, 3) for a, b in zip(plain, gathered, strict=True)] == [
        round(x, 3) for x in (413 / 813, 373 / 413, 1.0)
    ]


def test_each_point_is_a_row(make_roofline: Make) -> None:
    table = batch_table([made(make_roofline)])
    assert len(table.rows) == 9
    column = {c.name: c.value for c in table.columns}
    last = table.rows[-3]
    assert [column[x](last) for x in ("dataflow", "batch", "energy_pj_per_token")] == [
        "gathered",
        1,
        413.0,
    ]
