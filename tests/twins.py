"""An analog model and its conversion, and what a baseline of them read."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from transformers import PreTrainedModel

from energy import Counts
from neurt.baselines.baselines import Baseline
from neurt.spiking.modeling import SpikingLanguageModel


class Pair(NamedTuple):
    analog: PreTrainedModel
    spiking: SpikingLanguageModel
    windows: list[Tensor]
    ids: Tensor


class Read(NamedTuple):
    baseline: Baseline
    logits: Tensor
    counts: Counts
