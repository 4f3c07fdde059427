"""Coders: an analog value becomes events over T time steps.

A coder sends events (T, ..., C) of an analog input (..., C). The value they stand for is
`events.sum(0) * coder.scale`; the scale is per channel and constant, so it belongs to the weights
of the layer that receives the events.

For training, each coder passes the gradient of the coded value straight through to the input
(Bengio et al. 2013), and lets it reach the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from energy import Levels, tally_call
from neurt.spiking.fused import Call, region, run
from neurt.spiking.neuron import SpikingNeuron, ordered, tally_neurons
from neurt.spiking.precision import wide
from neurt.spiking.unseen import Asked

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

    def total(self, x: Tensor, threshold: Tensor) -> Tensor:
        """The sum of the events (..., C) of an input (..., C)."""
        return self.encode(x, threshold).sum(0)

    def kernel(self, threshold: Tensor) -> Call | None:
        """Steps that give the events of `encode`, and what they are given besides the input.

        None for codes without them.
        """
        return None

    def encoded(self, x: Tensor, threshold: Tensor) -> Tensor:
        """Events (T, ..., C) of an input (..., C), in one kernel if they are `fused`."""
        events = self._in_one(threshold, (x,), Asked(summed=False))
        return self.encode(x, threshold) if events is None else events

    def _in_one(
        self, threshold: Tensor, operands: tuple[Tensor, ...], asked: Asked
    ) -> Tensor | None:
        """What is asked for in one kernel; None if there is none, or it is not to be used."""
        if not self.fused or any(each.dtype is not torch.float32 for each in operands):
            return None
        call = self.kernel(threshold)
        if call is None:
            return None
        kernel = region(call.kernel, asked.before, summed=asked.summed)
        made: Tensor | None = run(Call(kernel, (operands, call.args, asked.worth)))
        return made

    def forward(self, x: Tensor, asked: Asked | None = None) -> Tensor:
        """Code an analog input (..., C) as events (T, ..., C) of its precision, made in FP32."""
        if asked is not None:
            return self._unseen(x, asked)
        if self.stand_in is not None:
            return self.stand_in(x)
        return self._coded(wide(x)).to(x.dtype)

    def send(
        self,
        x: Tensor,
        receivers: Sequence[Any],
        *,
        stepwise: bool = False,
        before: Callable[..., Tensor] | None = None,
        operands: tuple[Tensor, ...] = (),
        arranged: tuple[int, ...] | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Events of x for linear layers, and the scale that these are to give them.

        Args:
            receivers: The layers (`Synapse`).
            stepwise: They keep the time steps apart, so that each of them has the whole value, and
                not a share of it.
            before: Makes the values to be coded of x and `operands`.
            arranged: See `Asked`; only if the coder is `alone`.
        """
        if self.alone(x, *receivers):
            scale = self.threshold if stepwise else self.scale
            summed = all(layer.accumulate for layer in receivers)
            rows = x.numel() // self.channels * (1 if summed else self.timesteps)
            few = all(rows < layer.fan_out_weight.shape[1] for layer in receivers)
            worth = scale if few else None  # as they would choose the smaller factor
            events = self(x, Asked(before, operands, summed, worth, arranged))
            return events, None if few else scale
        events = self(x if before is None else before(x, *operands))
        # Not before: while it is calibrated, that line moves the threshold.
        return events, self.threshold if stepwise else self.scale

    def _unseen(self, x: Tensor, asked: Asked) -> Tensor:
        """What is asked for, (1, ..., C) or (T, ..., C), of an input in FP32."""
        threshold, worth = self.threshold.to(x.dtype), asked.worth
        arranged = self.arranged if asked.arranged is None else asked.arranged
        if arranged is not None:
            threshold = threshold.view(arranged)
            worth = None if worth is None else worth.view(arranged)
        operands = (x, *asked.operands)
        made = self._in_one(threshold, operands, asked._replace(worth=worth))
        if made is not None:
            return made
        x = x if asked.before is None else asked.before(*operands)
        if asked.summed:
            events = self.total(x, threshold).unsqueeze(0)
        else:
            events = self.encode(x, threshold)
        if self.levels is not Levels.ANALOG:
            events[-1].add_(x, alpha=0)  # as in `_coded`
        return events if worth is None else events.mul_(worth)

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
