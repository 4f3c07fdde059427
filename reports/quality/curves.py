"""What the spiking model saves at equal quality, from baselines that are measured as curves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter

from rich.console import Console

from energy.bill.layer import ACCOUNTINGS
from energy.compare.equal_quality import Point, cost_at
from energy.table import Column, Table, at, attributes
from energy.words import number, percent
from hwmodels import HardwareProfile
from reports.kit.table import print_table
from reports.quality.baselines import BaselineLine, lines
from reports.quality.baselines_table import shown_table
from reports.quality.evaluation import Evaluation

Cost = Callable[[BaselineLine], float | None]


@dataclass(frozen=True)
class Curve:
    """A baseline at several settings on one piece of hardware, and the spiking model beside it."""

    kind: str
    profile: HardwareProfile
    points: tuple[BaselineLine, ...]
    spiking: BaselineLine

    def saving(self, cost: Cost) -> float | None:
        """1 - the cost of the spiking model over that of the curve at its KL; None beyond it."""
        ours = cost(self.spiking)
        theirs = cost_at(self._points(cost), self.spiking.scores.kl_nats)
        return None if ours is None or not theirs else 1 - ours / theirs

    def _points(self, cost: Cost) -> list[Point]:
        costs = [(line.scores.kl_nats, cost(line)) for line in self.points]
        return [Point(kl, value) for kl, value in costs if value is not None]

    @property
    def reach(self) -> tuple[float, float]:
        """Least and largest KL of its points."""
        found = [line.scores.kl_nats for line in self.points]
        return min(found), max(found)

    @property
    def note(self) -> str:
        """Why there is no saving, where there is none."""
        low, high = self.reach
        within = low <= self.spiking.scores.kl_nats <= high
        return "" if within else f"beyond its curve, {low:.3g} to {high:.3g} nats"


def _cost(accounting: str | None) -> Cost:
    """Energy per token under an accounting; bytes of weights in decode for None."""
    if accounting is None:
        return lambda line: line.weight_bytes
    return lambda line: line.token_pj(accounting)


_HEADINGS = {
    "fused": "spiking saves, fused",
    "unfused": "saves, unfused",
    None: "of weight bytes, decode",
}


def _saved(name: str, accounting: str | None) -> Column[Curve]:
    cost = _cost(accounting)
    show = partial(percent, digits=1)
    return Column(name, lambda curve: curve.saving(cost), _HEADINGS.get(accounting, ""), show)


#: `quality_curves.csv`, and the table for people.
CURVES: tuple[Column[Curve], ...] = (
    Column("hw", at("profile.name"), "hardware", words=True, key=True),
    Column("kind", at("kind"), "baseline", words=True, key=True),
    Column("points", lambda curve: len(curve.points), "points"),
    Column("kl_nats", at("spiking.scores.kl_nats"), "at KL (nats)", partial(number, digits=4)),
    Column("lowest_kl_nats", lambda curve: curve.reach[0]),
    Column("highest_kl_nats", lambda curve: curve.reach[1]),
    *(_saved(f"model_saving_{name}", name) for name in ACCOUNTINGS),
    _saved("decode_weight_bytes_saving", None),
    Column("note", at("note"), "note", words=True),
    *attributes("spiking.evaluation.comparison.ssa", "model", "weights", "timesteps"),
)


def curves(evaluation: Evaluation) -> list[Curve]:
    """The baselines of each kind that is measured more than once, on each hardware."""
    found: list[Curve] = []
    for profile in evaluation.profiles:
        *others, spiking = lines(evaluation, profile)
        named = [line for line in others if line.measured is not None]
        named.sort(key=attrgetter("kind"))
        for kind, points in groupby(named, attrgetter("kind")):
            if len(same := tuple(points)) > 1:
                found.append(Curve(kind, profile, same, spiking))
    return found


def curves_table(evaluation: Evaluation) -> Table[Curve]:
    """`quality_curves.csv`: one row per hardware and kind of baseline."""
    title = "Saved at equal quality: what each baseline costs at the KL of the spiking model"
    return Table(CURVES, curves(evaluation), title)


def print_baselines(evaluation: Evaluation, console: Console) -> None:
    """Print the baselines on each hardware, and what is saved at equal quality."""
    for profile in evaluation.profiles:
        console.print()
        print_table(shown_table(evaluation, profile), console)
    if curves(evaluation):
        console.print()
        print_table(curves_table(evaluation), console)
