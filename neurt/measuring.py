"""Measure one run for `reproduce`, and say beforehand how much memory that takes."""

from __future__ import annotations

import os
from typing import NamedTuple

from energy import Counts
from neurt.gpt2 import GPT2Shape
from neurt.request import ProfileRequest
from neurt.side_by_side import Progress

GIB = 2**30

#: What a measured run does, one after the other.
STAGES = ("loading the model", "counting ASA", "converting", "counting SSA")


class Found(NamedTuple):
    """Counts of a run, and what it said meanwhile."""

    asa: Counts
    ssa: Counts
    said: tuple[str, ...] = ()


def measure(point: ProfileRequest, threads: int | None, progress: Progress) -> Found | str:
    """Measure one run; an error that explains itself comes back as its text.

    Args:
        point: What to measure.
        threads: Threads for torch to use; None to leave that as it is.
        progress: Told how far the work is.
    """
    import torch

    from neurt.explained import explained
    from neurt.profiling import run_profile

    if threads is not None:
        torch.set_num_threads(threads)
    said: list[str] = []
    try:
        run = run_profile(point, progress, said.append)
    except Exception as error:
        if not explained(error):
            raise
        return str(error)
    return Found(run.asa, run.ssa, tuple(said))


def peak_bytes(shape: GPT2Shape, point: ProfileRequest) -> int:
    """Memory that the process of a run takes at most, from sizes alone.

    Parameters, and an embedding more while random ones are made; logits as they are and twice as
    they are compared; the two largest operands of a layer over all time steps: the hidden layer of
    the feed-forward block, and the pairs of attention. A benchmark compares it with measured peaks.
    """
    width, inner, tokens = shape.width, shape.inner, point.seq_len
    per_layer = 4 * width * width + 2 * width * inner + 9 * width + inner
    embeddings = (2 * shape.vocabulary + shape.positions) * width
    longest = max(tokens, min(shape.positions, 128))  # of the calibration text
    steps = point.spiking.timesteps
    values = (
        embeddings
        + shape.layers * per_layer
        + 3 * longest * shape.vocabulary
        + 4 * steps * longest * inner
        + 3 * steps * shape.heads * longest * longest
    )
    return _IDLE_BYTES + 4 * values


#: Of a process that has imported everything and run a tiny model, and some room.
_IDLE_BYTES = 640 * 2**20


def memory_bytes() -> int:
    """Memory of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
