"""Measure one run for `reproduce`, and say beforehand how much memory that takes."""

from __future__ import annotations

import os
from typing import NamedTuple

from energy import Counts
from hwmodels.errors import UserError
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


def memory_bytes() -> int:
    """Memory of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
