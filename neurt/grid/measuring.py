"""Measure one run for `reproduce`, and say beforehand how much memory that takes."""

from __future__ import annotations

import os
from typing import NamedTuple

from energy import Counts
from hwmodels.errors import UserError
from neurt.families import Shape, family_of
from neurt.families.parameters import layer_parameters
from neurt.progress import Progress
from neurt.requests.evaluate import EvaluateRequest
from neurt.requests.passes import ProfileRequest
from neurt.spiking.config import DeadZone

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
    longest = _longest(shape, point.seq_len)
    held = _read(shape, longest, 1, point.spiking.timesteps)
    return _IDLE_BYTES + 4 * (_parameters(shape) + held)


def evaluation_bytes(shape: Shape, point: EvaluateRequest) -> int:
    """Memory that the process of an evaluation takes at most, from sizes alone.

    As `peak_bytes`, with as many windows as are read at a time, and what both models have between
    their layers: the residual stream and what two blocks add to it. Dead zones by loss need a
    backward pass over the calibration text before, through all that its layers keep for it.
    """
    window, _ = point.windows(shape.span)
    longest, spiking = _longest(shape, window), point.spiking
    between = 2 * (3 * shape.layers + 1) * window * point.batch * shape.width
    held = _read(shape, longest, point.batch, spiking.timesteps) + between
    if spiking.resolved(trained=point.weights != "random").dead_zone is DeadZone.LOSS:
        kept = 10 * shape.width + 4 * shape.inner + 2 * shape.heads * longest
        held = max(held, longest * (shape.layers * kept + 5 * shape.vocabulary))
    return _IDLE_BYTES + 4 * (_parameters(shape) + held)


def _longest(shape: Shape, tokens: int) -> int:
    """Tokens of the longest sequence: of the text, or of the calibration."""
    return max(tokens, min(shape.span, 128))


def _parameters(shape: Shape) -> int:
    """Parameters, and what of an embedding is there twice while they are made."""
    family = family_of(shape.model_type)
    learned_positions = shape.positions if family.angles is None else 0
    embeddings = ((2 if shape.tied else 3) * shape.vocabulary + learned_positions) * shape.width
    return embeddings + sum(layer_parameters(shape, kind) for kind in shape.each)


def _read(shape: Shape, tokens: int, sequences: int, steps: int) -> int:
    """Numbers that a pass over so many sequences of so many tokens holds at a time."""
    each = 3 * shape.vocabulary + 4 * steps * shape.inner + 3 * steps * shape.heads * tokens
    return sequences * tokens * each


#: Of a process that has imported everything and run a tiny model, and some room.
_IDLE_BYTES = 640 * 2**20


def memory_bytes() -> int:
    """Memory of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
