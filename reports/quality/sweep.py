"""The table of a sweep, and which of its points nothing beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from energy.table import Column, Table
from reports.quality.table import QUALITY

#: One point on one hardware, by column.
Point = Mapping[str, Any]


#: What a point says beside what an evaluation does.
POINT = ("attention_code", "dead_zone", "threshold", "attention_threshold")

#: Columns of `sweep.csv`.
SWEEP: tuple[Column[Point], ...] = tuple(
    Column(name, itemgetter(name)) for name in (*(x.name for x in QUALITY), *POINT, "pareto")
)


@dataclass(frozen=True)
class Sweep:
    """The points of a sweep.

    Attributes:
        points: One per conversion and hardware, with the columns of `SWEEP` but `pareto`.
    """

    points: tuple[Point, ...]

    @property
    def hardware(self) -> list[str]:
        """Names of the hardware, in order."""
        return list(dict.fromkeys(str(point["hw"]) for point in self.points))

    def on(self, hw: str) -> list[Point]:
        """The points on one hardware that have a price there."""
        return [p for p in self.points if p["hw"] == hw and priced(p)]


def priced(point: Point) -> bool:
    """Whether the attention block of a point has a saving."""
    return point["attention_block_saving_compute"] is not None


def pareto(points: Sequence[Point], saving: str = "attention_block_saving_compute") -> list[Point]:
    """The points that no other beats: none saves as much at less perplexity, or more at as much.

    Of points that are equal in both, the first. The thriftiest comes last.
    """
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (-p[saving], p["perplexity_change"])):
        if not best or point["perplexity_change"] < best[-1]["perplexity_change"]:
            best.append(point)
    return best[::-1]


def sweep_table(sweep: Sweep) -> Table[Point]:
    """`sweep.csv`: one row per point and hardware, and whether nothing beats it there."""
    fronts = {id(point) for hw in sweep.hardware for point in pareto(sweep.on(hw))}
    points = [{**point, "pareto": id(point) in fronts} for point in sweep.points]
    return Table(SWEEP, points)
