"""The codes that a conversion may ask for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from energy import Levels, Tally, tally_call
from energy.formulas import Conventions
from energy.formulas.arithmetic import ARITHMETIC
from neurt.spiking import fused
from neurt.spiking.coder import Coder
from neurt.spiking.config import Calibrate, Coded, SpikingConfig
from neurt.spiking.fused import Call
from neurt.spiking.pow2 import PowerOfTwo, power_below_


class SignedIF(Coder):
    """Unit spikes of either sign, fired at half the threshold.

    v <- v + x;  s = [v >= threshold / 2] - [v <= -threshold / 2];  v <- v - s threshold.

    |x| <= threshold leaves |v| <= threshold / 2 after each step, so T steps emit
    round(T x / threshold) spikes: the mean of s threshold is x to within threshold / (2 T).
    """

    levels = Levels.TERNARY
    arithmetic = ARITHMETIC["SignedIF"]
    range_in_thresholds = 1.0  # a spike in every time step

    def kernel(self, threshold: Tensor) -> Call:
        """See `Coder.kernel`."""
        return Call(fused.signed_if, (threshold, self.timesteps))

    def encode(self, x: Tensor, threshold: Tensor) -> Tensor:
        """Integrate the constant input x from a membrane potential of zero."""
        events = x.new_empty(self.timesteps, *x.shape)
        self._integrate(x, threshold, events)
        return events

    def total(self, x: Tensor, threshold: Tensor) -> Tensor:
        """The spikes of all steps in the room of one."""
        total, spare = torch.zeros_like(x), torch.empty_like(x)
        self._integrate(x, threshold, [spare] * self.timesteps, total)
        return total

    def _integrate(
        self, x: Tensor, threshold: Tensor, events: Iterable[Tensor], total: Tensor | None = None
    ) -> None:
        half, negative = threshold / 2, torch.empty_like(x)
        below, v = -half, None
        for event in events:
            v = x.clone() if v is None else v.add_(x)
            torch.ge(v, half, out=event)
            event.sub_(torch.le(v, below, out=negative))
            v.addcmul_(event, threshold, value=-1)
            if total is not None:
                total.add_(event)


class Burst(Coder):
    """Up to 7 unit spikes of either sign in one time step (Li and Zeng, burst spikes, 2022).

    v <- v + x;  n = clamp(round(v / threshold), -7, 7);  v <- v - n threshold.
    """

    levels = Levels.BURST
    arithmetic = ARITHMETIC["Burst"]
    range_in_thresholds = 7.0  # so many units in every time step

    def kernel(self, threshold: Tensor) -> Call:
        """See `Coder.kernel`."""
        return Call(fused.burst, (threshold, self.timesteps, self.range_in_thresholds))

    def encode(self, x: Tensor, threshold: Tensor) -> Tensor:
        """Integrate the constant input x / threshold."""
        units = x / threshold
        events, v = x.new_empty(self.timesteps, *x.shape), torch.zeros_like(units)
        for event in events:
            v.add_(units)
            torch.round(v, out=event).clamp_(-self.range_in_thresholds, self.range_in_thresholds)
            v.sub_(event)
        return events


class MultiThreshold(Coder):
    """Thresholds 2^k x threshold for k = 0 .. 7 of either sign, at most one event per step.

    Huang et al., "Towards High-performance Spiking Transformers from ANN to SNN Conversion" (ECMT),
    ACM MM 2024: v <- v + x; the largest k with |v| >= (2^k - 1/2) threshold fires; v loses it.
    """

    levels = Levels.POWER
    arithmetic = ARITHMETIC["MultiThreshold"]
    range_in_thresholds = 2.0**7  # the largest threshold, in every time step

    def find_threshold(self, samples: Tensor) -> Tensor:
        """The largest |input| of each channel fires the largest threshold."""
        if self.quantile is None:
            return super().find_threshold(samples)
        return self.factor * samples.abs().amax(0) / self.range_in_thresholds

    def kernel(self, threshold: Tensor) -> Call:
        """See `Coder.kernel`."""
        return Call(fused.multi_threshold, (threshold, self.timesteps, self.range_in_thresholds))

    def encode(self, x: Tensor, threshold: Tensor) -> Tensor:
        """Integrate the constant input x / threshold."""
        units = x / threshold
        events, v = x.new_empty(self.timesteps, *x.shape), torch.zeros_like(units)
        fires = torch.empty_like(units)
        for event in events:
            v.add_(units)
            power_below_(torch.add(v.abs(), 0.5, out=event)).clamp_(max=self.range_in_thresholds)
            event.mul_(torch.ge(event, 1, out=fires)).copysign_(v)
            v.sub_(event)
        return events


class SuccessiveApproximation(Coder):
    """Sign and magnitude, one binary digit per time step, in one of two ranges.

    After the FS neuron (Stöckl and Maass 2021) and the outlier-aware threshold of LAS (Chen et al.
    2025): |x| <= the low range is coded in T bits of it; a larger |x| in T bits of a range that is
    16 times as wide. The threshold is the smallest event of the low range.
    """

    levels = Levels.POWER
    arithmetic = ARITHMETIC["SuccessiveApproximation"]
    averages = False
    widening = 16.0

    @property
    def range_in_thresholds(self) -> float:
        """The low range: calibration makes it hold all but the outliers."""
        return 2.0**self.timesteps - 1

    def encode(self, x: Tensor, threshold: Tensor) -> Tensor:
        """The digits of |x| / threshold, the largest first."""
        units, top = (x / threshold).abs(), self.range_in_thresholds
        unit = torch.where(units > top + 0.5, self.widening, 1.0).to(x.dtype).copysign(x)
        whole = (units / unit.abs()).round().clamp(max=top)
        out = []
        for step in reversed(range(self.timesteps)):
            digit = (whole >= 2.0**step).to(x.dtype) * 2.0**step
            whole = whole - digit
            out.append(digit * unit)
        return torch.stack(out)


class Exact(Coder):
    """No code at all: a T-th of the value in each time step, as an analog number.

    The control that separates errors of coding from errors of plumbing.
    """

    levels = Levels.ANALOG
    averages = False
    scale = None  # an analog number is worth its value

    def find_threshold(self, samples: Tensor) -> Tensor:
        """There is none; 1 stands for it."""
        return torch.ones_like(self.threshold)

    def encode(self, x: Tensor, threshold: Tensor) -> Tensor:
        """The value in T equal parts, of which the last takes what rounding leaves."""
        part = x / self.timesteps
        parts = [part] * (self.timesteps - 1)
        return torch.stack([*parts, x - sum(parts, torch.zeros_like(x))])


_KINDS = (SignedIF, Burst, MultiThreshold, SuccessiveApproximation, PowerOfTwo, Exact)
_CODERS: dict[str, type[Coder]] = {kind.__name__: kind for kind in _KINDS}


def make_coder(channels: int, spiking: SpikingConfig, coded: Coded) -> Coder:
    """The coder that a conversion asks for."""
    made = _CODERS[spiking.code_of(coded).kind](
        channels,
        spiking.timesteps,
        quantile=None if spiking.calibrate is Calibrate.MSE else spiking.input_quantile,
        factor=spiking.threshold_of(coded),
        alpha=spiking.surrogate_alpha,
    )
    if isinstance(made, PowerOfTwo):
        made.resolution = spiking.resolution_of(coded)
    return made


@tally_call.register
def _(
    layer: Exact, name: str, args: Any, out: Tensor, conventions: Conventions
) -> dict[str, Tally]:
    return {"": Tally()}  # it sends no events and compares nothing
