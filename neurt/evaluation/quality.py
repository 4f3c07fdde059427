"""How well a spiking model does what its analog one does: both read the same windows of a text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce
from operator import add

from torch import Tensor
from transformers import PreTrainedModel

from energy import Conventions, Counts, count_pass, exposed_attention
from neurt.baselines.baselines import Baseline
from neurt.evaluation.comparison import check_pair, check_predictions, compared, inputs_of
from neurt.evaluation.hidden import (
    Place,
    add_similarity,
    final_place,
    hidden_states,
    layer_places,
)
from neurt.evaluation.read import Batch, Read, Twin
from neurt.evaluation.sums import Scores, Sums, add_scores
from neurt.families import label
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.text.windows import QualityError, Window, batches, plan_windows
from reports.quality.evaluation import Comparison

__all__ = ["QualityError", "compare", "read_windows"]


@dataclass(frozen=True)
class _Reading:
    """What one model did with a batch of windows."""

    logits: Tensor  #: its predictions (batch, tokens, vocabulary)
    hidden: dict[Place, Tensor]  #: hidden states (scored tokens of all windows, width) by place
    counts: Counts  #: what was counted


def compare(
    analog: PreTrainedModel,
    spiking: PreTrainedModel,
    ids: Tensor,
    *,
    window: int,
    stride: int,
    batch: int = 1,
    conventions: Conventions = Conventions(),  # noqa: B008 - frozen
    baselines: Sequence[Baseline] = (),
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Comparison:
    """Sliding-window perplexity of two models on one text, how close they are, and their counts.

    Each window of `window` tokens starts `stride` tokens after the one before it, and only tokens
    that no window before it scored are scored in it; see `windows.plan_windows`. Similarities are
    taken at the positions that predict a scored token.

    Args:
        analog: The model that sets the standard; its attention is exposed meanwhile.
        spiking: The converted model, or any other model of the same sizes.
        ids: Token ids of the text, (tokens,).
        window: Tokens per window, 2 to the positions of the models.
        stride: Tokens from the start of a window to that of the next, 1 to `window`.
        batch: Windows side by side; the logits of so many are held at a time, for both models.
        baselines: Twins of the analog model, each of which reads every window once.

    Raises:
        QualityError: If text, window or stride do not fit the models, the models do not fit each
            other, or a prediction is not finite.
    """
    shape = check_pair(analog, spiking, ids, window, stride)
    plan = plan_windows(ids.numel(), window, stride)
    read = read_windows(
        analog, spiking, ids, list(batches(plan, batch)), conventions, baselines, progress
    )
    twins = [Twin(each.name, each.kind, each.number) for each in baselines]
    windows = window, stride, len(plan)
    return compared(read.sums, read.scores, read.counts, twins, shape.layers, windows)


def read_windows(
    analog: PreTrainedModel,
    spiking: PreTrainedModel,
    ids: Tensor,
    parts: Sequence[list[Window]],
    conventions: Conventions,
    baselines: Sequence[Baseline] = (),
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Read:
    """What two models make of some windows of a text; see `compare`.

    Args:
        parts: Windows that are read at once, in the order of the text; at least one.

    Raises:
        QualityError: If a prediction is not finite.
    """
    found, counts = list[Batch](), list[tuple[Counts, ...]]()
    done, windows = 0, sum(map(len, parts))
    with ExitStack() as stack:
        for model in (analog, spiking):
            if not isinstance(model, SpikingLanguageModel):
                stack.enter_context(exposed_attention(model))
        for part in parts:
            progress(done, windows)
            sums: Sums = defaultdict(float)
            scores: Scores = defaultdict(list)
            counts.append(
                _add_batch(sums, scores, analog, spiking, baselines, ids, part, conventions)
            )
            found.append(Batch(sums, scores))
            done += len(part)
    progress(done, windows)
    return Read(tuple(found), tuple(reduce(add, side) for side in zip(*counts, strict=True)))


def _add_batch(
    sums: Sums,
    scores: Scores,
    analog: PreTrainedModel,
    spiking: PreTrainedModel,
    baselines: Sequence[Baseline],
    ids: Tensor,
    part: list[Window],
    conventions: Conventions,
) -> tuple[Counts, ...]:
    """Let all models read a batch; a function, so that its logits are gone before the next."""
    asa = _read("analog", analog, ids, part, conventions)
    ssa = _read("spiking", spiking, ids, part, conventions)
    targets = ids.to(asa.logits.device)
    add_scores(scores, "spiking", asa.logits, ssa.logits, targets, part)
    for place, expected in asa.hidden.items():
        add_similarity(sums, place, expected, ssa.hidden[place])
    counts = [asa.counts, ssa.counts]
    del ssa
    for baseline in baselines:
        logits, found = baseline.read(inputs_of(analog, ids, part), asa.counts, conventions)
        check_predictions(f"baseline {baseline.name}", logits, part)
        add_scores(scores, baseline.name, asa.logits, logits, targets, part)
        counts.append(found)
    return tuple(counts)


def _read(
    name: str, model: PreTrainedModel, ids: Tensor, part: list[Window], conventions: Conventions
) -> _Reading:
    """Let one model read a batch of windows, counted."""
    inputs = inputs_of(model, ids, part)
    is_spiking = isinstance(model, SpikingLanguageModel)
    logits: list[Tensor] = []
    with hidden_states(final_place(model) | layer_places(model), part) as hidden:
        counts = count_pass(
            model,
            lambda: logits.append(model(input_ids=inputs, use_cache=False).logits),
            variant="asa" if name == "analog" else "ssa",
            conventions=conventions,
            label=label,
            batch=len(part),
            tokens=inputs.numel(),
            timesteps=model.config.spiking["timesteps"] if is_spiking else 1,
        )
    check_predictions(f"{name} model", logits[0], part)
    return _Reading(logits[0], hidden, counts)
