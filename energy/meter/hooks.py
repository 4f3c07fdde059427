"""Hooks of the layers that are counted."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

from energy.meter.audit import Audit


def hook(
    module: nn.Module,
    record: Callable[[tuple[Any, ...], Any], None],
    audit: Audit,
    stack: ExitStack,
) -> None:
    """Record each call of a layer, and let nothing be audited while it runs.

    Args:
        module: The layer.
        record: Takes its arguments, in the order of its forward, and its output.
        audit: Whose guards are set.
        stack: Takes the hook off at its end.
    """

    def enter(_layer: nn.Module, _args: Any) -> None:
        audit.pauses.append(torch._C._DisableTorchDispatch())

    def leave(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        try:
            if out is None:  # the forward raised; nothing to count
                return
            if kwargs:  # put operands given by keyword where the rules expect them
                bound = inspect.signature(layer.forward).bind(*args, **kwargs)
                args = tuple(bound.arguments.values())
            record(args, out)
        finally:
            audit.pauses.pop()

    stack.callback(module.register_forward_pre_hook(enter).remove)
    after = module.register_forward_hook(leave, with_kwargs=True, always_call=True)
    stack.callback(after.remove)
