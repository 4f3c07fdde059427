"""What an evaluation and a sweep say on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from energy.table import Column, Table
from energy.words import change, number, percent
from reports.kit.caveats import are_random
from reports.kit.table import print_table
from reports.quality.evaluation import Evaluation
from reports.quality.sweep import Point, Sweep, pareto
from reports.quality.table import compared_table, layers_table, savings_table

#: Columns of the points that nothing beats.
FRONT: tuple[Column[Point], ...] = (
    Column("attention", lambda p: p["form"], "attention", words=True, key=True),
    Column("code", lambda p: p["code"], "code", words=True, key=True),
    Column("timesteps", lambda p: p["timesteps"], "T", key=True),
    Column(
        "threshold",
        lambda p: f"{p['threshold']:g} / {p['attention_threshold']:g}",
        "threshold",
        key=True,
    ),
    Column("perplexity", lambda p: p["spiking_perplexity"], "perplexity", "{:.2f}".format),
    Column("change", lambda p: p["perplexity_change"], "change", change),
    Column("cosine", lambda p: p["cosine_final"], "cosine", "{:.4f}".format),
    Column("top1", lambda p: p["top1_agreement"], "same top-1", lambda x: percent(x, 1)),
    Column("events", lambda p: p["events_per_mac"], "events/MAC", "{:.2f}".format),
    Column(
        "attention_saving",
        lambda p: p["attention_block_saving_compute"],
        "saved: attention block",
        lambda x: percent(x, 1),
    ),
    Column(
        "model_saving", lambda p: p["model_saving_compute"], "saved: model", lambda x: percent(x, 1)
    ),
)


def print_quality(evaluation: Evaluation, console: Console) -> None:
    """Print both models side by side, layer by layer, and what the conversion saves."""
    compared = evaluation.comparison
    console.print()
    console.print(evaluation.title, evaluation.subtitle, sep="\n", markup=False)
    print_table(compared_table(evaluation), console)
    console.print(
        f"Same likeliest token: [bold]{percent(compared.top1_agreement)}[/bold]. KL(analog || "
        f"spiking): {compared.kl_nats:.4g} nats. Cosine of the final hidden states: "
        f"{number(compared.cosine_final, 5)}.\n"
    )
    print_table(layers_table(evaluation), console)
    console.print()
    print_table(savings_table(evaluation), console)
    if are_random(compared.asa.weights):
        console.print(
            f"[yellow]Weights are {escape(compared.asa.weights)}: neither perplexity nor what the "
            "conversion costs means anything.[/yellow]"
        )


def print_sweep(sweep: Sweep, console: Console) -> None:
    """Print the points that nothing beats."""
    for hw in sweep.hardware:
        points = sweep.on(hw)
        if not points:
            console.print(f"{hw} has no price for the events of any point.", markup=False)
            continue
        title = (
            f"{points[0]['model']} on {hw}: {len(points)} points, those that none beats "
            f"(analog perplexity {points[0]['analog_perplexity']:.2f})"
        )
        print_table(Table(FRONT, pareto(points), title), console)
