"""The feed-forward block on spikes."""

from __future__ import annotations

from torch import Tensor, nn
from transformers import PretrainedConfig
from transformers.activations import ACT2FN

from neurt.coder import Coder
from neurt.codes import make_coder
from neurt.config import SpikingConfig
from neurt.neuron import SpikingNeuron
from neurt.synapse import EventConv1D


class SpikingFeedForward(nn.Module):
    """GPT-2 feed-forward on spikes, with the parameters of the analog one (`c_fc`, `c_proj`).

    analog input -> coder -> c_fc -> activation -> coder -> c_proj.

    The activation is evaluated on the accumulated current, once per token, so that it stays exact
    and only the coding of its input and output is approximate.

    Args:
        config: GPT-2 configuration.
        spiking: Choices of the conversion.
    """

    def __init__(self, config: PretrainedConfig, spiking: SpikingConfig) -> None:
        super().__init__()
        width = config.hidden_size
        inner = config.n_inner if config.n_inner is not None else 4 * width
        self.encoder = make_coder(width, spiking, of_attention=False)
        self.c_fc = EventConv1D(inner, width, self.encoder.levels, accumulate=True)
        self.act = ACT2FN[config.activation_function]
        self.hidden_encoder = make_coder(inner, spiking, of_attention=False)
        self.c_proj = EventConv1D(width, inner, self.hidden_encoder.levels, accumulate=True)
        self.dropout = nn.Dropout(config.resid_pdrop)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Analog output (B, S, C) of analog input (B, S, C)."""
        hidden = self.act(self.c_fc(self.encoder(hidden_states), self.encoder.scale))
        events = self.hidden_encoder(hidden)
        out: Tensor = self.dropout(self.c_proj(events, self.hidden_encoder.scale))
        return out

    @property
    def coded(self) -> list[tuple[Coder, EventConv1D]]:
        """The coders and the layer that each of them feeds."""
        return [(self.encoder, self.c_fc), (self.hidden_encoder, self.c_proj)]

    def macs(self, tokens: int) -> int:
        """MACs per token of the analog block, however long the sequence."""
        return 2 * self.encoder.channels * self.hidden_encoder.channels

    def drives(self, tokens: int) -> list[tuple[SpikingNeuron, int]]:
        """The neurons, and the MACs per token that their events replace."""
        return [(coder, self.macs(tokens) // 2) for coder in (self.encoder, self.hidden_encoder)]
