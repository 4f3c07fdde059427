"""What the neurons of a model do while it reads: events, and the weights that these need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from neurt.spiking.attention import SpikingAttention
from neurt.spiking.feedforward import SpikingFeedForward


class Activity:
    """Watches the neurons of a model.

    An event of a neuron costs one accumulate per output of the layer that it drives, so events
    per input value are events per replaced MAC of that layer. The model's figure is their mean
    over layers, weighted by the MACs of each. A value without any event needs no row of weights,
    so that the weights a token fetches are such a mean, too, weighted by the weights of each.
    """

    def __init__(self, model: nn.Module) -> None:
        self._blocks: dict[str, list[SpikingAttention] | list[SpikingFeedForward]] = {
            "attention": [m for m in model.modules() if isinstance(m, SpikingAttention)],
            "ffn": [m for m in model.modules() if isinstance(m, SpikingFeedForward)],
        }

    @property
    def blocks(self) -> list[SpikingAttention | SpikingFeedForward]:
        """The blocks whose neurons are watched."""
        return [block for blocks in self._blocks.values() for block in blocks]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Let the neurons keep what they count inside the block, and forget it afterwards."""
        neurons = [neuron for block in self.blocks for neuron, _macs in block.drives(1)]
        try:
            for neuron in neurons:
                neuron.watched = True
            yield
        finally:
            for neuron in neurons:
                neuron.watched, neuron.activity, neuron.active = False, None, None

    def events_per_mac(self, tokens: int) -> dict[str, Tensor]:
        """Differentiable events per MAC of the last pass, of sequences of so many tokens, by block.

        All query-key pairs are counted.
        """
        rates = {}
        for name, blocks in self._blocks.items():
            macs = sum(block.macs(tokens) for block in blocks)
            drives = [drive for block in blocks for drive in block.drives(tokens)]
            events = [
                neuron.activity * (driven / macs)
                for neuron, driven in drives
                if neuron.activity is not None  # a code without events
            ]
            none = torch.zeros((), device=drives[0][0].threshold.device)  # where the others are
            rates[name] = torch.stack(events).sum() if events else none
        return rates

    def active_rate(self) -> Tensor:
        """Differentiable share of the weights of the blocks that a token of the last pass fetches.

        The rows of input channels with an event in any time step; of a layer without events, all.
        """
        feeds = [feed for block in self.blocks for feed in block.weights_fed]
        total = sum(weights for _, weights in feeds)
        one = torch.ones((), device=feeds[0][0].threshold.device)
        shares = [
            (one if neuron.active is None else neuron.active) * (weights / total)
            for neuron, weights in feeds
        ]
        return torch.stack(shares).sum()
