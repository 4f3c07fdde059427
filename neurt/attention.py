"""Spike-based self-attention (SSA): what takes the place of softmax attention."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache, PretrainedConfig

from energy import MatMul, Tally, tally_call
from energy.formulas import Conventions
from energy.matmul import Levels
from energy.nonlinear import row_scale
from neurt.coding import mean_over_time, repeat_over_time
from neurt.config import SpikingConfig
from neurt.neuron import LIF, SignedIF
from neurt.synapse import EventConv1D

# Shape suffixes: T time steps, B batch, S queries, N keys, C model width, H heads, D head width;
# X = T x B folded.


class RowScale(nn.Module):
    """Divides each query's sum by the number of tokens it attended."""

    def forward(self, mixed: Tensor, attended: Tensor) -> Tensor:
        """Scale (..., S, D) by 1 / attended (..., S, 1)."""
        return mixed / attended


@tally_call.register
def _(
    layer: RowScale, name: str, args: Any, out: Tensor, conventions: Conventions
) -> dict[str, Tally]:
    # A multiplication by a reciprocal that is known for each position.
    return {"": row_scale(out.numel(), value_bytes=out.element_size())}


class SpikformerCore(nn.Module):
    """Softmax-free attention between binary spikes: (Q K^T, future keys zero) V / (i + 1).

    Spikformer (Zhou et al., ICLR 2023, eq. 6) made causal: the mask zeroes what softmax would
    have had at minus infinity, and the row of query `i` is divided by the number of tokens it
    sees, without which late positions saturate.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scores = MatMul(events="both", role="scores", streaming="left")
        self.mix = MatMul(events="right", role="mix")
        self.normalise = RowScale()

    def forward(
        self, q_XHSD: Tensor, k_XHND: Tensor, v_XHND: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Mixed value spikes (X, H, S, D).

        Args:
            q_XHSD: Query spikes.
            k_XHND: Key spikes, cached ones first.
            v_XHND: Value spikes, cached ones first.
            mask: True where a query may see a key, broadcast to (X, H, S, N); None for plain
                causal attention.
        """
        queries, keys = q_XHSD.shape[-2], k_XHND.shape[-2]
        a_XHSN = self.scores(q_XHSD, k_XHND.transpose(-1, -2))
        if mask is None:
            a_XHSN = a_XHSN.tril(keys - queries)
            attended = torch.arange(keys - queries + 1, keys + 1, device=a_XHSN.device)
            attended = attended.to(a_XHSN.dtype).unsqueeze(-1)
        else:
            a_XHSN = a_XHSN.masked_fill(~mask, 0)
            attended = mask.sum(-1, keepdim=True).clamp(min=1).to(a_XHSN.dtype)
        mixed: Tensor = self.normalise(self.mix(a_XHSN, v_XHND), attended)
        return mixed


class SpikingAttention(nn.Module):
    """GPT-2 attention on spikes, with the parameters of the analog one (`c_attn`, `c_proj`).

    analog input -> signed IF -> c_attn -> LIF -> binary Q, K, V -> core -> LIF -> c_proj -> mean.

    Args:
        config: GPT-2 configuration.
        spiking: Choices of the conversion.
        layer_idx: Index of the transformer layer, for the cache.
    """

    def __init__(self, config: PretrainedConfig, spiking: SpikingConfig, layer_idx: int) -> None:
        super().__init__()
        width = config.hidden_size
        self.timesteps = spiking.timesteps
        self.heads = config.num_attention_heads
        self.layer_idx = layer_idx
        alpha = spiking.surrogate_alpha
        self.encoder = SignedIF(width, quantile=spiking.input_quantile, alpha=alpha)
        self.c_attn = EventConv1D(3 * width, width, Levels.TERNARY)
        lif: dict[str, Any] = {
            "quantile": spiking.attention_quantile,
            "alpha": alpha,
            "tau": spiking.tau,
        }
        self.qkv_neuron = LIF(3 * width, **lif)
        self.core = SpikformerCore()
        self.mix_neuron = LIF(width, **lif)
        self.c_proj = EventConv1D(width, width, Levels.BINARY)
        self.resid_dropout = nn.Dropout(config.resid_pdrop)

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
            past_key_values: Cache of key and value spikes, with T folded into the batch.
            attention_mask: True (or 0 in an additive mask) where a query may see a key,
                (B, 1, S, N); None for plain causal attention.

        Returns:
            Analog output (B, S, C), and None in the place of attention weights.
        """
        batch, queries, width = hidden_states.shape
        x_TBSC = self.encoder(repeat_over_time(hidden_states, self.timesteps))
        qkv = self.qkv_neuron(self.c_attn(x_TBSC, self.encoder.threshold))
        # (T, B, S, 3C) -> three of (T B, H, S, D)
        q, k, v = (
            part.reshape(-1, queries, self.heads, width // self.heads).transpose(1, 2).contiguous()
            for part in qkv.chunk(3, dim=-1)
        )
        if past_key_values is not None:
            k, v = past_key_values.update(k, v, self.layer_idx)
        mixed_XHSD = self.core(q, k, v, self._visible(attention_mask))
        mixed_TBSC = mixed_XHSD.transpose(1, 2).reshape(self.timesteps, batch, queries, width)
        out = self.c_proj(self.mix_neuron(mixed_TBSC), self.mix_neuron.threshold)
        return self.resid_dropout(mean_over_time(out)), None

    def _visible(self, mask: Tensor | None) -> Tensor | None:
        """The mask as booleans, repeated for each time step that is folded into the batch."""
        if mask is None:
            return None
        visible = mask if mask.dtype == torch.bool else mask >= 0
        return visible.repeat(self.timesteps, 1, 1, 1)
