"""The files of an evaluation: tables with frozen columns, the picture, what was chosen."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from energy import Counts, Estimate, saving
from energy.bill.estimate import ACCOUNTINGS
from energy.compare.baselines import Baseline
from energy.counts.file import to_csv
from reports.kit.files import prepare_directory, write_text
from reports.kit.pictures import Pictures, draw
from reports.quality.evaluation import Evaluation

if TYPE_CHECKING:
    import pandas as pd

QUALITY_COLUMNS = (
    "model",
    "weights",
    "analog_weights",
    "form",
    "code",
    "timesteps",
    "conversion",
    "text",
    "tokens",
    "window",
    "stride",
    "analog_perplexity",
    "spiking_perplexity",
    "perplexity_change",
    "analog_accuracy",
    "spiking_accuracy",
    "top1_agreement",
    "kl_nats",
    "cosine_final",
    "events_per_mac",
    "attention_events_per_mac",
    "feedforward_events_per_mac",
    "spike_rate",
    "attention",
    "batch",
    "hw",
    "dataflow",
    "attention_block_saving_compute",
    "attention_block_saving_full",
    "model_saving_compute",
    "model_saving_full",
    "attention_block_saving_twin_compute",
    "attention_block_saving_twin_full",
    "model_saving_twin_compute",
    "model_saving_twin_full",
    "twin_bits",
    "unpriced",
)

LAYER_QUALITY_COLUMNS = (
    "layer",
    "cosine_residual",
    "cosine_attention",
    "cosine_feedforward",
    "error_residual",
    "error_attention",
    "error_feedforward",
    "attention_events_per_mac",
    "feedforward_events_per_mac",
    "spike_rate",
    "model",
    "weights",
)


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


def quality_frame(evaluation: Evaluation) -> pd.DataFrame:
    """`quality.csv`: one row per hardware."""
    import pandas as pd

    compared, conversion = evaluation.comparison, evaluation.conversion
    analog, spiking, ssa = compared.analog, compared.spiking, compared.ssa
    same = {
        "model": ssa.model,
        "weights": ssa.weights,
        "analog_weights": compared.asa.weights,
        "form": conversion["form"],
        "code": conversion["code"],
        "timesteps": ssa.timesteps,
        "conversion": " ".join(f"{name}={value}" for name, value in conversion.items()),
        "text": evaluation.text,
        "tokens": analog.tokens,
        "window": compared.window,
        "stride": compared.stride,
        "analog_perplexity": analog.perplexity,
        "spiking_perplexity": spiking.perplexity,
        "perplexity_change": compared.perplexity_change,
        "analog_accuracy": analog.accuracy,
        "spiking_accuracy": spiking.accuracy,
        "top1_agreement": compared.top1_agreement,
        "kl_nats": compared.kl_nats,
        "cosine_final": compared.cosine_final,
        "events_per_mac": ssa.events_per_mac,
        "attention_events_per_mac": ssa.only(block="attention").events_per_mac,
        "feedforward_events_per_mac": ssa.only(block="ffn").events_per_mac,
        "spike_rate": spike_rate(ssa),
        "attention": ssa.attention,
        "batch": ssa.batch,
    }
    rows = []
    for hw, (asa, ssa_bill) in evaluation.estimates.items():
        unpriced = saving(asa, ssa_bill, "full").unpriced
        rows.append(
            same
            | {
                "hw": hw,
                "dataflow": str(asa.dataflow),
                "unpriced": " ".join(op.value for op in unpriced),
            }
            | _savings(asa, ssa_bill)
            | _against_twin(evaluation.twins[hw])
        )
    return pd.DataFrame(rows, columns=list(QUALITY_COLUMNS))


def _savings(asa: Estimate, ssa: Estimate) -> dict[str, float | None]:
    """By column of `quality.csv`; None where a side has MACs or events without a price."""
    return {
        f"{name}_saving_{accounting}": saving(asa, ssa, accounting, block=block).saving
        for name, block in (("attention_block", "attention"), ("model", None))
        for accounting in ACCOUNTINGS
    }


def _against_twin(twin: Baseline) -> dict[str, float | None]:
    bills = {
        f"{name}_saving_twin_{accounting}": twin.saving(accounting, block=block)
        for name, block in (("attention_block", "attention"), ("model", None))
        for accounting in ACCOUNTINGS
    }
    shares = {name: found.saving if found else None for name, found in bills.items()}
    return shares | {"twin_bits": twin.activation_bits}


def layer_quality_frame(evaluation: Evaluation) -> pd.DataFrame:
    """`quality_layers.csv`: one row per transformer layer, whatever the hardware."""
    import pandas as pd

    ssa = evaluation.comparison.ssa
    rows = []
    for similarity in evaluation.comparison.layers:
        here = at_depth(ssa, similarity.layer)
        rows.append(
            vars(similarity)
            | {
                "attention_events_per_mac": here.only(block="attention").events_per_mac,
                "feedforward_events_per_mac": here.only(block="ffn").events_per_mac,
                "spike_rate": spike_rate(here),
                "model": ssa.model,
                "weights": ssa.weights,
            }
        )
    return pd.DataFrame(rows, columns=list(LAYER_QUALITY_COLUMNS))


def write_quality(
    evaluation: Evaluation,
    out: Path,
    progress: Callable[[str], None] = lambda _: None,
    *,
    pictures: Pictures = Pictures.ALL,
) -> list[Path]:
    """Write `quality.csv`, `quality_layers.csv`, `counts.csv`, the picture and `run.json`.

    Args:
        evaluation: What to report.
        out: A directory, made if need be; files of the same names are replaced.
        progress: Told what is being written.
        pictures: The formats of the picture.

    Returns:
        The files, in the order written.

    Raises:
        OutputError: If a file cannot be written.
    """
    prepare_directory(out)
    progress("tables")
    compared = evaluation.comparison
    frames = {
        "quality.csv": quality_frame(evaluation),
        "quality_layers.csv": layer_quality_frame(evaluation),
    }
    files = [
        write_text(out / name, frame.to_csv(index=False, lineterminator="\n"))
        for name, frame in frames.items()
    ]
    files.append(write_text(out / "counts.csv", to_csv((compared.asa, compared.ssa))))
    if pictures is not Pictures.NONE:
        from reports.quality.picture import quality_picture

        progress("picture")
        files += draw(partial(quality_picture, evaluation), out / "quality", pictures)
    facts = {
        "command": "evaluate",
        "created": evaluation.created,
        "model": compared.ssa.model,
        "weights": {"asa": compared.asa.weights, "ssa": compared.ssa.weights},
        "text": evaluation.text,
        "conversion": dict(evaluation.conversion),
        "settings": dict(evaluation.settings),
        "versions": dict(evaluation.versions),
    }
    files.append(write_text(out / "run.json", json.dumps(facts, indent=2) + "\n"))
    return files
