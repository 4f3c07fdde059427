"""How well a spiking model does what its analog one does: both read the same windows of a text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce
from operator import add

import torch
from torch import Tensor
from transformers import PreTrainedModel

from energy import Conventions, Counts, count_pass, exposed_attention
from neurt.baselines.baselines import Baseline
from neurt.evaluation.hidden import FINAL, Place, add_similarity, hidden_states
from neurt.evaluation.sums import Scores, Sums, add_scores
from neurt.families import Shape, label, read_shape
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.text.windows import QualityError, Window, batches, check_windows, plan_windows
from reports.kit.closeness import Closeness
from reports.quality.evaluation import (
    Comparison,
    LayerSimilarity,
    MeasuredBaseline,
    Quality,
)


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
    shape = _check(analog, spiking, ids, window, stride)
    plan = plan_windows(ids.numel(), window, stride)
    sums: Sums = defaultdict(float)
    scores: Scores = defaultdict(list)
    counts: list[tuple[Counts, ...]] = []
    done = 0
    with ExitStack() as stack:
        for model in (analog, spiking):
            if not isinstance(model, SpikingLanguageModel):
                stack.enter_context(exposed_attention(model))
        for part in batches(plan, batch):
            progress(done, len(plan))
            counts.append(
                _add_batch(sums, scores, analog, spiking, baselines, ids, part, conventions)
            )
            done += len(part)
    progress(done, len(plan))
    asa_counts, ssa_counts, *of_baselines = (
        reduce(add, side) for side in zip(*counts, strict=True)
    )
    found = {name: Closeness(tuple(windows)) for name, windows in scores.items()}
    closeness, tokens = found["spiking"], found["spiking"].tokens
    read = closeness.sums

    def quality(name: str) -> Quality:
        sums = found[name].sums
        return Quality(tokens, sums.spiking_nats, sums.spiking_correct)

    return Comparison(
        Quality(tokens, read.analog_nats, read.analog_correct),
        quality("spiking"),
        top1_agreement=read.agreed / tokens,
        kl_nats=closeness.kl_nats,
        cosine_final=sums["cosine", FINAL] / tokens,
        layers=tuple(
            LayerSimilarity(
                depth,
                **{
                    f"{metric}_{name}": sums[metric, (depth, name)] / tokens
                    for metric in ("cosine", "error")
                    for name in ("residual", "attention", "feedforward")
                },
            )
            for depth in range(shape.layers)
        ),
        asa=asa_counts,
        ssa=ssa_counts,
        window=window,
        stride=stride,
        windows=len(plan),
        baselines=tuple(
            MeasuredBaseline(
                each.name,
                each.kind,
                each.number,
                quality(each.name),
                found[each.name].sums.agreed / tokens,
                found[each.name].kl_nats,
                touched,
                found[each.name],
            )
            for each, touched in zip(baselines, of_baselines, strict=True)
        ),
        closeness=closeness,
    )


def _check(
    analog: PreTrainedModel, spiking: PreTrainedModel, ids: Tensor, window: int, stride: int
) -> Shape:
    shape, other = (
        read_shape(model.config.to_dict(), model.config.model_type) for model in (analog, spiking)
    )
    for size in ("layers", "width", "vocabulary"):
        ours, theirs = getattr(shape, size), getattr(other, size)
        if ours != theirs:
            raise QualityError(
                f"the analog model has {size} = {ours}, the spiking one {theirs}; compare a model "
                "with the one it was converted from"
            )
    check_windows(window, stride, min(shape.span, other.span))
    vocabulary = shape.vocabulary
    if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < vocabulary:
        raise QualityError(
            f"the text has token ids from {int(ids.min())} to {int(ids.max())}, but the models' "
            f"vocabulary has {vocabulary} entries; use the tokenizer that belongs to them"
        )
    return shape


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
        logits, found = baseline.read(_inputs(analog, ids, part), asa.counts, conventions)
        _check_finite(f"baseline {baseline.name}", logits, part)
        add_scores(scores, baseline.name, asa.logits, logits, targets, part)
        counts.append(found)
    return tuple(counts)


def _inputs(model: PreTrainedModel, ids: Tensor, part: list[Window]) -> Tensor:
    return torch.stack([ids[window.start : window.stop] for window in part]).to(model.device)


def _read(
    name: str, model: PreTrainedModel, ids: Tensor, part: list[Window], conventions: Conventions
) -> _Reading:
    """Let one model read a batch of windows, counted."""
    inputs = _inputs(model, ids, part)
    is_spiking = isinstance(model, SpikingLanguageModel)
    logits: list[Tensor] = []
    with hidden_states(model, part) as hidden:
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
    _check_finite(f"{name} model", logits[0], part)
    return _Reading(logits[0], hidden, counts)


def _check_finite(name: str, logits: Tensor, part: list[Window]) -> None:
    for index, window in enumerate(part):
        if not bool(torch.isfinite(logits[index, window.predicting]).all()):
            raise QualityError(
                f"the {name} predicts NaN or infinity in the window of tokens {window.start} "
                f"to {window.stop - 1}; check its weights, or the training they came from"
            )
