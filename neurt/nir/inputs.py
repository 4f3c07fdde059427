"""What a network is given: random spikes of a rate, or recorded events."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from tokenize import TokenError

import numpy as np
import torch
from torch import Tensor

from energy.counts import Levels
from hwmodels.inputs import check_file
from hwmodels.plain import quoted, shortened
from neurt.nir.exporter import INPUT_RATE, TIMESTEPS
from neurt.nir.graph import NIRError

#: What numpy raises for a header that is none, or a file that is not as long as it says.
_UNREADABLE = (
    *(ValueError, OSError, EOFError, SyntaxError, TokenError, struct.error),
    *(TypeError, OverflowError, RecursionError),
)


def random_spikes(
    shapes: Mapping[str, tuple[int, ...]],
    *,
    timesteps: int = TIMESTEPS,
    samples: int = 1,
    rate: float = INPUT_RATE,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Spikes that each input sends in each time step by chance (a Bernoulli process).

    Args:
        shapes: The shape of a sample in one time step, by Input node.
        timesteps: Number of time steps T.
        samples: Number of samples B.
        rate: The probability of a spike in a time step, 0 .. 1. Steps are short beside 1 / rate in
            a Poisson process, which this is then too.
        seed: Of the generator; the same seed gives the same spikes.

    Returns:
        0 and 1, (T, B, ...), by Input node.

    Raises:
        NIRError: If the rate is no probability.
    """
    if not 0 <= rate <= 1:
        raise NIRError(
            f"an input rate of {rate} makes no sense; it is spikes per time step, 0 to 1"
        )
    chance = torch.Generator().manual_seed(seed)
    return {
        name: (torch.rand(timesteps, samples, *shape, generator=chance) < rate).to(
            torch.get_default_dtype()
        )
        for name, shape in shapes.items()
    }


def read_events(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    timesteps: int | None = None,
    limit_bytes: int | None = None,
) -> dict[str, Tensor]:
    """Recorded input from a `.npy` file; nothing in it is run, and its size is looked at first.

    Args:
        path: The file, of numbers: (T, ...) of one sample or (T, B, ...) of several.
        shapes: The shape of a sample in one time step, by Input node.
        timesteps: How many time steps it must have; None for as many as it has.
        limit_bytes: The most that it may take in memory; None for no limit.

    Raises:
        NIRError: If it is missing, truncated, no `.npy` file or one of objects, does not fit the
            input or the time steps, holds what is not finite, or the network has several inputs.
    """
    called = f"input file '{path}'"
    if len(shapes) != 1:
        raise NIRError(
            f"{called} is one input, and the network has {len(shapes)} "
            f"({', '.join(map(shortened, shapes))}); use --input-rate"
        )
    [(name, shape)] = shapes.items()
    check_file(path, called, NIRError, None)
    try:
        # A map of the file: it is checked against the header, and refused if it holds objects.
        events = np.lib.format.open_memmap(path, mode="r")
    except _UNREADABLE as bad:
        fault = shortened(" ".join(str(bad).split()))
        raise NIRError(
            f"{called} is cut short, or no .npy file of numbers ({fault}); write it with numpy.save"
        ) from bad
    if events.dtype.kind not in "biuf":
        raise NIRError(f"{called} holds {quoted(str(events.dtype))}, and must hold numbers")
    sample = events.shape[2:] if events.ndim == len(shape) + 2 else events.shape[1:]
    if sample != shape or not events.size:
        expected = ", ".join(map(str, shape))
        raise NIRError(
            f"{called} is of the shape {events.shape}; for this network it must be (time steps, "
            f"{expected}), or (time steps, samples, {expected})"
        )
    if timesteps not in (None, len(events)):
        raise NIRError(
            f"{called} has {len(events):,} time steps, and --timesteps says {timesteps:,}; leave "
            "--timesteps out, or cut the file"
        )
    if limit_bytes is not None and 4 * events.size > limit_bytes:
        raise NIRError(
            f"{called} takes {4 * events.size:,} bytes in single precision, and {limit_bytes:,} "
            "bytes of memory are free; give fewer time steps or samples"
        )
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        values = torch.from_numpy(events.astype(np.float32))
    if not bool(values.isfinite().all()):
        raise NIRError(f"{called} holds a value that is not finite; write it again")
    samples = prod(events.shape) // (len(events) * prod(shape))
    values = values.reshape(len(events), samples, *shape)
    return {name: values.to(torch.get_default_dtype())}


def levels_of(values: Tensor) -> Levels:
    """What an input holds: spikes (0 and 1), signed spikes, or analog values."""
    if bool(((values == 0) | (values == 1)).all()):
        return Levels.BINARY
    ternary = bool(((values == 0) | (values.abs() == 1)).all())
    return Levels.TERNARY if ternary else Levels.ANALOG
