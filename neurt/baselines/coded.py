"""The spiking model with analog values in the place of its events: its zones, or fewer bits.

Each coder of the spiking model is replaced while a block runs by a function of the value that it
would have coded. So silence, rounding and normalisation are where the events are: inputs of linear
layers, Q, softmax weights, and K and V where they are streamed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor

from energy import Levels
from neurt.baselines.asked import BaselineError
from neurt.baselines.rounding import affine, least_squares
from neurt.spiking.coder import Coder
from neurt.spiking.modeling import SpikingLanguageModel


@contextmanager
def coded_as(
    model: SpikingLanguageModel, value: Callable[[Coder, Tensor], Tensor]
) -> Iterator[None]:
    """Inside the block, coders pass on a function of their input as their only event.

    A coder whose events are analog stays as it is.
    """
    coders = [
        module
        for module in model.modules()
        if isinstance(module, Coder) and module.levels is not Levels.ANALOG
    ]
    try:
        for coder in coders:
            coder.stand_in = partial(_stand_in, coder, value)
        yield
    finally:
        for coder in coders:
            coder.stand_in = None


def _stand_in(coder: Coder, value: Callable[[Coder, Tensor], Tensor], x: Tensor) -> Tensor:
    new = value(coder, x)
    return (new if coder.scale is None else new / coder.scale).unsqueeze(0)


def zoned(coder: Coder, x: Tensor, *, factor: float = 1.0) -> Tensor:
    """The value where the coder would send an event at so many times its threshold, else zero."""
    threshold = coder.threshold * factor
    if coder.arranged is not None:
        threshold = threshold.view(coder.arranged)
    return x.masked_fill((coder.encode(x, threshold) == 0).all(0), 0)


class Narrow:
    """Values rounded to so many bits, in ranges with the least squared error on calibration text.

    A channel has a range of its own, constant as the threshold of its coder is, so that its scale
    belongs to the weights behind it. Softmax weights, of which each row has a size of its own, are
    rounded in the range of their row.
    """

    def __init__(self, model: SpikingLanguageModel, windows: Sequence[Tensor], bits: int) -> None:
        self.bits = bits
        self._ranges: dict[Coder, tuple[Tensor, Tensor]] = {}
        if not windows:
            raise BaselineError(f"ranges of 'twin={bits}' are found on text: give a window")
        with torch.no_grad(), coded_as(model, self._find):
            model(input_ids=torch.cat(tuple(windows)), use_cache=False)

    def _find(self, coder: Coder, x: Tensor) -> Tensor:
        """Find the range of each channel; its values pass on unchanged."""
        if coder.channels > 1 and coder.arranged is None:
            self._ranges[coder] = least_squares(x.flatten(0, -2), self.bits)
        return x

    def __call__(self, coder: Coder, x: Tensor) -> Tensor:
        """The value of a coder, rounded."""
        if coder not in self._ranges:
            return affine(x, self.bits)
        scale, low = self._ranges[coder]
        return ((x - low) / scale).round_().clamp_(0, 2**self.bits - 1).mul_(scale).add_(low)
