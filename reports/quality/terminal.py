"""What an evaluation and a sweep say on the terminal."""

from __future__ import annotations

from rich.console import Console

from energy.words import number, percent
from reports.kit.caveats import are_random
from reports.kit.table import print_sentence, print_table
from reports.quality.evaluation import Evaluation
from reports.quality.sweep import Sweep, front_table
from reports.quality.table import compared_table, layers_table, savings_table


def print_quality(evaluation: Evaluation, console: Console) -> None:
    """Print both models side by side, layer by layer, and what the conversion saves."""
    compared = evaluation.comparison
    console.print()
    print_sentence(f"{evaluation.title}\n{evaluation.subtitle}", console)
    print_table(compared_table(evaluation), console)
    print_sentence(
        f"Same likeliest token: {percent(compared.top1_agreement)}. KL(analog || spiking): "
        f"{compared.kl_nats:.4g} nats. Cosine of the final hidden states: "
        f"{number(compared.cosine_final, 5)}.\n",
        console,
    )
    print_table(layers_table(evaluation), console)
    console.print()
    print_table(savings_table(evaluation), console)
    if are_random(compared.asa.weights):
        print_sentence(
            f"Weights are {compared.asa.weights}: neither perplexity nor what the conversion costs "
            "means anything.",
            console,
            "yellow",
        )


def print_sweep(sweep: Sweep, console: Console) -> None:
    """Print the points that nothing beats."""
    for hw in sweep.hardware:
        if points := sweep.on(hw):
            print_table(front_table(points), console)
        else:
            print_sentence(f"{hw} has no price for the events of any point.", console)
