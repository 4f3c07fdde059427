"""The feed-forward block on spikes."""

from __future__ import annotations

from torch import Tensor, nn
from transformers import PretrainedConfig
from transformers.activations import ACT2FN

from energy.matmul import Levels
from neurt.coding import mean_over_time, repeat_over_time
from neurt.config import SpikingConfig
from neurt.neuron import SignedIF
from neurt.synapse import EventConv1D


class SpikingFeedForward(nn.Module):
    """GPT-2 feed-forward on spikes, with the parameters of the analog one (`c_fc`, `c_proj`).

    analog input -> signed IF -> c_fc -> mean -> activation -> signed IF -> c_proj -> mean.

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
        self.timesteps = spiking.timesteps
        alpha, quantile = spiking.surrogate_alpha, spiking.input_quantile
        self.encoder = SignedIF(width, quantile=quantile, alpha=alpha)
        self.c_fc = EventConv1D(inner, width, Levels.TERNARY)
        self.act = ACT2FN[config.activation_function]
        self.hidden_encoder = SignedIF(inner, quantile=quantile, alpha=alpha)
        self.c_proj = EventConv1D(width, inner, Levels.TERNARY)
        self.dropout = nn.Dropout(config.resid_pdrop)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Analog output (B, S, C) of analog input (B, S, C)."""
        x = self.encoder(repeat_over_time(hidden_states, self.timesteps))
        hidden = self.act(mean_over_time(self.c_fc(x, self.encoder.threshold)))
        y = self.hidden_encoder(repeat_over_time(hidden, self.timesteps))
        out: Tensor = self.dropout(mean_over_time(self.c_proj(y, self.hidden_encoder.threshold)))
        return out
