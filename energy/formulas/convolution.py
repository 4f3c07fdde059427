"""How many products a convolution makes of each entry of its input, borders included."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.int64]


class Convolution(NamedTuple):
    """The shape of a convolution in 1 to 3 dimensions; sequences have one number for each."""

    size: tuple[int, ...]  #: of the input, without batch and channels
    out: tuple[int, ...]  #: of the output, likewise
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    inputs: int  #: channels of the input that each output channel sees
    outputs: int  #: channels of the output that each input channel reaches
    groups: int = 1
    transposed: bool = False

    @property
    def taps(self) -> Sequence[Map]:
        """Products of an input position with kernel positions, for each dimension by itself."""
        return _all_taps(self)

    def reached(self, events: Map, *, padded: bool = False) -> int:
        """The accumulates of so many events at each position of the input; see `fan_out`."""
        if padded:
            return int(events.sum()) * int(self.fan_out(padded=True).flat[0])
        found = events
        for taps in reversed(self.taps):  # how far events reach is a product over dimensions
            found = found @ taps
        return int(found) * self.outputs

    def fan_out(self, *, padded: bool = False) -> Map:
        """Accumulators that an event at each position of the input reaches, in all channels.

        A product with the border, which the padding made, is none. With `padded`, every event
        reaches ceil(k / s) accumulators in each dimension, wherever it is (Lemaire et al., "An
        Analytical Estimation of Spiking Neural Networks Energy Efficiency", ICONIP 2022,
        arXiv 2210.13107, equation 1.4).
        """
        if padded and not self.transposed:
            reach = [ceil(k / s) for k, s in zip(self.kernel, self.stride, strict=True)]
            return np.full(self.size, prod(reach) * self.outputs)
        if padded:
            return np.full(self.size, prod(self.kernel) * self.outputs)
        found = np.full((), self.outputs, np.int64)
        for taps in self.taps:
            found = found[..., None] * taps
        return found

    def macs(self, batch: int, *, padded: bool = False) -> int:
        """Products of all inputs of a batch with weights; with `padded`, those with zeros too."""
        channels = self.inputs * self.groups
        if not padded:
            return batch * channels * self.outputs * _inside(self)
        positions = self.size if self.transposed else self.out
        return batch * channels * self.outputs * prod(positions) * prod(self.kernel)


@lru_cache(maxsize=4096)
def _all_taps(shape: Convolution) -> Sequence[Map]:
    each = shape.size, shape.out, shape.kernel, shape.stride, shape.padding, shape.dilation
    return [_taps(shape.transposed, *row) for row in zip(*each, strict=True)]


@lru_cache(maxsize=4096)
def _inside(shape: Convolution) -> int:
    """Products of one pair of channels that are none with the border."""
    return prod(int(x.sum()) for x in shape.taps)


@lru_cache(maxsize=4096)
def _taps(
    transposed: bool, size: int, out: int, kernel: int, stride: int, padding: int, dilation: int
) -> Map:
    """For each position of one side how many products with the other it takes part in."""
    large, small = (out, size) if transposed else (size, out)
    reached = np.arange(small)[:, None] * stride - padding + np.arange(kernel) * dilation
    inside = (reached >= 0) & (reached < large)
    if transposed:
        return np.asarray(inside.sum(1))
    return np.bincount(reached[inside], minlength=large)


def whole(numbers: Sequence[int], dimensions: int) -> tuple[int, ...]:
    """One number for each dimension, where one may stand for all."""
    return tuple(numbers) * (dimensions if len(numbers) == 1 else 1)
