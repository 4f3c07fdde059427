"""The table of a sweep, and which of its points nothing beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

from energy import saving
from energy.bill.layer import ACCOUNTINGS
from energy.compare.equal_quality import Point as CurvePoint
from energy.compare.equal_quality import cost_at
from energy.table import Column, Table
from energy.words import change, number, percent
from hwmodels import HardwareProfile
from reports.kit.parts import ACCOUNTING_NAMES
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
    "form": ("attention", str, True),
    "code": ("code", str, True),
    "timesteps": ("T", str),
    "threshold": ("threshold", _threshold),
    "attention_threshold": ("attention threshold", _threshold),
    "resolution": ("resolution", _threshold),
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
#: Those that are known of a point by itself.
MEASURED = frozenset(column.name for column in SWEEP) - {*EQUAL.values(), "pareto"}


@dataclass(frozen=True)
class Sweep:
    """The points of a sweep."""

    #: one per conversion or baseline and hardware, with the columns of `MEASURED`
    points: tuple[Point, ...]
    #: all that it is priced on, in any precision; empty where nobody said
    profiles: tuple[HardwareProfile, ...] = ()

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
                    "spiking_perplexity": line.scores.quality.perplexity,
                    "perplexity_change": line.perplexity_change,
                    "spiking_accuracy": line.scores.quality.accuracy,
                    "top1_agreement": line.scores.top1_agreement,
                    "kl_nats": line.scores.kl_nats,
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
