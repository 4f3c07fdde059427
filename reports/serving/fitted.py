"""What a fit of whole-chip prices is worth, model by model, and what each price is: tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from rich.console import Console

from energy.literature.ecologits import ecologits_j
from energy.serving.fit import Fit, FittedTarget
from energy.serving.nonnegative import Floats
from energy.serving.otherwise import Otherwise
from energy.serving.points import Sample
from energy.serving.selection import BASE
from energy.serving.unseen import mean_of
from energy.table import Column, Table
from energy.words import energy, percent, time
from hwmodels.wholechip import Kind, Work
from reports.kit.table import print_sentence, print_table

_share = partial(percent, digits=1)

#: What targets are called, with how their prices are written, in picojoules or picoseconds.
TARGETS: dict[str, tuple[str, Callable[[float], str]]] = {
    "energy": ("energy per token", energy),
    "latency": ("time between tokens", time),
    "step": ("time of a step", time),
}


class Error(NamedTuple):
    """Mean relative errors on points that a fit had not seen; None where there are none."""

    model: str  #: a model, a kind of models, or all
    kind: Kind | None
    points: int
    energy: float
    latency: float | None
    rate: float | None
    #: the same of a price of multiply-accumulates alone
    macs_alone: float
    ecologits: float | None  #: the same of EcoLogits' formula at the true batch
    total: bool = False  #: whether several models are in it


ERRORS: tuple[Column[Error], ...] = (
    Column("model", lambda row: row.model, "left out", words=True, key=True),
    Column("kind", lambda row: row.kind and row.kind.value, "kind", words=True),
    Column("points", lambda row: row.points, "points"),
    Column("energy_error", lambda row: row.energy, "energy per token", _share),
    Column("latency_error", lambda row: row.latency, "time between tokens", _share),
    Column("rate_error", lambda row: row.rate, "tokens per second", _share),
    Column("macs_alone_error", lambda row: row.macs_alone, "energy from FLOPs alone", _share),
    Column("ecologits_error", lambda row: row.ecologits, "energy from EcoLogits", _share),
)


class Priced(NamedTuple):
    """A price."""

    target: str
    work: Work
    value: float
    spread: tuple[float, float] | None


def _price_pj(work: Work, row: Otherwise) -> float:
    return 1e12 * row.prices[work]


PRICES: tuple[Column[Priced], ...] = (
    Column("target", lambda row: TARGETS[row.target][0], "what", words=True, key=True),
    Column("work", lambda row: row.work.value, "for each", words=True, key=True),
    Column("price", lambda row: _written(row, 1.0), "price"),
    Column("low", lambda row: row.spread and _written(row, row.spread[0]), "from"),
    Column("high", lambda row: row.spread and _written(row, row.spread[1]), "to"),
    Column("definition", lambda row: row.work.definition, "in each step", words=True),
)


OTHERWISE: tuple[Column[Otherwise], ...] = (
    Column("what", lambda row: row.what, "otherwise", words=True, key=True),
    Column("energy_error", lambda row: row.energy, "energy per token", _share),
    Column("dense_error", lambda row: row.dense, "dense", _share),
    Column("experts_error", lambda row: row.experts, "experts", _share),
    Column("latency_error", lambda row: row.latency, "time between tokens", _share),
    Column("rate_error", lambda row: row.rate, "tokens per second", _share),
    *(Column(f"{work}_pj", partial(_price_pj, work), work.value, energy) for work in BASE),
)


def _written(row: Priced, times: float) -> str:
    return TARGETS[row.target][1](row.value * times)


def targets(fit: Fit) -> dict[str, FittedTarget]:
    """Those that were measured, by name."""
    found = {"energy": fit.energy, "latency": fit.latency, "step": fit.step}
    return {name: target for name, target in found.items() if target is not None}


def errors_table(fit: Fit, sizes: Mapping[str, tuple[float, float]]) -> Table[Error]:
    """A row for each model, each kind, and all.

    Args:
        fit: A fit.
        sizes: Active and total parameters of the models, where they are known.
    """
    said = _Said(fit, sizes)
    rows = [_error(said, model, kind, {"model": model}) for model, kind in fit.models.items()]
    for kind in Kind:
        if sum(kind is one for one in fit.models.values()) > 1:
            rows.append(_error(said, f"all: {kind.value}", kind, {"kind": kind}))
    rows.append(_error(said, "all", None, {}))
    return Table(ERRORS, rows, strong=lambda row: row.total)


class _Said:
    """What two simpler accounts say of each point."""

    def __init__(self, fit: Fit, sizes: Mapping[str, tuple[float, float]]) -> None:
        self.fit, self.sample = fit, fit.energy.sample
        self._macs = np.abs(self.sample.predicted_left_out((Work.MAC,)) - 1)
        self._ecologits = _published(self.sample, sizes)

    def means(self, inside: Mapping[str, object]) -> tuple[int, float, float | None]:
        """Points that have such attributes, and mean relative errors of the accounts on them."""
        there = self.sample.where(**inside)
        known = self._ecologits[there & ~np.isnan(self._ecologits)]
        other = float(known.mean()) if len(known) else None
        return int(there.sum()), float(self._macs[there].mean()), other


def _published(sample: Sample, sizes: Mapping[str, tuple[float, float]]) -> Floats:
    """Relative errors of EcoLogits; NaN where the parameters of a model are not known."""
    return np.array(
        [
            abs(ecologits_j(*sizes[x.model], x.step.sequences) / x.energy_j - 1)
            if x.model in sizes
            else np.nan
            for x in sample.points
        ]
    )


def _error(said: _Said, name: str, kind: Kind | None, inside: Mapping[str, object]) -> Error:
    fit = said.fit
    points, macs, published = said.means(inside)
    error = fit.energy.error(**inside)
    assert error is not None
    return Error(
        name,
        kind,
        points,
        error,
        None if fit.latency is None else fit.latency.error(**inside),
        None if fit.step is None else fit.step.rate_error(**inside),
        macs,
        published,
        "model" not in inside,
    )


def prices_table(fit: Fit) -> Table[Priced]:
    """A row for each price."""
    rows = [
        Priced(name, work, 1e12 * target.price(work), target.spread[work])
        for name, target in targets(fit).items()
        for work in target.works
    ]
    return Table(PRICES, rows, group=lambda row: row.target)


def otherwise_table(rows: Sequence[Otherwise]) -> Table[Otherwise]:
    """What becomes of errors and of the prices of energy where one thing is otherwise."""
    return Table(OTHERWISE, rows)


def earned(fit: Fit) -> Iterator[str]:
    """A sentence for each target: which works earned a price, and by how much."""
    for name, target in targets(fit).items():
        first, *others = target.tried
        steps = [f"{', '.join(first.works)}: {_share(first.error)}"]
        steps += [f"+ {tried.works[-1]}: {_share(tried.error)}" for tried in others]
        yield f"Error of {TARGETS[name][0]} on unseen models and architectures: " + "; ".join(steps)


def coverages(fit: Fit) -> Iterator[str]:
    """A sentence for each target: its interval, and what is left where a model is wholly unseen."""
    for name, target in targets(fit).items():
        low, high = target.interval
        said = (
            f"90 % of {TARGETS[name][0]} of one more model are expected from {low:.2f} to "
            f"{high:.2f} of what is predicted"
        )
        error, held = mean_of(target.unseen, "error"), mean_of(target.unseen, "held")
        if error is not None and held is not None:
            said += (
                f"; with a model left out of the choice of works too, {_share(held)} of its points "
                f"lie inside, and predictions are off by {_share(error)}"
            )
        yield said


def again(fit: Fit) -> Iterator[str]:
    """A sentence for each target: in how many choices without a model each work is chosen."""
    for name, target in targets(fit).items():
        chosen = Counter(work for one in target.unseen for work in one.works if work not in BASE)
        if chosen:
            times = ", ".join(f"{work} {number}" for work, number in chosen.most_common())
            yield (
                f"Chosen for {TARGETS[name][0]} where one of {len(target.unseen)} models is left "
                f"out: {times}"
            )


def print_fit(
    fit: Fit,
    sizes: Mapping[str, tuple[float, float]],
    others: Sequence[Otherwise],
    console: Console,
) -> None:
    """Print what it is worth, what each price is, how sure, and how much hangs on assumptions."""
    many = len(fit.models)
    title = f"Mean relative error on a model that the fit had not seen ({many} models)"
    print_sentence(title, console, "bold")
    print_table(errors_table(fit, sizes), console)
    print_table(prices_table(fit), console)
    print_sentence(
        "The same errors, and prices of energy, with one thing otherwise", console, "bold"
    )
    print_table(otherwise_table(others), console)
    for line in (*earned(fit), *again(fit), *coverages(fit)):
        print_sentence(line, console)
