"""Bills of the page beside those of Python."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from energy import Estimate, saving
from reports import Run
from reports.page.data import page_data

Evaluate = Callable[[str, Any], Any]

SIDES = """({ data, link }) => {
  data = settings.loaded(data);
  const view = settings.view(data, settings.parsed(data, link).chosen);
  const parts = [[null, null], ...data.blocks.map(([block]) => [block, null])];
  const both = [view.asa, view.ssa];
  return { totals: both.map((side) => [...side.total].reduce((a, b) => a + b, 0)),
    latency: both.map(({ latency }) => latency), static: both.map((side) => side.static),
    savings: parts.flatMap(([block, component]) => data.world.accountings.map((accounting) =>
      settings.saved(data, view, accounting, block, component))) };
}"""


def close(found: Any, expected: Any) -> bool:
    """Equal to 1e-9; None is equal to None only."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(close(found[k], expected[k]) for k in found)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(close, found, expected))
    return bool(
        found == expected or (None not in (found, expected) and math.isclose(found, expected))
    )


def compare(evaluate: Evaluate, run: Run, asa: Estimate, ssa: Estimate, link: str = "") -> None:
    """The page under the settings of a link has these bills and savings, at both bounds."""
    found = evaluate(SIDES, {"data": page_data(run), "link": link})
    totals = [sum(row.total_pj for row in side.layers) for side in (asa, ssa)]
    assert close(found["totals"], totals)
    assert close(found["static"], [asa.static_pj, ssa.static_pj])
    assert close(found["latency"], [asa.latency_s, ssa.latency_s])
    for part in found["savings"]:
        expected = saving(asa, ssa, part["accounting"], block=part["block"])
        for key in ("asa_pj", "ssa_pj", "saving"):
            assert close(part[key], getattr(expected, key)), key
        assert part["unpriced"] == [op.value for op in expected.unpriced]
