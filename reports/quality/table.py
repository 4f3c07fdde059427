"""The tables of an evaluation, and what it says on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from rich.console import Console

from energy import Counts, Estimate, saving
from energy.bill.layer import ACCOUNTINGS
from energy.compare.baselines import Baseline
from energy.table import Column, Table, at, attributes, texts
from energy.words import change, number, op_names, percent, rounded
from reports.kit.caveats import are_random
from reports.kit.ran import print_ran
from reports.kit.table import print_sentence, print_table
from reports.kit.widths import print_widths
from reports.quality.curves import print_baselines
from reports.quality.evaluation import Evaluation, LayerSimilarity
from reports.quality.words import closeness_in_words


def at_depth(counts: Counts, depth: int) -> Counts:
    """The rows of one transformer layer."""
    return replace(
        counts, layers=tuple(layer for layer in counts.layers if layer.label.depth == depth)
    )


class OnHardware(NamedTuple):
    """An evaluation on one piece of hardware."""

    evaluation: Evaluation  #: the evaluation
    ssa: Counts  #: counts of the spiking model
    hw: str  #: name of the hardware
    bills: tuple[Estimate, Estimate]  #: those of the analog and of the spiking model
    twin: Baseline  #: the spiking model beside the quantised twin of the analog one


def _saved(block: str | None, accounting: str) -> Callable[[OnHardware], float | None]:
    """None where a side has MACs or events without a price."""
    return lambda row: saving(*row.bills, accounting, block=block).saving


def _saved_from_twin(block: str | None, accounting: str) -> Callable[[OnHardware], float | None]:
    def value(row: OnHardware) -> float | None:
        saved = row.twin.saving(accounting, block=block)
        return saved.saving if saved else None

    return value


def _events(block: str | None = None) -> Callable[[Any], float | None]:
    return lambda row: row.ssa.only(block=block).events_per_mac


def _spike_rate(row: Any) -> float | None:
    """Spikes per slot over all spiking neurons."""
    rate: float | None = row.ssa.only(component="neuron").spike_rate
    return rate


def _interval(interval: str, of: str) -> Iterator[Column[OnHardware]]:
    """Both ends of a confidence interval; empty where there is none."""
    path = f"evaluation.comparison.{interval}"
    return (Column(f"{of}_{end}", at(f"{path}.{end}")) for end in ("low", "high"))


_PARTS = (("attention_block", "attention"), ("model", None))

#: Columns of `quality.csv`.
QUALITY: tuple[Column[OnHardware], ...] = (
    *attributes("ssa", "model", "weights"),
    Column("analog_weights", at("evaluation.comparison.asa.weights")),
    Column("form", lambda row: row.evaluation.conversion["form"]),
    Column("code", lambda row: row.evaluation.conversion["code"]),
    *attributes("ssa", "timesteps"),
    Column(
        "conversion",
        lambda row: " ".join(f"{name}={x}" for name, x in row.evaluation.conversion.items()),
    ),
    *attributes("evaluation", "text"),
    *attributes("evaluation.comparison.analog", "tokens"),
    *attributes("evaluation.comparison", "window", "stride"),
    Column("analog_perplexity", at("evaluation.comparison.analog.perplexity")),
    Column("spiking_perplexity", at("evaluation.comparison.spiking.perplexity")),
    *attributes("evaluation.comparison", "perplexity_change"),
    *_interval("change_interval", "perplexity_change"),
    Column("analog_accuracy", at("evaluation.comparison.analog.accuracy")),
    Column("spiking_accuracy", at("evaluation.comparison.spiking.accuracy")),
    *attributes("evaluation.comparison", "top1_agreement", "kl_nats"),
    *_interval("kl_interval", "kl_nats"),
    *attributes("evaluation.comparison", "cosine_final"),
    Column("events_per_mac", _events()),
    Column("attention_events_per_mac", _events("attention")),
    Column("feedforward_events_per_mac", _events("ffn")),
    Column("spike_rate", _spike_rate),
    *attributes("ssa", "weights_per_token", "attention", "batch"),
    Column("device", lambda row: row.evaluation.settings.get("device", "")),
    Column("dtype", lambda row: row.evaluation.settings.get("dtype", "")),
    *attributes("", "hw"),
    Column("dataflow", lambda row: row.bills[0].dataflow.value),
    *(
        Column(f"{name}_saving{against}_{accounting}", value(block, accounting))
        for against, value in (("", _saved), ("_twin", _saved_from_twin))
        for name, block in _PARTS
        for accounting in ACCOUNTINGS
    ),
    Column("twin_bits", at("twin.activation_bits")),
    Column("unpriced", lambda row: op_names(saving(*row.bills, "fused").unpriced)),
)


class LayerQuality(NamedTuple):
    """A transformer layer of an evaluation, and its counts in the spiking model."""

    similarity: LayerSimilarity
    ssa: Counts


_four = partial(number, digits=4)

#: Columns of `quality_layers.csv` and of the terminal.
LAYERS: tuple[Column[LayerQuality], ...] = (
    Column("layer", at("similarity.layer"), "layer", key=True),
    *(
        Column(f"{metric}_{part}", at(f"similarity.{metric}_{part}"), f"{metric} {part}", _four)
        for metric in ("cosine", "error")
        for part in ("residual", "attention", "feedforward")
    ),
    Column("attention_events_per_mac", _events("attention"), "events/MAC attention", number),
    Column("feedforward_events_per_mac", _events("ffn"), "events/MAC feedforward", number),
    Column("spike_rate", _spike_rate, "spike rate", _four),
    *attributes("ssa", "model", "weights"),
)

#: Columns of the quality of both models on the terminal.
COMPARED = texts("quality", "analog", "spiking", "change")

_BLOCKS = {"attention": "attention", "feed-forward": "ffn", "model": None}
_SAVINGS = {
    f"{part}: {accounting}": (block, accounting)
    for part, block in _BLOCKS.items()
    for accounting in ACCOUNTINGS
}

#: Columns of the savings on the terminal.
SAVED = texts("hardware, dataflow", *_SAVINGS)


def quality_table(evaluation: Evaluation) -> Table[OnHardware]:
    """`quality.csv`: one row per hardware."""
    return Table(
        QUALITY,
        [
            OnHardware(evaluation, evaluation.comparison.ssa, hw, bills, evaluation.twins[hw])
            for hw, bills in evaluation.estimates.items()
        ],
    )


def layers_table(evaluation: Evaluation) -> Table[LayerQuality]:
    """`quality_layers.csv`: one row per transformer layer, whatever the hardware."""
    ssa = evaluation.comparison.ssa
    layers = evaluation.comparison.layers
    return Table(
        LAYERS,
        [LayerQuality(layer, at_depth(ssa, layer.layer)) for layer in layers],
        "Cosine and relative error of what the blocks of a layer add, and of the residual after it",
    )


def compared_table(evaluation: Evaluation) -> Table[Sequence[str]]:
    """Both models side by side."""
    compared = evaluation.comparison
    both = (compared.analog, compared.spiking)
    points = 100 * (compared.spiking.accuracy - compared.analog.accuracy)
    return Table(
        COMPARED,
        [
            [
                *("perplexity", *(number(model.perplexity) for model in both)),
                change(compared.perplexity_change),
            ],
            [
                *("next token right", *(percent(model.accuracy) for model in both)),
                f"{rounded(points, 2):+.2f} points",
            ],
        ],
        strong=lambda row: row[0] == "perplexity",
    )


def savings_table(evaluation: Evaluation) -> Table[Sequence[str]]:
    """What is saved on each hardware, and below it what from the quantised twin."""
    rows = []
    for row in quality_table(evaluation).rows:
        for name, saved in (
            (f"{row.hw}, {row.bills[0].dataflow}", _saved),
            (f"  from its {row.twin.title}", _saved_from_twin),
        ):
            rows.append([name, *(percent(saved(*part)(row)) for part in _SAVINGS.values())])
    batch = evaluation.comparison.ssa.batch
    title = f"Saved by the spiking model on exactly these passes, batch {batch}"
    return Table(SAVED, rows, title)


def print_quality(evaluation: Evaluation, console: Console) -> None:
    """Print both models side by side, layer by layer, and what the conversion saves."""
    compared = evaluation.comparison
    console.print()
    print_sentence(f"{evaluation.title}\n{evaluation.subtitle}", console)
    print_table(compared_table(evaluation), console)
    print_sentence(closeness_in_words(compared) + "\n", console)
    print_table(layers_table(evaluation), console)
    console.print()
    print_table(savings_table(evaluation), console)
    if compared.baselines:
        print_baselines(evaluation, console)
    for profile in evaluation.profiles:
        print_widths(evaluation.settings, profile.name, console)
    print_ran(evaluation.settings, evaluation.versions, console)
    if are_random(compared.asa.weights):
        print_sentence(
            f"Weights are {compared.asa.weights}: neither perplexity nor what the conversion costs "
            "means anything.",
            console,
            "yellow",
        )
