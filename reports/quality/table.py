"""The tables of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from energy import Counts, Estimate, saving
from energy.bill.estimate import ACCOUNTINGS
from energy.compare.baselines import Baseline
from energy.table import Column, Table, attributes
from energy.words import change, number, op_names, percent
from reports.quality.evaluation import Evaluation, LayerSimilarity


def at_depth(counts: Counts, depth: int) -> Counts:
    """The rows of one transformer layer."""
    return replace(
        counts, layers=tuple(layer for layer in counts.layers if layer.label.depth == depth)
    )


def spike_rate(counts: Counts) -> float | None:
    """Spikes per slot over all spiking neurons; None where there are none."""
    tallies = [layer.tally for layer in counts.only(component="neuron").layers]
    slots = sum(tally.slots for tally in tallies)
    return sum(tally.spikes for tally in tallies) / slots if slots else None


class OnHardware(NamedTuple):
    """An evaluation on one piece of hardware.

    Attributes:
        evaluation: The evaluation.
        hw: Name of the hardware.
        asa: Bill of the analog model.
        ssa: Bill of the spiking model.
        twin: The spiking model beside the quantised twin of the analog one.
    """

    evaluation: Evaluation
    hw: str
    asa: Estimate
    ssa: Estimate
    twin: Baseline


def _saved(block: str | None, accounting: str) -> Callable[[OnHardware], float | None]:
    """None where a side has MACs or events without a price."""
    return lambda row: saving(row.asa, row.ssa, accounting, block=block).saving


def _saved_from_twin(block: str | None, accounting: str) -> Callable[[OnHardware], float | None]:
    def value(row: OnHardware) -> float | None:
        saved = row.twin.saving(accounting, block=block)
        return saved.saving if saved else None

    return value


def _events(block: str | None = None) -> Callable[[OnHardware], float | None]:
    return lambda row: row.evaluation.comparison.ssa.only(block=block).events_per_mac


_PARTS = (("attention_block", "attention"), ("model", None))

#: Columns of `quality.csv`.
QUALITY: tuple[Column[OnHardware], ...] = (
    *attributes("evaluation.comparison.ssa", "model", "weights"),
    Column("analog_weights", lambda row: row.evaluation.comparison.asa.weights),
    Column("form", lambda row: row.evaluation.conversion["form"]),
    Column("code", lambda row: row.evaluation.conversion["code"]),
    *attributes("evaluation.comparison.ssa", "timesteps"),
    Column("conversion", lambda row: _conversion(row.evaluation)),
    *attributes("evaluation", "text"),
    *attributes("evaluation.comparison.analog", "tokens"),
    *attributes("evaluation.comparison", "window", "stride"),
    Column("analog_perplexity", lambda row: row.evaluation.comparison.analog.perplexity),
    Column("spiking_perplexity", lambda row: row.evaluation.comparison.spiking.perplexity),
    *attributes("evaluation.comparison", "perplexity_change"),
    Column("analog_accuracy", lambda row: row.evaluation.comparison.analog.accuracy),
    Column("spiking_accuracy", lambda row: row.evaluation.comparison.spiking.accuracy),
    *attributes("evaluation.comparison", "top1_agreement"),
    Column("kl_nats", lambda row: _known(row.evaluation.comparison.kl_nats)),
    Column("cosine_final", lambda row: _known(row.evaluation.comparison.cosine_final)),
    Column("events_per_mac", _events()),
    Column("attention_events_per_mac", _events("attention")),
    Column("feedforward_events_per_mac", _events("ffn")),
    Column("spike_rate", lambda row: spike_rate(row.evaluation.comparison.ssa)),
    *attributes("evaluation.comparison.ssa", "attention", "batch"),
    *attributes("", "hw"),
    Column("dataflow", lambda row: str(row.asa.dataflow)),
    *(
        Column(f"{name}_saving{against}_{accounting}", value(block, accounting))
        for against, value in (("", _saved), ("_twin", _saved_from_twin))
        for name, block in _PARTS
        for accounting in ACCOUNTINGS
    ),
    Column("twin_bits", lambda row: row.twin.activation_bits),
    Column("unpriced", lambda row: op_names(saving(row.asa, row.ssa, "full").unpriced)),
)


def _conversion(evaluation: Evaluation) -> str:
    return " ".join(f"{name}={value}" for name, value in evaluation.conversion.items())


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


class LayerQuality(NamedTuple):
    """A transformer layer of an evaluation, and its counts in the spiking model."""

    similarity: LayerSimilarity
    ssa: Counts


def _similarity(name: str) -> Column[LayerQuality]:
    def value(row: LayerQuality) -> float | None:
        return _known(getattr(row.similarity, name))

    return Column(name, value, name.replace("_", " "), "{:.4f}".format)


#: Columns of `quality_layers.csv` and on the terminal: how close what the blocks of a layer add,
#: and the residual stream after it, come to those of the analog model.
LAYERS: tuple[Column[LayerQuality], ...] = (
    Column("layer", lambda row: row.similarity.layer, "layer", key=True),
    *map(_similarity, ("cosine_residual", "cosine_attention", "cosine_feedforward")),
    *map(_similarity, ("error_residual", "error_attention", "error_feedforward")),
    Column(
        "attention_events_per_mac",
        lambda row: row.ssa.only(block="attention").events_per_mac,
        "events/MAC attention",
        number,
    ),
    Column(
        "feedforward_events_per_mac",
        lambda row: row.ssa.only(block="ffn").events_per_mac,
        "events/MAC feedforward",
        number,
    ),
    Column("spike_rate", lambda row: spike_rate(row.ssa), "spike rate", "{:.4f}".format),
    *attributes("ssa", "model", "weights"),
)


class Compared(NamedTuple):
    """One measure of quality of both models, in words."""

    name: str
    analog: str
    spiking: str
    change: str


#: Columns of the quality of both models on the terminal.
COMPARED: tuple[Column[Compared], ...] = (
    Column("name", lambda row: row.name, "quality", words=True, key=True),
    *(replace(column, heading=column.name) for column in attributes("", *Compared._fields[1:])),
)


class Saved(NamedTuple):
    """What the spiking model saves on one piece of hardware, against one baseline."""

    name: str
    savings: Mapping[tuple[str | None, str], float | None]


def _saving_column(part: str, block: str | None, accounting: str) -> Column[Saved]:
    heading = f"{part}: {accounting}"
    return Column(heading, lambda row: row.savings[block, accounting], heading, percent)


_BLOCKS = {"attention": "attention", "feed-forward": "ffn", "model": None}

#: Columns of the savings on the terminal.
SAVED: tuple[Column[Saved], ...] = (
    Column("name", lambda row: row.name, "hardware, dataflow", words=True, key=True),
    *(
        _saving_column(part, block, accounting)
        for part, block in _BLOCKS.items()
        for accounting in ACCOUNTINGS
    ),
)


def quality_table(evaluation: Evaluation) -> Table[OnHardware]:
    """`quality.csv`: one row per hardware."""
    return Table(
        QUALITY,
        [
            OnHardware(evaluation, hw, *bills, evaluation.twins[hw])
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


def compared_table(evaluation: Evaluation) -> Table[Compared]:
    """Both models side by side."""
    compared = evaluation.comparison
    analog, spiking = compared.analog, compared.spiking
    points = 100 * (spiking.accuracy - analog.accuracy)
    return Table(
        COMPARED,
        [
            Compared(
                *("perplexity", number(analog.perplexity), number(spiking.perplexity)),
                change(compared.perplexity_change),
            ),
            Compared(
                *("next token right", percent(analog.accuracy), percent(spiking.accuracy)),
                f"{points:+.2f} points",
            ),
        ],
        strong=lambda row: row.name == "perplexity",
    )


def savings_table(evaluation: Evaluation) -> Table[Saved]:
    """What is saved on each hardware, and below it what from the quantised twin."""
    parts = [(block, accounting) for block in _BLOCKS.values() for accounting in ACCOUNTINGS]
    rows = []
    for row in quality_table(evaluation).rows:
        own = {part: _saved(*part)(row) for part in parts}
        twin = {part: _saved_from_twin(*part)(row) for part in parts}
        rows += [
            Saved(f"{row.hw}, {row.asa.dataflow}", own),
            Saved(f"  from its {row.twin.title}", twin),
        ]
    batch = evaluation.comparison.ssa.batch
    title = f"Saved by the spiking model on exactly these passes, batch {batch}"
    return Table(SAVED, rows, title)
