"""How well a spiking model does what its analog one does: both read the same windows of a text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from energy import Conventions, Counts, count_pass, exposed_attention
from neurt.families import Shape, family_of, label, read_shape
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.text.windows import QualityError, Window, batches, check_windows, plan_windows
from reports.quality.evaluation import Comparison, LayerSimilarity, Quality

#: Scored tokens whose predictions over the whole vocabulary are compared at a time.
_ROWS = 128

_Sums = defaultdict[Any, float]

#: A part of a layer (its index; `residual`, `attention` or `feedforward`), or the final state.
_Place = tuple[int, str]
_FINAL: _Place = (-1, "final")


@dataclass(frozen=True)
class _Reading:
    """What one model did with a batch of windows."""

    logits: Tensor  #: its predictions (batch, tokens, vocabulary)
    hidden: dict[_Place, Tensor]  #: hidden states (scored tokens of all windows, width) by place
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

    Raises:
        QualityError: If text, window or stride do not fit the models, the models do not fit each
            other, or a prediction is not finite.
    """
    shape = _check(analog, spiking, ids, window, stride)
    plan = plan_windows(ids.numel(), window, stride)
    sums: _Sums = defaultdict(float)
    counts: list[tuple[Counts, Counts]] = []
    done = 0
    with ExitStack() as stack:
        for model in (analog, spiking):
            if not isinstance(model, SpikingLanguageModel):
                stack.enter_context(exposed_attention(model))
        for part in batches(plan, batch):
            progress(done, len(plan))
            counts.append(_add_batch(sums, analog, spiking, ids, part, conventions))
            done += len(part)
    progress(done, len(plan))
    tokens = sum(window.stop - window.first for window in plan)
    asa_counts, ssa_counts = (reduce(add, side) for side in zip(*counts, strict=True))
    return Comparison(
        Quality(tokens, sums["analog", "nll"], int(sums["analog", "correct"])),
        Quality(tokens, sums["spiking", "nll"], int(sums["spiking", "correct"])),
        top1_agreement=sums["agree"] / tokens,
        kl_nats=sums["kl"] / tokens,
        cosine_final=sums["cosine", _FINAL] / tokens,
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
    check_windows(window, stride, min(shape.positions, other.positions))
    vocabulary = shape.vocabulary
    if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < vocabulary:
        raise QualityError(
            f"the text has token ids from {int(ids.min())} to {int(ids.max())}, but the models' "
            f"vocabulary has {vocabulary} entries; use the tokenizer that belongs to them"
        )
    return shape


def _add_batch(
    sums: _Sums,
    analog: PreTrainedModel,
    spiking: PreTrainedModel,
    ids: Tensor,
    part: list[Window],
    conventions: Conventions,
) -> tuple[Counts, Counts]:
    """Let both models read a batch; a function, so that its logits are gone before the next."""
    asa = _read("analog", analog, ids, part, conventions)
    ssa = _read("spiking", spiking, ids, part, conventions)
    _add_predictions(sums, asa.logits, ssa.logits, ids.to(asa.logits.device), part)
    for place, expected in asa.hidden.items():
        _add_similarity(sums, place, expected, ssa.hidden[place])
    return asa.counts, ssa.counts


def _read(
    name: str, model: PreTrainedModel, ids: Tensor, part: list[Window], conventions: Conventions
) -> _Reading:
    """Let one model read a batch of windows, counted."""
    inputs = torch.stack([ids[window.start : window.stop] for window in part]).to(model.device)
    is_spiking = isinstance(model, SpikingLanguageModel)
    logits: list[Tensor] = []
    with _hidden_states(model, part) as hidden:
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
    for index, window in enumerate(part):
        if not bool(torch.isfinite(logits[0][index, window.predicting]).all()):
            raise QualityError(
                f"the {name} model predicts NaN or infinity in the window of tokens {window.start} "
                f"to {window.stop - 1}; check its weights, or the training they came from"
            )
    return _Reading(logits[0], hidden, counts)


@contextmanager
def _hidden_states(model: PreTrainedModel, part: list[Window]) -> Iterator[dict[_Place, Tensor]]:
    """Collect, during a forward pass inside the block, the hidden states that predict a score.

    Hooks, because `output_hidden_states` has neither what the blocks add nor the last residual.
    """
    states: dict[_Place, Tensor] = {}

    def collect(place: _Place) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _args: Any, out: Any) -> None:
            hidden = out[0] if isinstance(out, tuple) else out
            rows = [hidden[i, window.predicting] for i, window in enumerate(part)]
            states[place] = torch.cat(rows)

        return hook

    family = family_of(model.config.model_type)
    places: dict[_Place, nn.Module] = {_FINAL: model.get_submodule(family.final_norm)}
    for depth, layer in enumerate(model.get_submodule(family.layers).children()):
        places[depth, "residual"] = layer
        places[depth, "attention"] = layer.get_submodule(family.attention.path)
        places[depth, "feedforward"] = layer.get_submodule(family.feedforward.path)
    with ExitStack() as stack:
        for place, module in places.items():
            stack.callback(module.register_forward_hook(collect(place)).remove)
        yield states


def _add_predictions(
    sums: _Sums, asa: Tensor, ssa: Tensor, ids: Tensor, part: list[Window]
) -> None:
    """Add what the logits of two models say of the scored tokens, in float64."""
    for index, window in enumerate(part):
        at = window.predicting
        scored = asa[index, at], ssa[index, at], ids[window.first : window.stop]
        for p, q, targets in zip(*(x.split(_ROWS) for x in scored), strict=True):
            logs = [logits.float().log_softmax(-1) for logits in (p, q)]
            best = [logits.argmax(-1) for logits in (p, q)]
            for name, log, guess in zip(("analog", "spiking"), logs, best, strict=True):
                sums[name, "nll"] -= _total(log.gather(-1, targets.unsqueeze(-1)))
                sums[name, "correct"] += _total(guess == targets)
            sums["agree"] += _total(best[0] == best[1])
            sums["kl"] += _total(logs[0].exp() * (logs[0] - logs[1]))


def _add_similarity(sums: _Sums, place: _Place, expected: Tensor, actual: Tensor) -> None:
    """Add cosine and relative error of each row (rows, width).

    A row of zeros is like another row of zeros (cosine 1, error 0) and like nothing else.
    """
    expected, actual = expected.double(), actual.double()
    norm = expected.norm(dim=-1)
    lengths = norm * actual.norm(dim=-1)
    difference = (actual - expected).norm(dim=-1)
    cosine = torch.where(
        lengths > 0, (expected * actual).sum(-1) / lengths, (difference == 0).double()
    )
    sums["cosine", place] += _total(cosine)
    sums["error", place] += _total(torch.where(difference == 0, difference, difference / norm))


def _total(x: Tensor) -> float:
    return float(x.sum(dtype=torch.float64))
