from __future__ import annotations

from collections import Counter

from neurt.closed_form.passes import decode
from neurt.closed_form.plan import plan_asa
from neurt.families import Shape
from neurt.measure.alike import repeated_rows, stores_alike

SHAPE = Shape(2, 32, 4, 128, vocabulary=101, positions=64)


def test_a_row_stands_at_the_place_of_each_layer_like_it() -> None:
    counts = plan_asa(SHAPE, decode(8))  # two layers, of six
    times = Counter(repeated_rows(counts, 6).tolist())
    assert {times[i] for i, row in enumerate(counts.layers) if row.label.depth is not None} == {3}
    assert {times[i] for i, row in enumerate(counts.layers) if row.label.depth is None} == {1}
    assert repeated_rows(counts, 2).tolist() == [*range(len(counts.layers))]


def test_layers_are_alike_if_each_row_is_as_wide_in_all() -> None:
    wide = {
        "h.0.mlp.c_fc": (4.0, None),
        "h.1.mlp.c_fc": (4.0, None),
        "h.1.attn.c_attn": (8.0, None),
    }
    assert stores_alike(wide)
    assert stores_alike({})
    assert not stores_alike(wide | {"h.1.mlp.c_fc": (4.0, 32)})
