"""What a sweep says on the terminal: the points that nothing beats, and baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from rich.console import Console

from energy.table import Column, Table
from energy.words import number, percent
from hwmodels.plain import several
from reports.kit.table import print_sentence, print_table
from reports.quality.sweep import EQUAL, SWEEP, Point, Sweep, pareto, sweep_table

_tenth = partial(percent, digits=1)
_BY_NAME = {column.name: column for column in SWEEP}

#: What two points may differ in, in the order in which it is looked at, with its heading.
_CHOICES = {
    "form": "attention",
    "code": "code",
    "timesteps": "T",
    "threshold": "threshold",
    "resolution": "resolution",
    "attention_threshold": "attention threshold",
    "product_threshold": "product threshold",
    "coders": "coders",
    "attention_code": "attention code",
    "dead_zone": "dead zone",
    "head": "head",
    "head_threshold": "head threshold",
}


def telling_apart(points: Sequence[Point]) -> tuple[Column[Point], ...]:
    """The columns that tell points from each other, as few as the order of `_CHOICES` takes.

    They stand in each block of a table that is wider than the terminal. Points that differ in
    nothing, as a single one does, are told by their threshold.
    """
    chosen: list[str] = []

    def kinds(names: Sequence[str]) -> int:
        return len({tuple(str(point[name]) for name in names) for point in points})

    for name in _CHOICES:
        if kinds([*chosen, name]) > kinds(chosen):
            chosen.append(name)
    return tuple(
        replace(_BY_NAME[name], heading=_CHOICES[name], key=True)
        for name in chosen or ["threshold"]
    )


def _others(keys: Sequence[Column[Point]]) -> list[Column[Point]]:
    """The columns that people see behind those."""
    named = {column.name for column in keys}
    return [column for column in SWEEP if column.heading and column.name not in named]


def front_table(points: Sequence[Point]) -> Table[Point]:
    """The points on one hardware that nothing beats, for people."""
    first = points[0]
    title = (
        f"{first['model']} on {first['hw']}: {several(len(points), 'point')}, those that none "
        f"beats (analog perplexity {first['analog_perplexity']:.2f})"
    )
    front = pareto(points)
    keys = telling_apart(front)
    return Table((*keys, *_others(keys)), front, title)


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
    keys = telling_apart(points)
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
