"""The table of a sweep, and which of its points nothing beats, on the terminal too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

from rich.console import Console

from energy.table import Column, Table
from energy.words import change, number, percent
from hwmodels.plain import several
from reports.kit.parts import ACCOUNTING_NAMES
from reports.kit.table import print_sentence, print_table
from reports.quality.table import QUALITY

#: One point on one hardware, by column.
Point = Mapping[str, Any]


#: What a point says beside what an evaluation does.
POINT = (
    *("attention_code", "dead_zone", "threshold", "attention_threshold", "product_threshold"),
    *("resolution", "coders", "head", "head_threshold"),
)

_tenth = partial(percent, digits=1)
_threshold = "{:g}".format

#: How people see columns: heading, words for a value, and the other fields of a `Column`.
_SHOWN: dict[str, tuple[Any, ...]] = {
    "form": ("attention", str, True, True),
    "code": ("code", str, True, True),
    "timesteps": ("T", str, False, True),
    "threshold": ("threshold", _threshold, False, True),
    "attention_threshold": ("attention threshold", _threshold, False, True),
    "resolution": ("resolution", _threshold, False, True),
    "coders": ("coders", str, True, True),
    "spiking_perplexity": ("perplexity", partial(number, digits=2)),
    "perplexity_change": ("change", change),
    "top1_agreement": ("same top-1", _tenth),
    "cosine_final": ("cosine", partial(number, digits=4)),
    "events_per_mac": ("events/MAC", partial(number, digits=2)),
    "attention_block_saving_compute": ("saved: attention block, MACs and ACs", _tenth),
    **{
        f"model_saving_{accounting}": (f"saved: model, {name}", _tenth)
        for accounting, name in ACCOUNTING_NAMES.items()
    },
}

#: Columns of `sweep.csv`.
SWEEP: tuple[Column[Point], ...] = tuple(
    Column(name, itemgetter(name), *_SHOWN.get(name, ()))
    for name in (*(column.name for column in QUALITY), *POINT, "pareto")
)


@dataclass(frozen=True)
class Sweep:
    """The points of a sweep."""

    #: one per conversion and hardware, with the columns of `SWEEP` but `pareto`
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


def front_table(points: Sequence[Point]) -> Table[Point]:
    """The points on one hardware that nothing beats, for people."""
    first = points[0]
    title = (
        f"{first['model']} on {first['hw']}: {several(len(points), 'point')}, those that none "
        f"beats (analog perplexity {first['analog_perplexity']:.2f})"
    )
    return Table(SWEEP, pareto(points), title)


def print_sweep(sweep: Sweep, console: Console) -> None:
    """Print the points that nothing beats."""
    for hw in sweep.hardware:
        if points := sweep.on(hw):
            print_table(front_table(points), console)
        else:
            print_sentence(f"{hw} has no price for the events of any point.", console)
