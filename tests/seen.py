"""A pass that is counted, and seen by hooks of the tests' own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from energy import Conventions, MatMul, count_pass
from energy.counts import Counts
from neurt.spiking.neuron import SpikingNeuron
from neurt.spiking.softmax_core import RowNormalise
from neurt.spiking.synapse import Synapse

Seen = dict[str, list[Tensor]]
_SEEN = Synapse | MatMul | SpikingNeuron | RowNormalise | nn.Linear | Conv1D


class Run:
    """A pass of 4 new tokens after a cached context, or of whole sequences, counted and seen."""

    def __init__(self, model: PreTrainedModel, ids: Tensor, context: int) -> None:
        self.model, self.ids, self.context = model, ids, context

    def __call__(self) -> None:
        cache = DynamicCache(config=self.model.config) if self.context else None
        if self.context:
            self.model(self.ids[:, : self.context], past_key_values=cache, use_cache=True)
        self.last = lambda: self.model(
            self.ids[:, self.context :], past_key_values=cache, use_cache=cache is not None
        )

    def count(self, conventions: Conventions) -> Counts:
        with torch.no_grad():
            self()
        return count_pass(self.model, self.last, variant="ssa", conventions=conventions)

    def seen(self) -> Seen:
        """Operands and result of every layer with a product, by hooks of this test's own."""
        seen: Seen = {}
        with torch.no_grad():
            self()
            handles = []
            for name, module in self.model.named_modules():
                if isinstance(module, _SEEN):

                    def keep(_m: Any, args: Any, out: Tensor, name: str = name) -> None:
                        seen[name] = [*(x for x in args if isinstance(x, Tensor)), out]

                    handles.append(module.register_forward_hook(keep))
            self.last()
            for handle in handles:
                handle.remove()
        return seen
