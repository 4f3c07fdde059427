"""The prices of a whole chip on the terminal: each with its range, and what they are worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from rich.console import Console

from energy.table import Column, Table
from energy.words import energy, percent, time
from hwmodels.prices import Cited
from hwmodels.wholechip import LeftOut, WholeChip, Work
from reports.kit.table import print_sentence, print_table

#: What is predicted, by its key in a profile, with how its prices are written.
PREDICTED: dict[str, tuple[str, Callable[[float], str]]] = {
    "energy": ("energy per token", energy),
    "latency": ("time between tokens", time),
    "step": ("time of a step", time),
}


class Cost(NamedTuple):
    """A price of one of the things that are predicted."""

    target: str
    work: Work
    value: float
    cited: Cited


COSTS: tuple[Column[Cost], ...] = (
    Column("target", lambda row: PREDICTED[row.target][0], "what", words=True, key=True),
    Column("work", lambda row: row.work.value, "for each", words=True, key=True),
    Column("price", lambda row: PREDICTED[row.target][1](row.value), "price"),
    Column("range", lambda row: _range(row), "range"),
    Column("evidence", lambda row: row.cited.evidence.value, "evidence", words=True),
    Column("definition", lambda row: row.work.definition, "in each step", words=True),
)

LEFT_OUT: tuple[Column[LeftOut], ...] = (
    Column("model", lambda row: row.model, "left out", words=True, key=True),
    Column("kind", lambda row: row.kind.value, "kind", words=True),
    Column("points", lambda row: row.points, "points"),
    Column("energy_error", lambda row: row.energy, "energy per token", percent),
    Column("latency_error", lambda row: row.latency, "time between tokens", percent),
    Column("rate_error", lambda row: row.rate, "tokens per second", percent),
)


def costs_table(chip: WholeChip) -> Table[Cost]:
    """A row for each price."""
    rows = [Cost("energy", work, cost.pj, cost) for work, cost in chip.energy.items()]
    for target, costs in (("latency", chip.latency), ("step", chip.step)):
        rows += [Cost(target, work, cost.ps, cost) for work, cost in costs.items()]
    return Table(COSTS, rows, group=lambda row: row.target)


def print_whole_chip(chip: WholeChip, console: Console) -> None:
    """Print every number, and what a fit without a model was worth on that model."""
    print_table(costs_table(chip), console)
    for line in _lines(chip):
        print_sentence(line, console)
    if chip.left_out:
        title = "Mean relative error on a model that the fit had not seen"
        print_table(Table(LEFT_OUT, chip.left_out, title), console)


def _lines(chip: WholeChip) -> Iterator[str]:
    cited = dict.fromkeys((*chip.energy.values(), *chip.latency.values(), *chip.step.values()))
    for source in dict.fromkeys(cost.source for cost in cited):
        yield f"source: {source}"
    yield f"boundary: {chip.boundary}"
    fitted = chip.fitted
    yield (
        f"fitted on {fitted.points:,} points of {fitted.models:,} models: "
        f"{fitted.sequences[0]:,.0f} to {fitted.sequences[1]:,.0f} sequences, mean contexts of "
        f"{fitted.context[0]:,.0f} to {fitted.context[1]:,.0f} positions, {fitted.gpus[0]} to "
        f"{fitted.gpus[1]} GPUs"
    )
    for name, ends in chip.intervals:
        if ends is not None:
            yield f"90 % of measured {name} lie from {ends[0]:g} to {ends[1]:g} of predicted"


def _range(row: Cost) -> str:
    spread = row.cited.spread
    return (
        ""
        if spread is None
        else " to ".join(PREDICTED[row.target][1](row.value * x) for x in spread)
    )
