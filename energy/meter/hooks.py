"""Hooks of the layers that are counted."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from energy.meter.audit import Audit, UncountedOperation

#: What a class of tensors has that does not say itself what its operations do.
_ORDINARY = Tensor.__torch_dispatch__


def hook(
    module: nn.Module,
    record: Callable[[tuple[Any, ...], Any], None],
    audit: Audit,
    stack: ExitStack,
    name: str,
) -> None:
    """Record each call of a layer, and let nothing be audited while it runs.

    Args:
        module: The layer.
        record: Takes its arguments, in the order of its forward, and its output.
        audit: Whose guards are set.
        stack: Takes the hook off at its end.
        name: What the layer is called in an error.

    Raises:
        UncountedOperation: When it runs, if processes share its product and it gives the part of
            one.
    """
    inside = tuple(module.modules())

    def enter(_layer: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        held: list[Tensor | None] = []
        for each in inside:
            held += [*each._parameters.values(), *each._buffers.values()]
        # Without dispatch, a DTensor or a packed weight is memory that is not there.
        own = any(_has_dispatch(x) for x in (*held, *args, *kwargs.values()))
        audit.pauses.append(None if own else torch._C._DisableTorchDispatch())

    def leave(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        try:
            if out is None:  # the forward raised; nothing to count
                return
            if audit.pauses[-1] is None:
                _refuse_part(layer, name, out)
            if kwargs:  # put operands given by keyword where the rules expect them
                bound = inspect.signature(layer.forward).bind(*args, **kwargs)
                args = tuple(bound.arguments.values())
            record(args, out)
        finally:
            audit.pauses.pop()

    stack.callback(module.register_forward_pre_hook(enter, with_kwargs=True).remove)
    after = module.register_forward_hook(leave, with_kwargs=True, always_call=True)
    stack.callback(after.remove)


def _has_dispatch(x: Any) -> bool:
    """Whether it is a tensor whose class says what operations do, such as a DTensor."""
    return isinstance(x, Tensor) and type(x).__torch_dispatch__ is not _ORDINARY


def _refuse_part(layer: nn.Module, name: str, out: Any) -> None:
    """Refuse a layer that is split over processes, and gives what one of them made."""
    if not isinstance(out, Tensor) or hasattr(out, "device_mesh"):
        return
    for weight in layer.parameters(recurse=False):
        mesh = getattr(weight, "device_mesh", None)
        if mesh is not None and mesh.size() > 1:
            raise UncountedOperation(
                f"layer '{name}' is split over {mesh.size()} processes, and what it gives is the "
                "part of this one, which is not all that is to be counted; count the model before "
                "parallelize_module"
            )
