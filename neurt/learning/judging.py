"""How good a model is on a text that it has not seen, beside the analog model."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from neurt.learning.activity import Activity
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.spiking.precision import widest
from reports.quality.evaluation import Quality
from reports.training.finetuned import Reading

#: Predictions over the whole vocabulary that are compared at a time.
_ROWS = 128


def read(model: PreTrainedModel, teacher: PreTrainedModel, ids: Tensor, window: int) -> Reading:
    """Read a text (N,) in windows that do not overlap; the last may be shorter.

    Args:
        teacher: The analog model, from which the divergence is taken.
        window: Tokens per window, the first of which is given.
    """
    nll, kl, predicted, events, active = 0.0, 0.0, 0, 0.0, 0.0
    activity = Activity(model) if isinstance(model, SpikingLanguageModel) else None
    model.eval()
    for part in (part.to(model.device) for part in ids.split(window) if len(part) > 1):
        logits, spent = _predict(model, activity, part)
        wanted = logits if model is teacher else _predict(teacher, None, part)[0]
        nll += float(nn.functional.cross_entropy(widest(logits), part[1:], reduction="sum"))
        for ours, theirs in zip(logits.split(_ROWS), wanted.split(_ROWS), strict=True):
            ours, theirs = (widest(x).log_softmax(-1) for x in (ours, theirs))
            kl += float(nn.functional.kl_div(ours, theirs, reduction="sum", log_target=True))
        predicted += len(part) - 1
        events += spent[0] * (len(part) - 1)
        active += spent[1] * (len(part) - 1)
    return Reading(
        # `Quality` knows what to say where the exponential overflows.
        Quality(predicted, nll, 0).perplexity,
        max(0.0, kl / predicted),  # of the same predictions, it may be some ulps below
        predicted,
        events / predicted if activity else None,
        active / predicted if activity else None,
    )


@torch.no_grad()
def _predict(
    model: PreTrainedModel, activity: Activity | None, ids: Tensor
) -> tuple[Tensor, tuple[float, float]]:
    """Logits (N - 1, vocabulary), and events per MAC and the share of weights fetched."""
    if activity is None:
        return model(input_ids=ids[None], use_cache=False).logits[0, :-1], (0.0, 0.0)
    with activity.watching():
        logits = model(input_ids=ids[None], use_cache=False).logits[0, :-1]
        events = activity.events_per_mac(len(ids))["attention"]
        return logits, (float(events), float(activity.active_rate()))
