"""How good a model was after each stage of fine-tuning."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from reports.kit.files import write_text
from reports.training.metrics import MetricsRow

#: Columns of `stages.csv`; frozen by a test.
STAGE_COLUMNS = (
    "stage",
    "steps",
    "perplexity",
    "change",
    "against",
    "predicted_tokens",
    "model",
    "weights",
)


@dataclass(frozen=True)
class Judged:
    """A model after a stage, on text that no stage has seen.

    Attributes:
        stage: What was done to it last.
        steps: Training steps of that stage.
        perplexity: On held-out text.
        predicted: Tokens predicted.
    """

    stage: str
    steps: int
    perplexity: float
    predicted: int


@dataclass(frozen=True)
class Finetuned:
    """A fine-tuning.

    Attributes:
        model: What was fine-tuned.
        weights: Where its weights came from.
        judged: The analog model first, then the spiking one after each stage, then, where there
            is one, the analog model that was given the same training.
        metrics: What each step measured.
        title: The model and its conversion, in one line.
    """

    model: str
    weights: str
    judged: list[Judged]
    metrics: list[MetricsRow]
    title: str


def stage_rows(result: Finetuned) -> list[dict[str, object]]:
    """One row per stage; each change is against the analog model that was not trained further."""
    analog = result.judged[0]
    return [
        {
            "stage": one.stage,
            "steps": one.steps,
            "perplexity": one.perplexity,
            "change": one.perplexity / analog.perplexity - 1,
            "against": analog.stage,
            "predicted_tokens": one.predicted,
            "model": result.model,
            "weights": result.weights,
        }
        for one in result.judged
    ]


def write_stages(result: Finetuned, path: Path) -> Path:
    """Write `stages.csv`.

    Raises:
        OutputError: If it cannot be written.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, STAGE_COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(stage_rows(result))
    return write_text(path, text.getvalue())


def print_stages(result: Finetuned, console: Console) -> None:
    """Print the perplexity after each stage."""
    table = Table(title=result.title, title_justify="left", title_style="bold")
    table.add_column("stage")
    for heading in ("steps", "held-out perplexity", "change"):
        table.add_column(heading, justify="right")
    for row in stage_rows(result):
        change = "" if row["stage"] == row["against"] else f"{row['change']:+.2%}"
        steps = f"{row['steps']:,}" if row["steps"] else ""
        table.add_row(str(row["stage"]), steps, f"{row['perplexity']:.2f}", change)
    console.print(table)
