"""What the forms of spike-based self-attention (SSA) have in common."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache, PretrainedConfig

from energy import Levels
from neurt.families import family_of, read_shape
from neurt.spiking.coder import Coder
from neurt.spiking.config import Coded, SpikingConfig
from neurt.spiking.inputs import CodesInput
from neurt.spiking.neuron import SpikingNeuron
from neurt.spiking.synapse import Synapse, make_synapse

#: Cosine and sine (B, S, D) of the angles of rotary positions.
Angles = tuple[Tensor, Tensor]


class SpikingAttention(CodesInput):
    """Attention on spikes, with the parameters and the names of the analog one."""

    core: Any  #: The products of the form.

    def __init__(self, config: PretrainedConfig, layer_idx: int) -> None:
        super().__init__()
        family = family_of(config.model_type)
        self.shape = read_shape(config.to_dict(), "the model")
        self.layout = family.attention
        self.layer_idx = layer_idx
        #: Query heads that share a cached head.
        self.shared_by = self.shape.heads // self.shape.kv_heads
        self._linear = family.linear
        score_scale = self.layout.score_scale
        self.scaling = (
            self.shape.head_width**-0.5 if score_scale is None else score_scale(config, layer_idx)
        )
        self.resid_dropout = nn.Dropout(getattr(config, "resid_pdrop", 0.0))  # of GPT-2

    def add_inputs(self, spiking: SpikingConfig, *, accumulate: bool = True) -> None:
        """Add the coders of the block's input, and the projections to Q, K and V.

        Args:
            accumulate: Whether the time steps share their accumulators.
        """
        shape, names = self.shape, self.layout.inputs
        levels = spiking.code_of_attention.levels
        self.add_encoders(names, shape.width, spiking, Coded.ATTENTION)
        widths = [shape.query_width, shape.kv_width, shape.kv_width]
        for name, width in zip(names, [sum(widths)] if len(names) == 1 else widths, strict=True):
            layer = make_synapse(
                self._linear, width, shape.width, levels, accumulate=accumulate, bias=shape.qkv_bias
            )
            self.add_module(name, layer)

    def add_output(self, levels: Levels) -> None:
        """Add the output projection of events that may be so."""
        shape = self.shape
        layer = make_synapse(
            self._linear, shape.width, shape.query_width, levels, bias=shape.out_bias
        )
        self.add_module(self.layout.output, layer)

    @property
    def output(self) -> Synapse:
        """The output projection."""
        layer: Synapse = getattr(self, self.layout.output)
        return layer

    def project(
        self, x: Tensor, angles: Angles | None, *, stepwise: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Q (..., S, C), K and V (..., S, KV D) of the analog input, rotated by angles."""
        return self.parts(self.currents(x, stepwise=stepwise), angles)

    def parts(self, made: list[Tensor], angles: Angles | None) -> tuple[Tensor, Tensor, Tensor]:
        """Q, K and V of the currents of one layer for all of them or of three, rotated."""
        kv = self.shape.kv_width
        q, k, v = made if len(made) == 3 else made[0].split([self.shape.query_width, kv, kv], -1)
        if angles is not None:
            q, k = self.core.rotary(self.split_heads(q), self.split_heads(k), *angles)
            q, k = self.merge_heads(q), self.merge_heads(k)
        return q, k, v

    def attend(
        self, x: Tensor, cache: Cache | None, mask: Tensor | None, angles: Angles | None
    ) -> Tensor:
        """Analog output (B, S, C) of analog input (B, S, C).

        Args:
            cache: Cache of what the form keeps of keys and values.
            mask: True where a query may see a key, (B, 1, S, N); None for plain causal attention.
            angles: Of the positions, where they are rotary.
        """
        raise NotImplementedError

    @property
    def coded(self) -> list[tuple[Coder, list[Synapse]]]:
        """The coders, and the layers that each of them feeds."""
        raise NotImplementedError

    @property
    def weights_fed(self) -> list[tuple[SpikingNeuron, int]]:
        """The neurons that feed linear layers, and how many weights these have."""
        return [
            (coder, sum(layer.fan_out_weight.numel() for layer in layers))
            for coder, layers in self.coded
        ]

    def macs(self, tokens: int) -> int:
        """MACs per token of the analog block, all query-key pairs counted."""
        linear = self.shape.width * (2 * self.shape.query_width + 2 * self.shape.kv_width)
        return linear + 2 * self.shape.query_width * tokens

    def drives(self, tokens: int) -> list[tuple[SpikingNeuron, int]]:
        """The neurons, and the MACs per token that their events replace."""
        raise NotImplementedError

    def forward(
        self,
        hidden_states: Tensor,
        past_key_values: Cache | None = None,
        attention_mask: Tensor | None = None,
        position_embeddings: Angles | None = None,
        **_unused: object,
    ) -> tuple[Tensor, None]:
        """Attend.

        Args:
            hidden_states: Analog input (B, S, C).
            attention_mask: True (or 0 in an additive mask) where a query may see a key,
                (B, 1, S, N); None for plain causal attention.
            position_embeddings: Cosine and sine of rotary positions, (B, S, D).

        Returns:
            Analog output (B, S, C), and None in the place of attention weights.
        """
        mask = attention_mask
        if mask is not None and mask.dtype != torch.bool:
            mask = mask >= 0
        out = self.attend(hidden_states, past_key_values, mask, position_embeddings)
        return self.resid_dropout(out), None

    def split_heads(self, x: Tensor) -> Tensor:
        """(..., S, C) to (..., H, S, D), whatever the number of heads."""
        heads: Tensor = x.unflatten(-1, (-1, self.shape.head_width)).transpose(-2, -3)
        return heads

    def merge_heads(self, x: Tensor) -> Tensor:
        """(..., H, S, D) to (..., S, C)."""
        return x.transpose(-2, -3).flatten(-2)


def grouped(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Heads so arranged that the query heads of a group meet the cached head that they share.

    Queries (..., H, S, D) become (..., KV, G, S, D), keys and values (B, KV, N, D) become
    (B, KV, 1, N, D); where each query head has its own, all stay as they are.
    """
    kv_heads = k.shape[-3]
    if q.shape[-3] == kv_heads:
        return q, k, v
    return q.unflatten(-3, (kv_heads, -1)), k.unsqueeze(-3), v.unsqueeze(-3)
