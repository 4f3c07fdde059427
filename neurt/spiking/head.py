"""The language-model head on spikes."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from neurt.families import Shape
from neurt.spiking.coder import Coder
from neurt.spiking.codes import make_coder
from neurt.spiking.config import Coded, SpikingConfig
from neurt.spiking.synapse import EventLinear, Synapse


class EventHead(EventLinear):
    """A language-model head whose input is coded, with the parameter and the name of the dense one.

    analog hidden state -> coder -> logits. The coder is called before the layer is, so that what
    the layer itself is given are events, as every layer of its kind.
    """

    def __init__(self, shape: Shape, spiking: SpikingConfig) -> None:
        levels = spiking.code_of(Coded.HEAD).levels
        super().__init__(shape.vocabulary, shape.width, levels, accumulate=True, bias=False)
        self.encoder = make_coder(shape.width, spiking, Coded.HEAD)

    def __call__(self, hidden_states: Tensor) -> Any:
        """Logits (..., vocabulary) of analog hidden states (..., C)."""
        return super().__call__(self.encoder(hidden_states), self.encoder.scale)

    @property
    def coded(self) -> list[tuple[Coder, list[Synapse]]]:
        """The coder, and the layer that it feeds."""
        return [(self.encoder, [self])]

    def fan_outs(self, _tokens: int) -> list[tuple[Coder, float]]:
        """The coder, and the accumulates that one event of it causes."""
        return [(self.encoder, self.out_features)]
