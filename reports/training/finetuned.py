"""How good a model was after each stage of fine-tuning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from energy.table import Column, Table, at, attributes
from energy.words import change, integer, number, percent
from reports.training.metrics import MetricsRow


@dataclass(frozen=True)
class Reading:
    """What a model did with a text."""

    perplexity: float  #: exp of the mean cross-entropy in nats per predicted token
    kl_nats: float  #: mean of KL(analog || model) per predicted token
    predicted: int  #: tokens predicted
    #: events per multiply-accumulate of the attention block; None for an analog model
    events_per_mac: float | None
    #: share of the weights of the blocks that a token fetches; None for an analog model
    active_rate: float | None


@dataclass(frozen=True)
class Judged:
    """A model after a stage, on text that no stage has seen."""

    stage: str  #: what was done to it last
    steps: int  #: training steps of that stage
    held_out: Reading  #: of the training text, what was held out
    other: Reading | None = None  #: text of another kind

    @property
    def perplexity(self) -> float:
        """On held-out text."""
        return self.held_out.perplexity


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

    @property
    def remarks(self) -> list[str]:
        """What the spiking model learned of a text instead of the analog model, in sentences."""
        spiking = [one for one in self.judged if one.held_out.active_rate is not None]
        if len(spiking) < 2:
            return []
        before, after = spiking[0], spiking[-1]
        found = [_learned("the held-out text", before.held_out, after.held_out)]
        if before.other is not None and after.other is not None:
            found.append(_learned("the text of another kind", before.other, after.other))
        return [sentence for sentence in found if sentence]


def _learned(text: str, before: Reading, after: Reading) -> str:
    """Says where perplexity fell while the divergence rose; else nothing."""
    if after.perplexity >= before.perplexity or after.kl_nats <= before.kl_nats:
        return ""
    return (
        f"On {text}, perplexity fell ({before.perplexity:.2f} to {after.perplexity:.2f}) while KL "
        f"to the analog model rose ({before.kl_nats:.4f} to {after.kl_nats:.4f} nats): what was "
        "fine-tuned has learned the text, not the model."
    )


class Stage(NamedTuple):
    """A stage of a fine-tuning."""

    result: Finetuned
    judged: Judged


def _change(text: str) -> Callable[[Stage], float | None]:
    """The change of the perplexity of a text against the analog model, not trained further."""

    def find(row: Stage) -> float | None:
        found, first = (getattr(one, text) for one in (row.judged, row.result.judged[0]))
        return None if found is None else found.perplexity / first.perplexity - 1

    return find


#: Columns of `stages.csv`; each change is against the analog model that was not trained further.
STAGES: tuple[Column[Stage], ...] = (
    Column("stage", at("judged.stage"), "stage", words=True, key=True),
    Column("steps", at("judged.steps"), "steps", integer),
    Column("perplexity", at("judged.perplexity"), "held-out perplexity", "{:.2f}".format),
    Column("change", _change("held_out"), "change", change),
    Column("kl_nats", at("judged.held_out.kl_nats"), "KL (nats)", "{:.4f}".format),
    Column("against", lambda row: row.result.judged[0].stage),
    Column("predicted_tokens", at("judged.held_out.predicted")),
)
#: Those of a text of another kind.
OTHER_TEXT: tuple[Column[Stage], ...] = (
    Column(
        "other_perplexity", at("judged.other.perplexity"), "other text, perplexity", "{:.2f}".format
    ),
    Column("other_change", _change("other"), "other text, change", change),
    Column("other_kl_nats", at("judged.other.kl_nats"), "other text, KL (nats)", "{:.4f}".format),
    Column("other_predicted_tokens", at("judged.other.predicted")),
)
#: What the spiking model spends on the held-out text.
SPENT: tuple[Column[Stage], ...] = (
    Column("events_per_mac", at("judged.held_out.events_per_mac"), "events per MAC", number),
    Column("active_rate", at("judged.held_out.active_rate"), "weights fetched", percent),
    *attributes("result", "model", "weights"),
)


def stages_table(result: Finetuned) -> Table[Stage]:
    """`stages.csv`: one row per stage."""
    other = OTHER_TEXT if result.judged[0].other is not None else ()
    rows = [Stage(result, judged) for judged in result.judged]
    return Table((*STAGES, *other, *SPENT), rows, result.title)
