"""What a fit of whole-chip prices is worth, model by model, and what each price is: tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from rich.console import Console

from energy.literature.ecologits import ecologits_j
from energy.serving.doubt import held
from energy.serving.fit import Fit, FittedTarget
from energy.serving.points import Point, by_model
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


PRICES: tuple[Column[Priced], ...] = (
    Column("target", lambda row: TARGETS[row.target][0], "what", words=True, key=True),
    Column("work", lambda row: row.work.value, "for each", words=True, key=True),
    Column("price", lambda row: _written(row, 1.0), "price"),
    Column("low", lambda row: row.spread and _written(row, row.spread[0]), "from"),
    Column("high", lambda row: row.spread and _written(row, row.spread[1]), "to"),
    Column("definition", lambda row: row.work.definition, "in each step", words=True),
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
    alone = fit.energy.sample.predicted_left_out((Work.MAC,), by_model)
    macs = dict(zip(fit.energy.sample.points, np.abs(alone - 1).tolist(), strict=True))
    rows = [
        _error(fit, sizes, macs, model, kind, {"model": model})
        for model, kind in fit.models.items()
    ]
    for kind in Kind:
        if sum(kind is one for one in fit.models.values()) > 1:
            rows.append(_error(fit, sizes, macs, f"all: {kind.value}", kind, {"kind": kind}))
    rows.append(_error(fit, sizes, macs, "all", None, {}))
    return Table(ERRORS, rows, strong=lambda row: row.total)


def _error(
    fit: Fit,
    sizes: Mapping[str, tuple[float, float]],
    macs: Mapping[Point, float],
    name: str,
    kind: Kind | None,
    inside: Mapping[str, object],
) -> Error:
    points = [x for x in fit.points if all(getattr(x, key) == y for key, y in inside.items())]
    known = [x for x in points if x.model in sizes]
    published = [
        abs(ecologits_j(*sizes[x.model], x.step.sequences) / x.energy_j - 1) for x in known
    ]
    error = fit.energy.error(**inside)
    assert error is not None
    return Error(
        name,
        kind,
        len(points),
        error,
        None if fit.latency is None else fit.latency.error(**inside),
        None if fit.step is None else fit.step.rate_error(**inside),
        float(np.mean([macs[point] for point in points])),
        float(np.mean(published)) if published else None,
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


def earned(fit: Fit) -> Iterator[str]:
    """A sentence for each target: which works earned a price, and by how much."""
    for name, target in targets(fit).items():
        first, *others = target.tried
        steps = [f"{', '.join(first.works)}: {_share(first.error)}"]
        steps += [f"+ {tried.works[-1]}: {_share(tried.error)}" for tried in others]
        yield f"Error of {TARGETS[name][0]} on unseen models and architectures: " + "; ".join(steps)


def coverages(fit: Fit) -> Iterator[str]:
    """A sentence for each target: its interval, and how much of unseen models it holds."""
    for name, target in targets(fit).items():
        low, high = target.interval
        yield (
            f"90 % of {TARGETS[name][0]} lie from {low:.2f} to {high:.2f} of what is predicted; "
            f"intervals of the other models hold {_share(held(target.off))} of a model left out"
        )


def print_fit(fit: Fit, sizes: Mapping[str, tuple[float, float]], console: Console) -> None:
    """Print what it is worth, what each price is, and how sure."""
    many = len(fit.models)
    title = f"Mean relative error on a model that the fit had not seen ({many} models)"
    print_sentence(title, console, "bold")
    print_table(errors_table(fit, sizes), console)
    print_table(prices_table(fit), console)
    for line in (*earned(fit), *coverages(fit)):
        print_sentence(line, console)
