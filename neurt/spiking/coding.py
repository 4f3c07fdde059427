"""Analog values to time steps and back."""

from __future__ import annotations

from torch import Tensor


def repeat_over_time(x: Tensor, timesteps: int) -> Tensor:
    """Direct coding: the same analog input in each time step, (...) -> (T, ...), without a copy."""
    return x.unsqueeze(0).expand(timesteps, *x.shape)


def mean_over_time(x: Tensor) -> Tensor:
    """Readout: the mean of the time steps, (T, ...) -> (...)."""
    return x.mean(0)
