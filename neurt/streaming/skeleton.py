"""A model without weights, and parts of it that have theirs for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from hwmodels.errors import UserError
from neurt.families import family_of
from neurt.loading.placement import ON_CPU, Placement
from neurt.loading.stored import Stored
from neurt.spiking.conversion import check_threshold
from neurt.spiking.neuron import SpikingNeuron, all_finite
from neurt.streaming.heap import give_back


class StreamError(UserError, ValueError):
    """A model, or a request, that cannot be run layer by layer."""


class Call(NamedTuple):
    """What a model gives a transformer layer beside the hidden states."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


class Entered(NamedTuple):
    """What reaches the first transformer layer."""

    hidden: Tensor  #: embedded tokens (batch, tokens, width)
    calls: tuple[Call, ...]  #: what each layer is given beside what the one before it made


def skeleton(kind: Any, config: PretrainedConfig) -> PreTrainedModel:
    """A model in evaluation mode whose parameters have shapes and take no memory.

    Raises:
        StreamError: If it computes something beside its parameters that is not known here.
    """
    with torch.device("meta"):
        model: PreTrainedModel = kind(config)
    model.tie_weights()
    model.requires_grad_(False)
    model.eval()
    angles = family_of(config.model_type).angles
    if angles is not None:  # computed from the configuration, and in no checkpoint
        model.set_submodule(angles, type(model.get_submodule(angles))(model.config))
    for name, buffer in model.named_buffers():
        if buffer.device.type == "meta":
            raise StreamError(
                f"{type(model).__name__} cannot be run layer by layer: it computes '{name}', which "
                "is in no checkpoint; leave out --stream"
            )
    return model


class Streamed:
    """A model of which only the part that runs has weights.

    Args:
        model: A `skeleton`.
        stored: Its checkpoint.
        where: Where its layers run, and in which precision; thresholds are in single precision.
        thresholds: Thresholds by name of a conversion that the checkpoint knows nothing of; those
            that are in neither are ones, to be calibrated.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        stored: Stored,
        where: Placement = ON_CPU,
        thresholds: dict[str, Tensor] | None = None,
    ) -> None:
        self.model = model
        self.where = where
        self.stored = stored
        self.thresholds: dict[str, Tensor] = {} if thresholds is None else thresholds
        self._path = family_of(model.config.model_type).layers
        self._checked: set[str] = set()
        for name, buffer in model.named_buffers():  # angles of rotary positions
            owner, _, own = name.rpartition(".")
            model.get_submodule(owner)._buffers[own] = buffer.to(where.device)

    @property
    def layers(self) -> tuple[nn.Module, ...]:
        """The transformer layers."""
        return tuple(self.model.get_submodule(self._path).children())

    @property
    def depths(self) -> range:
        """Indices of the transformer layers."""
        return range(len(self.layers))

    def name(self, depth: int) -> str:
        """Dotted name of a transformer layer."""
        return f"{self._path}.{depth}"

    def parameters(self, depth: int | None) -> list[str]:
        """Names of the parameters of a layer; None for those outside of all layers."""
        inside = f"{self._path}." if depth is None else f"{self.name(depth)}."
        names = [name for name, _ in self.model.named_parameters()]
        return [name for name in names if name.startswith(inside) != (depth is None)]

    def _values(self, names: Sequence[str]) -> dict[str, Tensor]:
        found = self.stored.read(name for name in names if name in self.stored.names)
        for name in names:
            if name in self.thresholds:
                found[name] = self.thresholds[name]
            elif name not in found:
                found[name] = torch.ones(self.model.get_parameter(name).shape)
            if name not in self._checked and not all_finite(found[name]):
                raise StreamError(
                    f"parameter '{name}' holds NaN or infinity; check the checkpoint it came from"
                )
            found[name] = found[name].to(self.where.device, self.precision_of(name))
        self._checked.update(names)
        return found

    def precision_of(self, name: str) -> torch.dtype:
        """The precision of a parameter."""
        return torch.float32 if name.endswith(".threshold") else self.where.dtype

    @contextmanager
    def resident(self, depth: int | None, *others: Streamed) -> Iterator[None]:
        """Inside the block a layer, or what is outside of all layers, has its weights.

        Args:
            depth: Index of the layer; None for embeddings, last norm and head.
            *others: Models of the same sizes; one with the same checkpoint shares the weights.

        Raises:
            StreamError: If one is not finite (names it).
            ConversionError: If a threshold is not above zero (names it).
        """
        models, values = (self, *others), dict[str, Tensor]()
        for each in models:
            names = each.parameters(depth)
            shared = values if each.stored is self.stored else {}
            own = each._values([name for name in names if name not in shared])
            if each is self:
                values = own
            each._give({name: shared.get(name, own.get(name)) for name in names})
            if depth is None:
                each.model.tie_weights()
        held = sum(value.nbytes for value in values.values())
        del values, own, shared
        try:
            yield
        finally:
            for each in models:
                each._take(depth)
            give_back(held)

    def _give(self, values: Mapping[str, Tensor | None]) -> None:
        for name, value in values.items():
            if name.endswith(".threshold") and value is not None:
                check_threshold(name, value)
        self.model.load_state_dict(values, strict=False, assign=True)

    def _take(self, depth: int | None) -> None:
        for name in self.parameters(depth):
            owner, _, own = name.rpartition(".")
            held = self.model.get_parameter(name)
            free = nn.Parameter(torch.empty_like(held, device="meta"), requires_grad=False)
            setattr(self.model.get_submodule(owner), own, free)
        if depth is None:
            self.model.tie_weights()

    def thresholds_of(self, depth: int | None) -> dict[str, Tensor]:
        """Thresholds by name of the part that is resident."""
        names = (name for name in self.parameters(depth) if name.endswith(".threshold"))
        return {name: self.model.get_parameter(name).detach().clone() for name in names}

    def neurons(self, depth: int | None) -> dict[str, SpikingNeuron]:
        """The layers of neurons of a part by name."""
        inside = {name.rpartition(".")[0] for name in self.parameters(depth)}
        found = ((name, self.model.get_submodule(name)) for name in sorted(inside))
        return {name: it for name, it in found if isinstance(it, SpikingNeuron)}

    def enter(self, ids: Tensor, **given: Any) -> Entered:
        """Let the model, with what is outside of its layers resident, read up to the first of them.

        Args:
            ids: Token ids (batch, tokens).
            **given: What the model is called with beside, such as a cache.
        """
        seen: list[Tensor] = []
        calls: list[Call] = []

        def pass_on(_depth: int, hidden: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            seen.append(hidden)
            calls.append(Call(args, kwargs))
            return hidden

        with self._bypassed(pass_on):
            self.model.base_model(ids.to(self.where.device), **{"use_cache": False, **given})
        return Entered(seen[0], tuple(calls))

    def through(self, depth: int, hidden: Tensor, call: Call) -> Tensor:
        """What a transformer layer, which is resident, makes of hidden states."""
        out = self.layers[depth](hidden, *call.args, **call.kwargs)
        made: Tensor = out[0] if isinstance(out, tuple) else out
        return made

    def leave(self, ids: Tensor, hidden: Tensor, **given: Any) -> Tensor:
        """Logits (batch, tokens, vocabulary): the model's own forward, without its layers.

        Args:
            ids: Token ids (batch, tokens).
            hidden: What the last transformer layer made of them (batch, tokens, width).
            **given: See `enter`.
        """
        last = len(self.layers) - 1

        def give(depth: int, before: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
            return hidden if depth == last else before

        with self._bypassed(give):
            out = self.model(ids.to(self.where.device), **{"use_cache": False, **given})
        return out.logits  # type: ignore[no-any-return]

    @contextmanager
    def _bypassed(self, instead: Callable[..., Tensor]) -> Iterator[None]:
        """Inside the block, transformer layers do this, given their index before the rest."""
        layers = self.layers
        try:
            for depth, layer in enumerate(layers):
                vars(layer)["forward"] = partial(instead, depth)
            yield
        finally:
            for layer in layers:
                vars(layer).pop("forward", None)

    def alone(self, depth: int) -> nn.Module:
        """A module that holds nothing but one layer, under its full name, so that it is counted."""
        *above, inside = self._path.split(".")
        whole = found = nn.Module()
        for name in above:
            found.add_module(name, nn.Module())
            found = found.get_submodule(name)
        found.add_module(inside, nn.ModuleDict({str(depth): self.layers[depth]}))
        return whole
