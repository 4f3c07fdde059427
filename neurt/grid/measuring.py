"""Measure one run for `reproduce`, and say beforehand how much memory that takes."""

from __future__ import annotations

import os
from typing import NamedTuple

from energy import Counts
from hwmodels.errors import UserError
from neurt.families import Shape, family_of
from neurt.families.parameters import layer_parameters
from neurt.progress import Progress
from neurt.requests.passes import ProfileRequest

GIB = 2**30

#: What a measured run does, one after the other.
STAGES = ("loading the model", "converting", "counting")


class Measurement(NamedTuple):
    """Counts of a run, and what it said meanwhile."""

    asa: Counts
    ssa: Counts
    said: tuple[str, ...] = ()


def measure(point: ProfileRequest, threads: int | None, progress: Progress) -> Measurement | str:
    """Measure one run with so many threads, None for torch's own choice.

    An error that explains itself comes back as its text.
    """
    import torch

    from neurt.measure.profiling import run_profile

    if threads is not None:
        torch.set_num_threads(threads)
    said: list[str] = []
    try:
        run = run_profile(point, progress, said.append)
    except UserError as error:
        return str(error)
    return Measurement(run.asa, run.ssa, tuple(said))


def peak_bytes(shape: Shape, point: ProfileRequest) -> int:
    """Memory that the process of a run takes at most, from sizes alone.

    Parameters, and an embedding more while random ones are made; logits as they are and twice as
    they are compared; the two largest operands of a layer over all time steps: the hidden layer of
    the feed-forward block, and the pairs of attention. A benchmark compares it with measured peaks.
    """
    width, inner, tokens = shape.width, shape.inner, point.seq_len
    family = family_of(shape.model_type)
    learned_positions = shape.positions if family.angles is None else 0
    embeddings = ((2 if shape.tied else 3) * shape.vocabulary + learned_positions) * width
    longest = max(tokens, min(shape.span, 128))  # of the calibration text
    steps = point.spiking.timesteps
    values = (
        embeddings
        + sum(layer_parameters(shape, kind) for kind in shape.each)
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
