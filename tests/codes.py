"""Coders for tests of the codes, and what is given to them."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

from neurt.spiking.coder import Coder
from neurt.spiking.codes import make_coder
from neurt.spiking.config import Calibrate, Code, Coded, SpikingConfig

SPIKING = [code for code in Code if code is not Code.EXACT]
RANGED = [Code.SIGNED_IF, Code.BURST, Code.MULTI_THRESHOLD, Code.SAR]
LARGEST = 2.0**127  # a larger float32 has no power of two above it
HALF = Fraction(1, 2)
TIMESTEPS = [1, 2, 5, 16]


def coder(
    code: Code,
    timesteps: int,
    thresholds: list[float] | None = None,
    dtype: torch.dtype = torch.float32,
    channels: int = 1,
) -> Coder:
    made = make_coder(
        len(thresholds) if thresholds else channels,
        SpikingConfig(code=code, timesteps=timesteps, calibrate=Calibrate.MSE),
        Coded.FEEDFORWARD,
    )
    made.threshold.data = made.threshold.data.to(dtype)
    if thresholds:
        made.threshold.copy_(torch.tensor(thresholds, dtype=dtype))
    return made


def inputs(rows: int = 50, channels: int = 6, seed: int = 0) -> Tensor:
    wide = torch.tensor([1.0, 1.0, 3.0, 10.0, 0.1, 100.0])[:channels]
    return wide * torch.randn(rows, channels, generator=torch.Generator().manual_seed(seed))
