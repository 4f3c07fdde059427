"""What fine-tuning minimises, layer by layer and then as a whole."""

from __future__ import annotations

import copy
from typing import Any, Self

import torch
from accelerate.utils import reduce
from torch import Tensor, nn
from transformers import PreTrainedModel

from neurt.families import family_of
from neurt.learning.activity import Activity
from neurt.learning.pretrain import LanguageModelling
from neurt.learning.sharding import blocks_of
from neurt.spiking.modeling import SpikingLanguageModel


class _WithoutDropout(nn.Module):
    """Stays in evaluation mode.

    A teacher that drops out teaches noise, and a block that drops out shrinks towards zero where
    it should match.
    """

    def train(self, mode: bool = True) -> Self:
        return super().train(False)


class _Imitation(_WithoutDropout):
    """A student and the analog model that it imitates.

    Made while what the student learns requires a gradient: the teacher gets a copy of whatever of
    it the two share, and keeps the rest.
    """

    def __init__(self, student: SpikingLanguageModel, teacher: PreTrainedModel) -> None:
        super().__init__()
        self.student = student
        learning = {p.data_ptr() for p in student.parameters() if p.requires_grad}
        kept = {id(p): p for p in teacher.parameters() if p.data_ptr() not in learning}
        self.teacher: PreTrainedModel = copy.deepcopy(teacher, dict(kept))
        self.teacher.eval()
        self.teacher.requires_grad_(False)

    @property
    def gathered(self) -> list[type[nn.Module]]:
        """See `blocks_of`."""
        return [*blocks_of(self.student), *blocks_of(self.teacher)]


class LayerMatch(_Imitation):
    """Stage 1: each attention block by itself, on the input that it has in the analog model.

    The loss is the mean over windows and blocks of ||SSA(x) - ASA(x)||^2 / ||ASA(x)||^2. A ratio
    for each window, so that processes that share the windows of a step have the same mean as one.
    """

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        """Losses of windows (B, S)."""
        seen: list[tuple[tuple[Any, ...], dict[str, Any], Tensor]] = []

        def remember(_layer: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
            seen.append((args, kwargs, out[0]))

        handles = [
            attention.register_forward_hook(remember, with_kwargs=True)
            for attention in _attentions(self.teacher)
        ]
        try:
            with torch.no_grad():
                self.teacher.base_model(ids, use_cache=False)
        finally:
            for handle in handles:
                handle.remove()
        errors = [
            (
                (attention(*args, **kwargs)[0] - y).square().sum((1, 2)) / y.square().sum((1, 2))
            ).mean()
            for attention, (args, kwargs, y) in zip(_attentions(self.student), seen, strict=True)
        ]
        return {"loss": torch.stack(errors).mean()}


class Distillation(_Imitation):
    """Stage 2: the distribution of the analog model, and the text.

    loss = KL(teacher || student) at a temperature, times its square (Hinton et al. 2015),
    + weight x cross-entropy + max(0, spent / target - 1) for each target, what is spent being that
    of all processes.

    Args:
        target_events_per_mac: Events per replaced multiply-accumulate of the attention block that
            may be spent; None for any number.
        target_active_rate: Share of the weights of the blocks that a token may fetch; None for all.
        temperature: What logits are divided by.
        cross_entropy_weight: 0 to learn from the analog model alone, and nothing from the text.
    """

    def __init__(
        self,
        student: SpikingLanguageModel,
        teacher: PreTrainedModel,
        target_events_per_mac: float | None = None,
        *,
        target_active_rate: float | None = None,
        temperature: float = 2.0,
        cross_entropy_weight: float = 1.0,
    ) -> None:
        super().__init__(student, teacher)
        self.target_events_per_mac = target_events_per_mac
        self.target_active_rate = target_active_rate
        self.temperature = temperature
        self.cross_entropy_weight = cross_entropy_weight
        self.activity = Activity(student)

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        """Losses of windows (B, S)."""
        with torch.no_grad():
            wanted = self.teacher(input_ids=ids, use_cache=False).logits[:, :-1]
        with self.activity.watching():
            logits = self.student(input_ids=ids, use_cache=False).logits[:, :-1]
            events = self.activity.events_per_mac(ids.shape[1])
            active_rate = self.activity.active_rate()
        soft, goal = (
            nn.functional.log_softmax(x.flatten(0, 1) / self.temperature, -1)
            for x in (logits, wanted)
        )
        kl = nn.functional.kl_div(soft, goal, reduction="batchmean", log_target=True)
        cross_entropy = nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        loss = self.temperature**2 * kl
        if self.cross_entropy_weight:  # infinite times zero is no number
            loss = loss + self.cross_entropy_weight * cross_entropy
        loss = loss + _excess(events["attention"], self.target_events_per_mac)
        return {
            "loss": loss + _excess(active_rate, self.target_active_rate),
            "kl": kl,
            "cross_entropy": cross_entropy,
            "events_per_mac": events["attention"],
            "events_per_mac_feedforward": events["ffn"],
            "active_rate": active_rate,
        }


def _excess(spent: Tensor, target: float | None) -> Tensor:
    """The share by which more is spent than a target, in the mean of all processes."""
    if target is None:
        return spent.new_zeros(())
    excess = spent / target - 1
    # Where the bend is, is decided together: a mean of bent lines is not the bent mean.
    return torch.where(reduce(excess.detach(), "mean") > 0, excess, 0.0)


class Continuation(_WithoutDropout, LanguageModelling):
    """What the analog model is given beside stage 2: the next token, as there without dropout."""


def _attentions(model: PreTrainedModel) -> list[nn.Module]:
    family = family_of(model.config.model_type)
    layers = model.get_submodule(family.layers).children()
    return [layer.get_submodule(family.attention.path) for layer in layers]
