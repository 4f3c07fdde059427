"""What fine-tuning minimises, layer by layer and then as a whole, and the events it counts."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, Self

import torch
from accelerate.utils import reduce
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import PreTrainedModel

from neurt.families import family_of
from neurt.learning.pretrain import LanguageModelling
from neurt.spiking.attention import SpikingAttention
from neurt.spiking.codes import Exact
from neurt.spiking.feedforward import SpikingFeedForward
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.spiking.neuron import SpikingNeuron

#: What is trained: the attention blocks and all thresholds, thresholds only, or everything.
Trained = Literal["ssa", "thresholds", "all"]


class Activity:
    """Watches the neurons of a model.

    An event of a neuron costs one accumulate per output of the layer that it drives, so events
    per input value are events per replaced MAC of that layer. The model's figure is their mean
    over layers, weighted by the MACs of each.
    """

    def __init__(self, model: nn.Module) -> None:
        self._blocks: dict[str, list[SpikingAttention] | list[SpikingFeedForward]] = {
            "attention": [m for m in model.modules() if isinstance(m, SpikingAttention)],
            "ffn": [m for m in model.modules() if isinstance(m, SpikingFeedForward)],
        }

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Let the neurons keep what they count inside the block, and forget it afterwards."""
        neurons = [
            neuron
            for blocks in self._blocks.values()
            for block in blocks
            for neuron, _macs in block.drives(1)
        ]
        try:
            for neuron in neurons:
                neuron.watched = True
            yield
        finally:
            for neuron in neurons:
                neuron.watched, neuron.activity = False, None

    def events_per_mac(self, tokens: int) -> dict[str, Tensor]:
        """Differentiable events per MAC of the last pass, of sequences of so many tokens, by block.

        All query-key pairs are counted.
        """
        rates = {}
        for name, blocks in self._blocks.items():
            macs = sum(block.macs(tokens) for block in blocks)
            drives = [drive for block in blocks for drive in block.drives(tokens)]
            events = [
                neuron.activity * (driven / macs)
                for neuron, driven in drives
                if neuron.activity is not None  # a code without events
            ]
            none = drives[0][0].threshold.new_zeros(())  # where the others are, too
            rates[name] = torch.stack(events).sum() if events else none
        return rates


class _Exponential(nn.Module):
    """A positive number by its logarithm, so that a training step changes it by a share."""

    def forward(self, logarithm: Tensor) -> Tensor:
        return logarithm.exp()

    def right_inverse(self, value: Tensor) -> Tensor:
        return value.log()


@contextmanager
def trainable(
    model: PreTrainedModel, what: Trained, *, attention_only: bool = False
) -> Iterator[None]:
    """Let the chosen parameters be trained inside the block; thresholds by their logarithms.

    Args:
        model: A spiking model, or an analog one (which has no thresholds).
        attention_only: Leave out what lies outside the attention blocks.
    """
    model.requires_grad_(False)
    attention = f".{family_of(model.config.model_type).attention.path}."
    inside = [module for name, module in model.named_modules() if attention in f".{name}."]
    reached = inside if attention_only else [*model.modules()]
    if what != "thresholds":
        for module in inside if what == "ssa" else reached:
            for name, parameter in module.named_parameters(recurse=False):
                parameter.requires_grad_(name != "threshold")
    neurons = [x for x in reached if isinstance(x, SpikingNeuron) and not isinstance(x, Exact)]
    for neuron in neurons:
        neuron.threshold.requires_grad_(True)
        parametrize.register_parametrization(neuron, "threshold", _Exponential())
    try:
        yield
    finally:
        for neuron in neurons:
            parametrize.remove_parametrizations(neuron, "threshold")
        model.requires_grad_(False)


class _WithoutDropout(nn.Module):
    """Stays in evaluation mode.

    A teacher that drops out teaches noise, and a block that drops out shrinks towards zero where
    it should match.
    """

    def train(self, mode: bool = True) -> Self:
        return super().train(False)


class _Imitation(_WithoutDropout):
    """A student and the analog model that it imitates."""

    def __init__(self, student: SpikingLanguageModel, teacher: PreTrainedModel) -> None:
        super().__init__()
        self.student = student
        # A copy, since the original may share weights with the student.
        self.teacher: PreTrainedModel = copy.deepcopy(teacher)
        self.teacher.eval()
        self.teacher.requires_grad_(False)


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

    loss = KL(teacher || student) at temperature 2, times 4 (Hinton et al. 2015), + cross-entropy
    + max(0, events per MAC / target - 1), the events being those of all processes.

    Args:
        target_events_per_mac: Events per replaced multiply-accumulate of the attention block that
            may be spent; None for any number.
    """

    temperature = 2.0

    def __init__(
        self,
        student: SpikingLanguageModel,
        teacher: PreTrainedModel,
        target_events_per_mac: float | None = None,
    ) -> None:
        super().__init__(student, teacher)
        self.target = target_events_per_mac
        self.activity = Activity(student)

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        """Losses of windows (B, S)."""
        with torch.no_grad():
            wanted = self.teacher(input_ids=ids, use_cache=False).logits[:, :-1]
        with self.activity.watching():
            logits = self.student(input_ids=ids, use_cache=False).logits[:, :-1]
            events = self.activity.events_per_mac(ids.shape[1])
        soft, goal = (
            nn.functional.log_softmax(x.flatten(0, 1) / self.temperature, -1)
            for x in (logits, wanted)
        )
        kl = nn.functional.kl_div(soft, goal, reduction="batchmean", log_target=True)
        cross_entropy = nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        loss = self.temperature**2 * kl + cross_entropy
        if self.target is not None:
            excess = events["attention"] / self.target - 1
            # Where the bend is, is decided together: a mean of bent lines is not the bent mean.
            everywhere = reduce(excess.detach(), "mean")
            loss = loss + torch.where(everywhere > 0, excess, 0.0)
        return {
            "loss": loss,
            "kl": kl,
            "cross_entropy": cross_entropy,
            "events_per_mac": events["attention"],
            "events_per_mac_feedforward": events["ffn"],
        }


class Continuation(_WithoutDropout, LanguageModelling):
    """What the analog model is given beside stage 2: the next token, as there without dropout."""


def _attentions(model: PreTrainedModel) -> list[nn.Module]:
    family = family_of(model.config.model_type)
    layers = model.get_submodule(family.layers).children()
    return [layer.get_submodule(family.attention.path) for layer in layers]
