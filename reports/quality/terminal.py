"""What an evaluation says on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from energy import saving
from energy.bill.estimate import ACCOUNTINGS
from reports.quality.evaluation import Evaluation
from reports.quality.table import at_depth, spike_rate
from reports.views.terminal import percent


def print_quality(evaluation: Evaluation, console: Console) -> None:
    """Print both models side by side, layer by layer, and what the conversion saves."""
    compared = evaluation.comparison
    analog, spiking = compared.analog, compared.spiking
    table = _table("", "", "analog", "spiking", "change")
    table.add_row(
        "perplexity",
        f"{analog.perplexity:.3f}",
        f"{spiking.perplexity:.3f}",
        f"{100 * compared.perplexity_change:+.2f} %",
        style="bold",
    )
    points = 100 * (spiking.accuracy - analog.accuracy)
    table.add_row(
        "next token right",
        percent(analog.accuracy),
        percent(spiking.accuracy),
        f"{points:+.2f} points",
    )
    console.print()
    console.print(evaluation.title, evaluation.subtitle, sep="\n", markup=False)
    console.print(table)
    console.print(
        f"Same likeliest token: [bold]{percent(compared.top1_agreement)}[/bold]. KL(analog || "
        f"spiking): {compared.kl_nats:.4g} nats. Cosine of the final hidden states: "
        f"{compared.cosine_final:.5f}."
    )
    console.print(_layer_table(evaluation))
    console.print(_saving_table(evaluation))
    if compared.asa.weights.startswith("random"):
        console.print(
            f"[yellow]Weights are {escape(compared.asa.weights)}: neither perplexity nor what the "
            "conversion costs means anything.[/yellow]"
        )


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title or None, title_justify="left")
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index else "left")
    return table


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _layer_table(evaluation: Evaluation) -> Table:
    parts = ("attention", "feed-forward", "residual")
    table = _table(
        "Cosine and relative error of what the blocks of a layer add, and of the residual after it",
        "layer",
        *(f"cosine\n{part}" for part in parts),
        *(f"error\n{part}" for part in parts),
        "events/MAC\nattention",
        "events/MAC\nfeed-forward",
        "spike\nrate",
    )
    ssa = evaluation.comparison.ssa
    for layer in evaluation.comparison.layers:
        here = at_depth(ssa, layer.layer)
        table.add_row(
            str(layer.layer),
            *(
                f"{value:.4f}"
                for value in (
                    layer.cosine_attention,
                    layer.cosine_feedforward,
                    layer.cosine_residual,
                    layer.error_attention,
                    layer.error_feedforward,
                    layer.error_residual,
                )
            ),
            _number(here.only(block="attention").events_per_mac, 3),
            _number(here.only(block="ffn").events_per_mac, 3),
            _number(spike_rate(here), 4),
        )
    return table


def _saving_table(evaluation: Evaluation) -> Table:
    table = _table(
        "Saved by the spiking model on exactly these passes, "
        f"batch {evaluation.comparison.ssa.batch}",
        "hardware, dataflow",
        *(
            f"{part}\n{accounting}"
            for part in ("attention block", "feed-forward", "model")
            for accounting in ACCOUNTINGS
        ),
    )
    for hw, bills in evaluation.estimates.items():
        shares = (
            saving(*bills, accounting, block=block).saving
            for block in ("attention", "ffn", None)
            for accounting in ACCOUNTINGS
        )
        table.add_row(escape(f"{hw}, {bills[0].dataflow}"), *map(percent, shares))
        twin = evaluation.twins[hw]
        found = (
            twin.saving(accounting, block=block)
            for block in ("attention", "ffn", None)
            for accounting in ACCOUNTINGS
        )
        table.add_row(
            escape(f"  from its {twin.title}"),
            *(percent(one.saving if one else None) for one in found),
            style="dim",
        )
    return table
