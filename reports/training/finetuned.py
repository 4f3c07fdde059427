"""How good a model was after each stage of fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from energy.table import Column, Table, at, attributes
from energy.words import change, integer
from reports.training.metrics import MetricsRow


@dataclass(frozen=True)
class Judged:
    """A model after a stage, on text that no stage has seen."""

    stage: str  #: what was done to it last
    steps: int  #: training steps of that stage
    perplexity: float  #: on held-out text
    predicted: int  #: tokens predicted


@dataclass(frozen=True)
class Finetuned:
    """A fine-tuning."""

    model: str  #: what was fine-tuned
    weights: str  #: where its weights came from
    #: the analog model first, then the spiking one after each stage, then, where there is one, the
    #: analog model that was given the same training
    judged: list[Judged]
    metrics: list[MetricsRow]  #: what each step measured
    title: str  #: the model and its conversion, in one line


class Stage(NamedTuple):
    """A stage of a fine-tuning."""

    result: Finetuned
    judged: Judged


#: Columns of `stages.csv`; each change is against the analog model that was not trained further.
STAGES: tuple[Column[Stage], ...] = (
    Column("stage", at("judged.stage"), "stage", words=True, key=True),
    Column("steps", at("judged.steps"), "steps", integer),
    Column("perplexity", at("judged.perplexity"), "held-out perplexity", "{:.2f}".format),
    Column(
        "change",
        lambda row: row.judged.perplexity / row.result.judged[0].perplexity - 1,
        "change",
        change,
    ),
    Column("against", lambda row: row.result.judged[0].stage),
    Column("predicted_tokens", at("judged.predicted")),
    *attributes("result", "model", "weights"),
)


def stages_table(result: Finetuned) -> Table[Stage]:
    """`stages.csv`: one row per stage."""
    return Table(STAGES, [Stage(result, judged) for judged in result.judged], result.title)
