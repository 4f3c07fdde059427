"""What is asked of two models that are compared, and what sums over their windows say."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from energy import Counts
from neurt.evaluation.hidden import FINAL
from neurt.evaluation.read import Twin
from neurt.evaluation.sums import Scores, Sums
from neurt.families import Shape, read_shape
from neurt.loading.placement import compute_device
from neurt.text.windows import QualityError, Window, check_windows
from reports.kit.closeness import Closeness
from reports.quality.evaluation import (
    Comparison,
    LayerSimilarity,
    MeasuredBaseline,
    Quality,
)


def check_pair(
    analog: PreTrainedModel, spiking: PreTrainedModel, ids: Tensor, window: int, stride: int
) -> Shape:
    """The sizes of two models; QualityError if they do not fit each other, a text or windows."""
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


def inputs_of(model: PreTrainedModel, ids: Tensor, part: list[Window]) -> Tensor:
    """Token ids (batch, tokens) of windows of a text, where the model is."""
    return torch.stack([ids[window.start : window.stop] for window in part]).to(
        compute_device(model)
    )


def compared(
    sums: Sums,
    scores: Scores,
    counts: Sequence[Counts],
    baselines: Sequence[Twin],
    layers: int,
    windows: tuple[int, int, int],
) -> Comparison:
    """What sums over the windows of a text say.

    Args:
        sums: Those of similarities, by name and place.
        scores: Of the spiking model and of each baseline, by name.
        counts: Of the analog model, of the spiking one, and of each baseline.
        baselines: What the twins of the analog model are called.
        layers: Transformer layers.
        windows: Tokens of one, tokens from one to the next, how many there are.
    """
    asa_counts, ssa_counts, *of_baselines = counts
    found = {name: Closeness(tuple(windows)) for name, windows in scores.items()}
    closeness, tokens = found["spiking"], found["spiking"].tokens
    read = closeness.sums
    window, stride, number = windows

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
            for depth in range(layers)
        ),
        asa=asa_counts,
        ssa=ssa_counts,
        window=window,
        stride=stride,
        windows=number,
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


def check_predictions(name: str, logits: Tensor, part: list[Window]) -> None:
    """Raise QualityError if what a model, called so, predicts in these windows is not finite."""
    for index, window in enumerate(part):
        if not bool(torch.isfinite(logits[index, window.predicting]).all()):
            raise QualityError(
                f"the {name} predicts NaN or infinity in the window of tokens {window.start} "
                f"to {window.stop - 1}; check its weights, or the training they came from"
            )
