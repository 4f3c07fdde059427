"""Rounding to the nearest of few values: weights once, activations each time.

Scales are kept in 16 bits, as checkpoints store them, so that what is measured is what is billed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from energy.compare.quantised import GROUP
from neurt.spiking.coder import CANDIDATES

#: The smallest scale that 16 bits hold.
_LEAST = 2.0**-24


class Rounded(NamedTuple):
    """A weight matrix (out, in) as whole numbers: (codes - zero) * scale."""

    codes: Tensor  #: one byte each, (out, groups, inputs of a group)
    scale: Tensor  #: (out, groups, 1)
    zero: Tensor  #: the same; zero where the values are symmetric
    inputs: int  #: entries of a row; the last group may be shorter

    def values(self, dtype: torch.dtype) -> Tensor:
        """The weights (out, in) that it stands for."""
        values = (self.codes.float() - self.zero) * self.scale
        return values.flatten(1)[:, : self.inputs].to(dtype)


def by_channel(weight: Tensor, bits: int = 8) -> Rounded:
    """Weights (out, in), symmetric, one scale for each output: largest |w| / (2^(bits-1) - 1)."""
    top = 2 ** (bits - 1) - 1
    rows = weight.detach().float().unsqueeze(1)
    scale = _stored(rows.abs().amax(-1, keepdim=True) / top)
    codes = (rows / scale).round_().clamp_(-top, top).to(torch.int8)
    return Rounded(codes, scale, torch.zeros_like(scale), weight.shape[1])


def by_group(weight: Tensor, bits: int = 4, group: int = GROUP) -> Rounded:
    """Weights (out, in), one scale and one zero point for so many inputs of each output.

    The range of a group holds zero, so that its zero point is one of its `2^bits` codes.
    """
    out, inputs = weight.shape
    missing = -inputs % group  # zeros change no range
    rows = torch.nn.functional.pad(weight.detach().float(), (0, missing)).view(out, -1, group)
    codes, scale, zero = _affine(rows, bits, _stored)
    return Rounded(codes.to(torch.uint8), scale, zero, inputs)


def affine(x: Tensor, bits: int) -> Tensor:
    """Each row (last dimension) rounded to `2^bits` values from its least to its largest.

    The range holds zero, which stays zero.
    """
    codes, scale, zero = _affine(x, bits, lambda scale: torch.where(scale > 0, scale, 1.0))
    return codes.sub_(zero).mul_(scale)


def least_squares(samples: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Scale and lowest value of each channel (C,) whose `2^bits` values fit samples (n, C) best.

    Candidates are the range of the samples, and shares of it around their mean.
    """
    top = 2**bits - 1
    mean, least = samples.mean(0), torch.full_like(samples[0], torch.inf)
    below, above = samples.amin(0) - mean, samples.amax(0) - mean
    best = torch.ones_like(mean), mean
    for share in CANDIDATES:
        scale = (share * (above - below) / top).clamp(min=torch.finfo(mean.dtype).tiny ** 0.5)
        low = mean + share * below
        coded = ((samples - low) / scale).round_().clamp_(0, top).mul_(scale).add_(low)
        error = (coded - samples).square().sum(0)
        better = error < least
        best = torch.where(better, scale, best[0]), torch.where(better, low, best[1])
        least = torch.minimum(error, least)
    return best


def symmetric(x: Tensor, bits: int = 8) -> Tensor:
    """Each row (last dimension) rounded to its own scale, largest |x| / (2^(bits-1) - 1)."""
    top = 2 ** (bits - 1) - 1
    scale = x.abs().amax(-1, keepdim=True) / top
    scale = torch.where(scale > 0, scale, 1.0)
    return (x / scale).round_().clamp_(-top, top).mul_(scale)


def _affine(
    rows: Tensor, bits: int, kept: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Codes, scale (as it is kept) and zero point of rows, each of which has its own range."""
    top = 2**bits - 1
    low = rows.amin(-1, keepdim=True).clamp_(max=0)
    high = rows.amax(-1, keepdim=True).clamp_(min=0)
    scale = kept((high - low) / top)
    zero = (-low / scale).round_().clamp_(0, top)
    codes = (rows / scale).round_().add_(zero).clamp_(0, top)
    return codes, scale, zero


def _stored(scale: Tensor) -> Tensor:
    """A scale as 16 bits hold it."""
    return scale.half().float().clamp_(min=_LEAST)
