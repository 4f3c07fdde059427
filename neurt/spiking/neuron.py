"""Spiking neurons over time, with thresholds per channel that are calibrated on what they see.

Shapes: T time steps, then anything, then C channels: (T, ..., C). Thresholds have shape (C,).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from energy import Levels, Tally, count_events, tally_call
from energy.formulas import Conventions, neurons
from energy.formulas.arithmetic import ARITHMETIC, Arithmetic
from energy.meter.awaited import whole
from hwmodels.errors import UserError
from neurt.spiking.fused import Call, leaky, region, run
from neurt.spiking.precision import wide
from neurt.spiking.surrogate import lif_over_time, spike
from neurt.spiking.unseen import unseen


class NeuronError(UserError, ValueError):
    """A neuron was given something it cannot integrate."""


def lif_step(
    v: Tensor, x: Tensor, threshold: Tensor, tau: float, alpha: float
) -> tuple[Tensor, Tensor]:
    """One step of a leaky integrate-and-fire neuron with decaying input and soft reset.

    v <- v + (x - v) / tau;  s = [v >= threshold];  v <- v - s threshold.

    The reset is detached from the gradient (Zenke and Vogels 2021).

    Args:
        v: Membrane potential before the step.
        x: Input current.
        threshold: Firing threshold, broadcast over channels.
        tau: Membrane time constant in time steps, > 1.
        alpha: Sharpness of the surrogate gradient.

    Returns:
        Spikes (0 or 1), and the membrane potential after the reset.
    """
    v = v + (x - v) / tau
    s = spike(v - threshold, alpha)
    return s, v - s.detach() * threshold


def repeat_over_time(x: Tensor, timesteps: int) -> Tensor:
    """Direct coding: the same analog input in each time step, (...) -> (T, ...), without a copy."""
    return x.unsqueeze(0).expand(timesteps, *x.shape)


def ordered(values: Tensor) -> Tensor:
    """Sorted along the first dimension."""
    if values.device.type != "cpu" or values.dtype is torch.bfloat16:
        return values.sort(dim=0).values
    return torch.from_numpy(np.sort(values.T.contiguous().numpy())).T  # ten times as fast


def all_finite(values: Tensor) -> bool:
    """Whether none is NaN or infinite: their sum tells at once, unless finite ones overflow it."""
    return bool(values.detach().sum().isfinite()) or bool(values.isfinite().all())


def check_given(name: str, values: Tensor) -> None:
    """Raise NeuronError, which names the layer, if it is given what is not finite."""
    if not all_finite(values):
        raise NeuronError(
            f"layer '{name}' was given a value that is not finite while its thresholds "
            "were calibrated; check the weights for NaN and for values that overflow"
        )


class SpikingNeuron(nn.Module):
    """A layer of neurons over time.

    Args:
        channels: Number of channels C.
        quantile: Where calibration puts the threshold: this quantile of |input| per channel.
        alpha: Sharpness of the surrogate gradient, in units of the threshold.

    Attributes:
        threshold: Firing threshold per channel, (C,), in FP32 in a model of any precision; 1 until
            calibrated. A parameter, so that it can be trained, but frozen unless somebody does.
        fused: Whether all time steps run as one compiled kernel (`neurt.spiking.fused`).
        activity: Events per input value of the last pass, as a differentiable scalar; kept only
            while `watched`.
        active: Share of its input values with any event, likewise.
    """

    levels = Levels.BINARY
    #: what its steps are made of; a neuron that does not say is taken for a leaky one
    arithmetic: Arithmetic = ARITHMETIC["LIF"]
    bounded = False  #: whether the largest value of a row bounds its dead zone
    zones = 1  #: thresholds of each channel
    #: Takes the place of a code while it is measured what the loss feels of an error in it.
    stand_in: Callable[[Tensor], Tensor] | None = None

    def __init__(self, channels: int, *, quantile: float | None, alpha: float) -> None:
        super().__init__()
        self.channels = channels
        self.quantile = quantile
        self.alpha = alpha
        self.threshold = nn.Parameter(torch.ones(channels), requires_grad=False)
        self.watched = False
        self.fused = False
        self.activity: Tensor | None = None
        self.active: Tensor | None = None
        self.calibrations = -1  #: inputs seen while calibrating; -1 when not calibrating
        self.name = type(self).__name__  #: dotted name while calibrating, for error messages

    def extra_repr(self) -> str:
        """Arguments for `repr`."""
        return f"{self.channels}, quantile={self.quantile}"

    def alone(self, x: Tensor, *receivers: nn.Module) -> bool:
        """Whether those who receive what is made of x may ask for less than its events."""
        busy = self.watched or self.calibrations >= 0 or self.stand_in is not None
        split = any(getattr(each, "unfolded", False) for each in receivers)
        return not busy and not split and x.dtype is torch.float32 and unseen(self, *receivers)

    def find_threshold(self, samples: Tensor) -> Tensor:
        """Thresholds (C,) for samples (n, C) of the input: a quantile of what is not zero.

        A current of no spikes at all is common, and a threshold of zero would make spikes that
        are worth nothing. A channel that is always silent gets the median of the others.
        """
        assert self.quantile is not None
        sizes = ordered(samples.abs())
        silent = (sizes == 0).sum(0)
        heard = len(samples) - silent
        rank = silent + (self.quantile * heard).round().to(torch.int64).clamp(min=1)
        threshold = sizes.gather(0, (rank - 1).clamp(max=len(samples) - 1).unsqueeze(0))[0]
        usual = threshold[heard > 0].median() if bool((heard > 0).any()) else threshold.new_ones(())
        return torch.where(heard > 0, threshold, usual)

    @torch.no_grad()
    def calibrate(self, x: Tensor) -> None:
        """Move the threshold to the mean of `find_threshold`; NeuronError if x is not finite."""
        samples = wide(x.detach().reshape(-1, self.channels))
        if self.channels == 1:  # attention weights: what the mask hides says nothing
            samples = samples[samples != 0].unsqueeze(-1)
        if not len(samples):  # nothing to go by
            return
        check_given(self.name, samples)
        threshold = self.find_threshold(samples).to(self.threshold.dtype)
        # A channel that is silent in the text still needs a threshold it can divide by.
        threshold = threshold.clamp(min=torch.finfo(threshold.dtype).tiny ** 0.5)
        seen = self.calibrations
        mean = threshold if seen == 0 else (self.threshold * seen + threshold) / (seen + 1)
        self.threshold.copy_(mean)
        self.calibrations = seen + 1


class LIF(SpikingNeuron):
    """Leaky integrate-and-fire neurons with binary spikes; see `lif_step`."""

    def __init__(self, channels: int, *, quantile: float, alpha: float, tau: float) -> None:
        super().__init__(channels, quantile=quantile, alpha=alpha)
        self.tau = tau

    def forward(self, x: Tensor) -> Tensor:
        """Spikes (T, ..., C) of input currents (T, ..., C), from a membrane potential of zero."""
        if self.calibrations >= 0:
            self.calibrate(x)
        currents = wide(x)
        threshold = self.threshold.to(currents.dtype)
        spikes = None
        if self.fused and not torch.is_grad_enabled() and currents.dtype is torch.float32:
            spikes = run(Call(region(leaky), ((currents,), (threshold, self.tau), None)))
        if spikes is None:
            spikes = lif_over_time(currents, threshold, self.tau, self.alpha)
        spikes = spikes.to(x.dtype)
        if self.watched:
            self.activity = spikes.mean() * len(x)
            self.active = spikes.amax(0).mean()
        return spikes


@contextmanager
def calibrating(model: nn.Module) -> Iterator[None]:
    """Inside the block, each neuron sets its threshold from its input before it fires.

    Since neurons run in the order of the network, each is calibrated on the spikes that the
    calibrated ones before it really send.
    """
    layers = []
    for name, module in model.named_modules():
        if isinstance(module, SpikingNeuron):
            module.calibrations, module.name = 0, name or module.name
            layers.append(module)
    try:
        yield
    finally:
        for layer in layers:
            layer.calibrations = -1


@tally_call.register(LIF)
def tally_neurons(
    layer: SpikingNeuron, name: str, args: Any, out: Tensor, conventions: Conventions
) -> dict[str, Tally]:
    """Count one call of a layer of neurons, from the spikes (T, ..., C) that it sent."""
    x: Tensor = args[0]
    events, values = count_events(out, layer.levels, name), out.numel() // len(out)
    steps = out.numel()
    if layer.arithmetic.stops:  # at the first silent step, which there is unless the last one fires
        steps = values + events - whole(torch.count_nonzero(out[-1]))
    repeated = x.dim() == out.dim() and x.stride(0) == 0  # the same current in each time step
    return {
        "": neurons(
            out.numel(),
            events,
            layer.channels * layer.zones,
            inputs=x.numel() // len(x) if repeated else x.numel(),
            levels=layer.levels,
            vector=out.shape[-1],
            arithmetic=layer.arithmetic.ops(
                values, steps, values // out.shape[-1] if layer.bounded else 0
            ),
        )
    }
