"""What an evaluation and a sweep say on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from energy.words import number, percent
from reports.kit.caveats import are_random
from reports.kit.table import print_table
from reports.quality.evaluation import Evaluation
from reports.quality.sweep import Sweep, front_table
from reports.quality.table import compared_table, layers_table, savings_table


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
        if points := sweep.on(hw):
            print_table(front_table(points), console)
        else:
            console.print(f"{hw} has no price for the events of any point.", markup=False)
