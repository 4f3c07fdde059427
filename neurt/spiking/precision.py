"""In which precision events are made, whatever the precision of the model around them."""

from __future__ import annotations

import torch
from torch import Tensor


def coded_in(dtype: torch.dtype) -> torch.dtype:
    """The precision inside a coder or a neuron that is given values of a type.

    FP32, or their own where that is wider. Thresholds are kept in it.
    """
    return torch.promote_types(dtype, torch.float32)


def wide(x: Tensor) -> Tensor:
    """A tensor in the precision in which events are made."""
    return x.to(coded_in(x.dtype))


def summed_in(device: torch.device) -> torch.dtype:
    """The precision of long sums: FP64; FP32 on Apple's GPUs, which have no FP64."""
    return torch.float32 if device.type == "mps" else torch.float64


def widest(x: Tensor) -> Tensor:
    """A tensor in the precision of long sums on its device."""
    return x.to(summed_in(x.device))
