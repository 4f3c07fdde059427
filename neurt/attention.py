"""What the forms of spike-based self-attention (SSA) have in common."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import Cache, PretrainedConfig

from neurt.coder import Coder
from neurt.neuron import SpikingNeuron
from neurt.synapse import EventConv1D


class SpikingAttention(nn.Module):
    """GPT-2 attention on spikes, with the parameters of the analog one (`c_attn`, `c_proj`).

    Args:
        config: GPT-2 configuration.
        layer_idx: Index of the transformer layer, for the cache.
    """

    def __init__(self, config: PretrainedConfig, layer_idx: int) -> None:
        super().__init__()
        self.width = config.hidden_size
        self.heads = config.num_attention_heads
        self.layer_idx = layer_idx
        self.resid_dropout = nn.Dropout(config.resid_pdrop)

    def attend(self, x: Tensor, cache: Cache | None, mask: Tensor | None) -> Tensor:
        """Analog output (B, S, C) of analog input (B, S, C).

        Args:
            x: The input.
            cache: Cache of what the form keeps of keys and values.
            mask: True where a query may see a key, (B, 1, S, N); None for plain causal attention.
        """
        raise NotImplementedError

    @property
    def coded(self) -> list[tuple[Coder, EventConv1D]]:
        """The coders and the layer that each of them feeds."""
        raise NotImplementedError

    def macs(self, tokens: int) -> int:
        """MACs per token of the analog block, all query-key pairs counted."""
        width: int = self.width
        return 4 * width * width + 2 * width * tokens

    def drives(self, tokens: int) -> list[tuple[SpikingNeuron, int]]:
        """The neurons, and the MACs per token that their events replace.

        Args:
            tokens: Length of the sequence, which decides the products of attention.
        """
        raise NotImplementedError

    def forward(
        self,
        hidden_states: Tensor,
        past_key_values: Cache | None = None,
        attention_mask: Tensor | None = None,
        **_unused: object,
    ) -> tuple[Tensor, None]:
        """Attend.

        Args:
            hidden_states: Analog input (B, S, C).
            past_key_values: Cache.
            attention_mask: True (or 0 in an additive mask) where a query may see a key,
                (B, 1, S, N); None for plain causal attention.

        Returns:
            Analog output (B, S, C), and None in the place of attention weights.
        """
        mask = attention_mask
        if mask is not None and mask.dtype != torch.bool:
            mask = mask >= 0
        out = self.attend(hidden_states, past_key_values, mask)
        return self.resid_dropout(out), None

    def split_heads(self, x: Tensor) -> Tensor:
        """(..., S, C) to (..., H, S, D)."""
        heads: Tensor = x.unflatten(-1, (self.heads, -1)).transpose(-2, -3)
        return heads

    def merge_heads(self, x: Tensor) -> Tensor:
        """(..., H, S, D) to (..., S, C)."""
        return x.transpose(-2, -3).flatten(-2)
