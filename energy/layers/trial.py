"""Runs foreign forwards on a few numbers, to find out what function they compute.

Neither the layer nor torch's random state changes, no hook is called, no weight is read; the layer
may be on the meta device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

#: What a function may raise that expects other arguments than it was tried with.
_MISFIT = (AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def attempt(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a function returns, without gradients; None if the arguments do not fit it."""
    try:
        with torch.no_grad():
            return function(*args, **kwargs)
    except _MISFIT:
        return None


def twin(layer: nn.Module, tensors: Mapping[str, Tensor], /, **attributes: Any) -> Any:
    """A layer of the same type in evaluation mode, to be run through its class's forward.

    Args:
        layer: The layer, of which all else is shared.
        tensors: In place of its parameters and buffers of these names, where it has them.
        **attributes: In place of its other attributes and its children.
    """
    copy: Any = object.__new__(type(layer))
    copy.__dict__.update({**vars(layer), "training": False, **attributes})
    for kind in ("_parameters", "_buffers"):
        held = vars(layer)[kind]
        copy.__dict__[kind] = {
            name: value if value is None else tensors.get(name, value)
            for name, value in held.items()
        }
    return copy


def same(out: Any, expected: Tensor) -> bool:
    """Whether a result is a tensor of these values, up to the rounding of FP32."""
    return (
        isinstance(out, Tensor)
        and out.shape == expected.shape
        and out.allclose(expected, rtol=1e-5, atol=1e-5)
    )
