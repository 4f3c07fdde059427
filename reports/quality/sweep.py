"""The table of a sweep, and which of its points nothing beats, on the terminal too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from typing import Any

from rich.console import Console

from energy import saving
from energy.bill.layer import ACCOUNTINGS
from energy.compare.equal_quality import Point as CurvePoint
from energy.compare.equal_quality import cost_at
from energy.table import Column, Table
from energy.words import change, number, percent
from hwmodels.plain import several
from reports.kit.parts import ACCOUNTING_NAMES
from reports.kit.table import print_sentence, print_table
from reports.quality.baselines import lines
from reports.quality.evaluation import Evaluation
from reports.quality.table import QUALITY, quality_table

#: One point on one hardware, by column.
Point = Mapping[str, Any]


#: What a point says beside what an evaluation does.
POINT = (
    *("attention_code", "dead_zone", "threshold", "attention_threshold", "product_threshold"),
    *("resolution", "coders", "head", "head_threshold"),
)

_tenth = partial(percent, digits=1)
_threshold = "{:g}".format

#: Baselines of which a point says what it saves from them at equal quality, and under what.
_CURVES = ("zones", "teal", "wina", "twin")
_BOUNDS = ("fused", "unfused")
#: Columns of that, by kind and accounting.
EQUAL = {
    (kind, accounting): f"model_saving_equal_{kind}_{accounting}"
    for kind in _CURVES
    for accounting in _BOUNDS
}

#: How people see columns: heading, words for a value, and the other fields of a `Column`.
_SHOWN: dict[str, tuple[Any, ...]] = {
    "form": ("attention", str, True, True),
    "code": ("code", str, True, True),
    "timesteps": ("T", str, False, True),
    "threshold": ("threshold", _threshold, False, True),
    "attention_threshold": ("attention threshold", _threshold, False, True),
    "resolution": ("resolution", _threshold, False, True),
    "coders": ("coders", str, True),
    "spiking_perplexity": ("perplexity", partial(number, digits=2)),
    "perplexity_change": ("change", change),
    "top1_agreement": ("same top-1", _tenth),
    "cosine_final": ("cosine", partial(number, digits=4)),
    "events_per_mac": ("events/MAC", partial(number, digits=2)),
    "weights_per_token": ("weights a token needs", _tenth),
    "attention_block_saving_compute": ("saved: attention block, MACs and ACs", _tenth),
    **{
        f"model_saving_{accounting}": (f"saved: model, {name}", _tenth)
        for accounting, name in ACCOUNTING_NAMES.items()
    },
}

#: Columns of `sweep.csv`.
SWEEP: tuple[Column[Point], ...] = tuple(
    Column(name, itemgetter(name), *_SHOWN.get(name, ()))
    for name in (
        *("baseline", *(column.name for column in QUALITY), *POINT),
        *(*EQUAL.values(), "pareto"),
    )
)
_BY_NAME = {column.name: column for column in SWEEP}
#: Those that are known of a point by itself.
MEASURED = frozenset(column.name for column in SWEEP) - {*EQUAL.values(), "pareto"}


@dataclass(frozen=True)
class Sweep:
    """The points of a sweep."""

    #: one per conversion or baseline and hardware, with the columns of `MEASURED`
    points: tuple[Point, ...]

    @property
    def hardware(self) -> list[str]:
        """Names of the hardware, in order."""
        return list(dict.fromkeys(str(point["hw"]) for point in self.points))

    def on(self, hw: str) -> list[Point]:
        """The conversions on one hardware that have a price there."""
        return [p for p in self._on(hw) if not p["baseline"]]

    def baselines_on(self, hw: str) -> list[Point]:
        """The baselines on one hardware that have a price there."""
        return [p for p in self._on(hw) if p["baseline"]]

    def _on(self, hw: str) -> list[Point]:
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


def baseline_points(evaluation: Evaluation) -> list[Point]:
    """The baselines of an evaluation as points: what each saves from the analog model, and loses.

    `perplexity`, agreement and KL are in the columns of the spiking model; what a baseline has not
    is empty. One that follows from the conversion (`zones`, `twin`) names it.
    """
    found: list[Point] = []
    for row in quality_table(evaluation).records():
        profile = next(it for it in evaluation.profiles if it.name == row["hw"])
        for line in lines(evaluation, profile):
            if line.measured is None or line.is_spiking or line.bill is None:
                continue
            savings = {
                f"{name}_saving_{accounting}": saving(
                    evaluation.estimates[profile.name][0], line.bill, accounting, block=block
                ).saving
                for name, block in (("attention_block", "attention"), ("model", None))
                for accounting in ACCOUNTINGS
            }
            found.append(
                dict.fromkeys(MEASURED)
                | {name: row[name] for name in _SHARED}
                | savings
                | {
                    "baseline": line.name,
                    "conversion": row["conversion"] if line.kind in ("zones", "twin") else "",
                    "spiking_perplexity": line.quality.perplexity,
                    "perplexity_change": line.perplexity_change,
                    "spiking_accuracy": line.quality.accuracy,
                    "top1_agreement": line.top1_agreement,
                    "kl_nats": line.kl_nats,
                    "unpriced": line.unpriced,
                }
            )
    return found


#: What a baseline has in common with the point it was measured with.
_SHARED = (
    *("model", "weights", "analog_weights", "text", "tokens", "window", "stride"),
    *("analog_perplexity", "analog_accuracy", "attention", "batch", "hw", "dataflow"),
)


def _at_equal_quality(point: Point, others: Sequence[Point]) -> dict[str, float | None]:
    """What a conversion saves from each curve of baselines at its own KL, in their columns."""
    found: dict[str, float | None] = dict.fromkeys(EQUAL.values())
    for (kind, accounting), column in EQUAL.items() if not point["baseline"] else ():
        saved = f"model_saving_{accounting}"
        curve = [
            CurvePoint(other["kl_nats"], 1 - other[saved])
            for other in others
            if other["baseline"].partition("=")[0] == kind
            and other["conversion"] in ("", point["conversion"])
            and other[saved] is not None
        ]
        theirs = cost_at(curve, point["kl_nats"]) if len(curve) > 1 else None
        if theirs and point[saved] is not None:
            found[column] = 1 - (1 - point[saved]) / theirs
    return found


def sweep_table(sweep: Sweep) -> Table[Point]:
    """`sweep.csv`: one row per point and hardware, and whether nothing beats it there."""
    fronts = {id(point) for hw in sweep.hardware for point in pareto(sweep.on(hw))}
    points = [
        {
            **point,
            **_at_equal_quality(point, sweep.baselines_on(point["hw"])),
            "pareto": id(point) in fronts,
        }
        for point in sweep.points
    ]
    return Table(SWEEP, points)


def front_table(points: Sequence[Point]) -> Table[Point]:
    """The points on one hardware that nothing beats, for people."""
    first = points[0]
    title = (
        f"{first['model']} on {first['hw']}: {several(len(points), 'point')}, those that none "
        f"beats (analog perplexity {first['analog_perplexity']:.2f})"
    )
    return Table(SWEEP, pareto(points), title)


def baseline_table(points: Sequence[Point]) -> Table[Point]:
    """The baselines of the analog model alone, for people: what each loses and saves from it."""
    shown = ("perplexity_change", "top1_agreement")
    saved = ("attention_block_saving_compute", "model_saving_fused", "model_saving_unfused")
    columns = (
        replace(_BY_NAME["baseline"], heading="baseline", words=True, key=True),
        replace(_BY_NAME["kl_nats"], heading="KL (nats)", show=partial(number, digits=4)),
        *(_BY_NAME[name] for name in (*shown, *saved)),
    )
    return Table(columns, points, f"Baselines on {points[0]['hw']}: twins of the analog model")


def equal_table(points: Sequence[Point]) -> Table[Point]:
    """What the points save from each curve of baselines at equal quality, for people."""
    keys = [column for column in SWEEP if column.key]
    kl = replace(_BY_NAME["kl_nats"], heading="KL (nats)", show=partial(number, digits=4))
    known = [
        replace(_BY_NAME[name], heading=f"from {kind}, {accounting}", show=_tenth)
        for (kind, accounting), name in EQUAL.items()
        if any(point[name] is not None for point in points)
    ]
    title = "Model saved at equal quality, all priced (a dash: beyond the curve of the baseline)"
    return Table((*keys, kl, *known), points, title)


def print_sweep(sweep: Sweep, console: Console) -> None:
    """Print the points that nothing beats."""
    for hw in sweep.hardware:
        if points := sweep.on(hw):
            print_table(front_table(points), console)
            if others := [p for p in sweep.baselines_on(hw) if not p["conversion"]]:
                console.print()
                print_table(baseline_table(others), console)
            front = [p for p in sweep_table(sweep).rows if p["hw"] == hw and p["pareto"]]
            if any(point[name] is not None for point in front for name in EQUAL.values()):
                console.print()
                print_table(equal_table(front), console)
        else:
            print_sentence(f"{hw} has no price for the events of any point.", console)
