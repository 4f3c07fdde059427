"""The linear layers of an analog model, and what hooks do to them for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from neurt.families import family_of

#: Named linear layers: torch's, and GPT-2's with its weights the other way round.
Linears = dict[str, nn.Module]


def linears(model: PreTrainedModel, *, head: bool) -> Linears:
    """The linear layers of the blocks by name, and the language-model head if asked for."""
    blocks = f"{family_of(model.config.model_type).layers}."
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, Conv1D)) and (head or name.startswith(blocks))
    }


def out_by_in(layer: nn.Module) -> Tensor:
    """The weights of a layer as (out, in), as a view."""
    weight: Tensor = layer.weight.detach()  # type: ignore[operator]
    return weight.T if isinstance(layer, Conv1D) else weight


@contextmanager
def inputs_changed(
    layers: Linears, changes: Mapping[str, Callable[[Tensor], Tensor]]
) -> Iterator[None]:
    """Inside the block, layers find their input changed; afterwards no hook is left.

    Open it inside of `energy.counting`: hooks run in the order in which they were registered, and
    those that count pause the audit first.
    """
    with ExitStack() as stack:
        for name, change in changes.items():
            stack.callback(layers[name].register_forward_pre_hook(_changing(change)).remove)
        yield


def _changing(
    change: Callable[[Tensor], Tensor],
) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...]]:
    return lambda _layer, args: (change(args[0]), *args[1:])


@contextmanager
def weights_changed(layers: Linears, weights: Mapping[str, Callable[[], Tensor]]) -> Iterator[None]:
    """Inside the block, a layer has other weights (out, in) while it runs.

    They are made for each call, so that only those of one layer exist at a time. Afterwards each
    layer has its own parameter again, the same object, also where a pass was interrupted.
    """
    own = {name: layer.weight for name, layer in layers.items()}
    with ExitStack() as stack:
        for name, make in weights.items():
            layer = layers[name]
            stack.callback(setattr, layer, "weight", own[name])
            enter, leave = _lending(make, own[name])  # type: ignore[arg-type]
            stack.callback(layer.register_forward_pre_hook(enter).remove)
            stack.callback(layer.register_forward_hook(leave).remove)
        yield


def _lending(
    make: Callable[[], Tensor], own: nn.Parameter
) -> tuple[Callable[[nn.Module, object], None], Callable[[nn.Module, object, object], None]]:
    def enter(layer: nn.Module, _args: object) -> None:
        weight = make()
        weight = weight.T if isinstance(layer, Conv1D) else weight
        layer.weight = nn.Parameter(weight, requires_grad=False)

    def leave(layer: nn.Module, _args: object, _out: object) -> None:
        layer.weight = own

    return enter, leave
