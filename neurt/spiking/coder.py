"""Coders: an analog value becomes events over T time steps.

A coder sends events (T, ..., C) of an analog input (..., C). The value they stand for is
`events.sum(0) * coder.scale`; the scale is per channel and constant, so it belongs to the weights
of the layer that receives the events.

For training, each coder passes the gradient of the coded value straight through to the input
(Bengio et al. 2013), and lets it reach the threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from energy import Levels, tally_call
from neurt.spiking.fused import Call, run
from neurt.spiking.neuron import SpikingNeuron, ordered, tally_neurons
from neurt.spiking.precision import wide

#: Factors of the largest input that are tried for the threshold with the least squared error.
CANDIDATES = tuple(2 ** (-step / 2) for step in range(17))


class Firing(NamedTuple):
    """What a coder made of its input."""

    events: Tensor  #: (T, ..., C)
    per_value: Tensor  #: events per value of the input
    active: Tensor  #: share of these values with any event


class Coder(SpikingNeuron):
    """A layer of neurons, each of which codes one analog value.

    Args:
        quantile: Calibration puts the full range at this quantile of |input| per channel; None
            for the range with the least squared error.
        factor: Factor on the calibrated threshold.
    """

    #: Whether the value is the mean over time of the events; otherwise their sum.
    averages = True
    #: Shape in which the thresholds meet the input, where channels are not its last dimension.
    arranged: tuple[int, ...] | None = None
    #: Takes the place of the code while it is measured what the loss feels of an error in it.
    stand_in: Callable[[Tensor], Tensor] | None = None

    def __init__(
        self,
        channels: int,
        timesteps: int,
        *,
        quantile: float | None,
        factor: float = 1.0,
        alpha: float = 2.0,
    ) -> None:
        super().__init__(channels, quantile=quantile, alpha=alpha)
        self.timesteps = timesteps
        self.factor = factor

    @property
    def scale(self) -> Tensor | None:
        """What one unit in the sum of the events is worth, (C,); None for 1."""
        return self.threshold / self.timesteps if self.averages else self.threshold

    @property
    def range_in_thresholds(self) -> float:
        """The largest value that can be coded, in thresholds."""
        raise NotImplementedError

    def encode(self, x: Tensor, threshold: Tensor) -> Tensor:
        """Events (T, ..., C) of an input (..., C)."""
        raise NotImplementedError

    def kernel(self, x: Tensor, threshold: Tensor) -> Call | None:
        """What gives the events of `encode` in one kernel; None for codes without one."""
        return None

    def encoded(self, x: Tensor, threshold: Tensor) -> Tensor:
        """Events (T, ..., C) of an input (..., C), in one kernel if they are `fused`."""
        call = self.kernel(x, threshold) if self.fused and x.dtype is torch.float32 else None
        events = None if call is None else run(call)
        return self.encode(x, threshold) if events is None else events

    def forward(self, x: Tensor) -> Tensor:
        """Code an analog input (..., C) as events (T, ..., C) of its precision, made in FP32."""
        if self.stand_in is not None:
            return self.stand_in(x)
        return self._coded(wide(x)).to(x.dtype)

    def _coded(self, x: Tensor) -> Tensor:
        if self.calibrations >= 0:
            self.calibrate(x)
        threshold = self.threshold.to(x.dtype)
        threshold = threshold if self.arranged is None else threshold.view(self.arranged)
        if not torch.is_grad_enabled():
            events = self.encoded(x, threshold)
            if self.levels is not Levels.ANALOG:
                # A comparison with NaN is false, and so would be silence: let it pass on.
                events[-1].add_(x, alpha=0)
            if self.watched:
                self._keep(self._measured(events))
            return events
        if threshold.requires_grad:  # some tensors for each time step: made again when needed
            coded: Firing = checkpoint(
                self.encode_differentiably,
                x.detach(),
                threshold,
                use_reentrant=False,
                preserve_rng_state=False,
            )
        else:
            coded = self._measured(self.encoded(x.detach(), threshold))
        if self.watched:
            self._keep(coded)
        # Zero in the forward pass; in the backward pass the sum of the events is x / scale.
        units = x if self.scale is None else x / self.scale
        return torch.cat([coded.events[:1] + (units - units.detach()), coded.events[1:]])

    def encode_differentiably(self, x: Tensor, threshold: Tensor) -> Firing:
        """Code a detached x, with a gradient to the threshold.

        The number of events, and the share of values with any, have the gradient of
        log2(1 + |x| / threshold): a value of twice the size needs a digit more.
        """
        made = self._measured(self.encoded(x, threshold.detach()))
        digits = torch.log2(1 + x.abs() / threshold).mean()
        slope = digits - digits.detach()
        return Firing(made.events, made.per_value + slope, made.active + slope)

    def _measured(self, events: Tensor) -> Firing:
        unit = self.levels in (Levels.TERNARY, Levels.BURST)
        fired = (events != 0).to(events.dtype)
        per_value = (events.abs() if unit else fired).sum(0).mean()
        return Firing(events, per_value, fired.amax(0).mean())

    def _keep(self, coded: Firing) -> None:
        if self.levels is not Levels.ANALOG:  # which has no events
            self.activity, self.active = coded.per_value, coded.active

    def decode(self, events: Tensor) -> Tensor:
        """The values (..., C) that events (T, ..., C) stand for."""
        total = events.sum(0)
        return total if self.scale is None else (total * self.scale).to(total.dtype)

    def find_threshold(self, samples: Tensor) -> Tensor:
        """Thresholds (C,) for samples (n, C) of the input."""
        if self.quantile is not None:
            rank = max(1, round(self.quantile * len(samples)))
            largest = ordered(samples.abs())[rank - 1] / self.range_in_thresholds
            return self.factor * largest
        largest = samples.abs().amax(0).clamp(min=torch.finfo(samples.dtype).tiny ** 0.5)
        best, least = largest, torch.full_like(largest, float("inf"))
        for candidate in CANDIDATES:
            threshold = largest * candidate / self.range_in_thresholds
            total = self.encoded(samples, threshold).sum(0) * threshold
            coded = total / self.timesteps if self.averages else total
            error = (coded - samples).square().sum(0)
            best = torch.where(error < least, threshold, best)
            least = torch.minimum(error, least)
        return self.factor * best


tally_call.register(Coder, tally_neurons)
