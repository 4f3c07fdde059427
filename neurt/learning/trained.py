"""Which parameters of a model are trained."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import PreTrainedModel

from neurt.families import family_of
from neurt.requests.finetune import Part
from neurt.spiking.codes import Exact
from neurt.spiking.neuron import SpikingNeuron

#: Factor beyond which a threshold has gone far.
_FAR = 10.0

Model = TypeVar("Model", bound=PreTrainedModel)


class _Exponential(nn.Module):
    """A positive number by its logarithm, so that a training step changes it by a share."""

    def forward(self, logarithm: Tensor) -> Tensor:
        return logarithm.exp()

    def right_inverse(self, value: Tensor) -> Tensor:
        return value.log()


@contextmanager
def trainable(
    model: PreTrainedModel, what: Collection[Part], *, attention_only: bool = False
) -> Iterator[None]:
    """Let the chosen parameters be trained inside the block; thresholds by their logarithms.

    Args:
        model: A spiking model, or an analog one (which has no thresholds).
        attention_only: Leave out what lies outside the attention blocks.
    """
    model.requires_grad_(False)
    for name, parameter in chosen(model, what).items():
        parameter.requires_grad_(not attention_only or _in_attention(model, name))
    neurons = [
        module
        for module in model.modules()
        if isinstance(module, SpikingNeuron) and module.threshold.requires_grad
    ]
    for neuron in neurons:
        parametrize.register_parametrization(neuron, "threshold", _Exponential())
    try:
        yield
    finally:
        for neuron in neurons:
            parametrize.remove_parametrizations(neuron, "threshold")
        model.requires_grad_(False)


def chosen(model: PreTrainedModel, what: Collection[Part]) -> dict[str, nn.Parameter]:
    """Parameters that belong to any of some parts, by name."""
    analog_values = [name for name, x in model.named_modules() if isinstance(x, Exact)]
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if any(part in what for part in _parts(model, name))
        and name.removesuffix(".threshold") not in analog_values  # they have none to train
    }


def copy_for_training(model: Model, what: Collection[Part], *, whole: bool = False) -> Model:
    """A copy that shares with the model all parameters that are not trained, unless it is whole."""
    own = model.parameters() if whole else chosen(model, what).values()
    ours = {id(parameter) for parameter in own}
    return copy.deepcopy(model, {id(p): p for p in model.parameters() if id(p) not in ours})


def thresholds_of(model: PreTrainedModel) -> dict[str, Tensor]:
    """A copy of the thresholds of a model, by name."""
    named = model.named_parameters()
    return {name: p.detach().clone() for name, p in named if name.endswith(".threshold")}


def moved(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> str:
    """How far thresholds went, in a sentence."""
    factors = torch.cat([after[name] / threshold for name, threshold in before.items()])
    low, middle, high = (float(x) for x in (factors.min(), factors.median(), factors.max()))
    said = f"Thresholds are {low:.3g} to {high:.3g} (median {middle:.3g}) times what they were"
    far = low < 1 / _FAR or high > _FAR
    way_out = "; a lower --threshold-learning-rate keeps them closer" if far else ""
    return f"{said}{way_out}."


def _parts(model: PreTrainedModel, name: str) -> list[Part]:
    """The parts that a parameter belongs to."""
    family = family_of(model.config.model_type)
    if name.endswith(".threshold"):
        inside = [Part.ATTENTION_THRESHOLDS] * _in_attention(model, name)
        return [Part.THRESHOLDS, Part.ALL, *inside]
    owner = name.rpartition(".")[0]
    if owner == family.final_norm or owner.endswith(
        tuple(f".{norm}" for norm in family.norms if norm)
    ):
        return [Part.NORMS, Part.ALL]
    attention = _in_attention(model, name)
    if not (attention or f".{family.feedforward.path}." in name):
        return [Part.ALL]  # embeddings, and the head
    parts = [Part.BLOCKS, Part.ALL]
    return parts + [Part.ATTENTION] * attention + [Part.BIASES] * name.endswith(".bias")


def _in_attention(model: PreTrainedModel, name: str) -> bool:
    return f".{family_of(model.config.model_type).attention.path}." in name
