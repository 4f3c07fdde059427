"""Counts of a model that was counted part by part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from energy.counts import Counts, Label, LayerCount, Levels, Tally
from hwmodels import Op


def to_facts(counts: Counts) -> dict[str, Any]:
    """Rows of a part, and what ran in it outside of counted layers, as JSON."""
    rows = []
    for row in counts.layers:
        label, tally = row.label, row.tally._asdict()
        tally["ops"] = {str(op): number for op, number in row.tally.ops.items()}
        rows.append(
            [row.name, row.kind, [label.block, label.component, label.depth], row.calls, tally]
        )
    return {"rows": rows, "uncounted": dict(counts.uncounted)}


def row_of(
    name: str, kind: str, label: Sequence[Any], calls: float, tally: dict[str, Any]
) -> LayerCount:
    """A row of `to_facts` as it was counted."""
    levels = tally["levels"]
    about = {
        "ops": {Op(op): number for op, number in tally["ops"].items()},
        "levels": None if levels is None else Levels(levels),
    }
    return LayerCount(name, kind, Label(*label), calls, Tally(**tally | about))


def whole(outside: Counts, layers: Mapping[str, Mapping[str, Any]]) -> Counts:
    """Counts of a model in the order of its modules.

    Args:
        outside: What ran outside of transformer layers, with rows of these that say nothing.
        layers: `to_facts` of each transformer layer, by its dotted name.
    """
    rows: list[LayerCount] = []
    placed: set[str] = set()
    for row in outside.layers:
        inside = next((name for name in layers if row.name.startswith(f"{name}.")), None)
        if inside is None:
            rows.append(row)
        elif inside not in placed:
            placed.add(inside)
            rows += [row_of(*each) for each in layers[inside]["rows"]]
    uncounted = Counter(outside.uncounted)
    for each in layers.values():
        uncounted.update(each["uncounted"])
    return replace(outside, layers=tuple(rows), uncounted=dict(uncounted))
