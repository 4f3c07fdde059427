"""The windows of token ids that a training takes."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurt.requests.training import TrainingSettings


class OwnText(NamedTuple):
    """What the analog model wrote."""

    windows: Tensor  #: token ids (M, tokens)
    share: float  #: of all windows of a training, those that are drawn from it


def draw_windows(
    ids: Tensor, settings: TrainingSettings, step: int, own: OwnText | None = None
) -> Tensor:
    """The windows that a step takes: (batch, tokens) of the stream `ids` (N,), or of own text."""
    generator = torch.Generator().manual_seed(seed_of(settings.seed, step, 0))
    last = len(ids) - settings.tokens
    starts = torch.randint(0, last + 1, (settings.batch, 1), generator=generator)
    windows = ids[starts + torch.arange(settings.tokens)]
    if own is None:
        return windows
    replaced = torch.rand(settings.batch, 1, generator=generator) < own.share
    written = torch.randint(len(own.windows), (settings.batch,), generator=generator)
    return torch.where(replaced, own.windows[written], windows)


def seed_of(*parts: int) -> int:
    """A seed for each combination of numbers."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])


def digest_of(*ids: Tensor) -> str:
    """SHA-256 of token ids, one tensor after the other."""
    digest = hashlib.sha256()
    for one in ids:
        digest.update(one.to("cpu", torch.int64).numpy().tobytes())
    return digest.hexdigest()
