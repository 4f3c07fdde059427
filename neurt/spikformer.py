"""Spikformer attention: binary spikes, no softmax."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache, PretrainedConfig

from energy import Levels, MatMul, Tally, tally_call
from energy.formulas import Conventions
from energy.nonlinear import row_scale
from neurt.attention import SpikingAttention
from neurt.coder import Coder
from neurt.codes import make_coder
from neurt.coding import repeat_over_time
from neurt.config import SpikingConfig
from neurt.neuron import LIF, SpikingNeuron
from neurt.synapse import EventConv1D

# Shape suffixes: T time steps, B batch, S queries, N keys, C model width, H heads, D head width;
# X = any leading dimensions.


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


class SpikformerAttention(SpikingAttention):
    """Binary Q, K and V.

    analog input -> coder -> c_attn -> LIF -> Q, K, V -> core -> LIF -> c_proj.

    Args:
        config: GPT-2 configuration.
        spiking: Choices of the conversion.
        layer_idx: Index of the transformer layer, for the cache.
    """

    def __init__(self, config: PretrainedConfig, spiking: SpikingConfig, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        width = config.hidden_size
        self.timesteps = spiking.timesteps
        self.encoder = make_coder(width, spiking, of_attention=True)
        # A code whose value is a mean drives the neurons step by step; of one whose value is a
        # sum they need all events first, and then see the same current in each step.
        self.c_attn = EventConv1D(
            3 * width, width, self.encoder.levels, accumulate=not self.encoder.averages
        )
        lif: dict[str, Any] = {
            "quantile": spiking.attention_quantile,
            "alpha": spiking.surrogate_alpha,
            "tau": spiking.tau,
        }
        self.qkv_neuron = LIF(3 * width, **lif)
        self.core = SpikformerCore()
        self.mix_neuron = LIF(width, **lif)
        self.c_proj = EventConv1D(width, width, Levels.BINARY, accumulate=True)

    def attend(self, x_BSC: Tensor, cache: Cache | None, mask: Tensor | None) -> Tensor:
        """Attend; the cache holds key and value spikes, with T folded into the heads."""
        events = self.encoder(x_BSC)
        if self.encoder.averages:
            current = self.c_attn(events, self.encoder.threshold)
        else:
            current = repeat_over_time(self.c_attn(events, self.encoder.scale), self.timesteps)
        # Time steps are folded into the heads, so that a cache keeps one row per sequence.
        q, k, v = (
            self.split_heads(part).transpose(0, 1).flatten(1, 2)
            for part in self.qkv_neuron(current).chunk(3, dim=-1)
        )
        if cache is not None:
            k, v = cache.update(k, v, self.layer_idx)
        mixed = self.core(q, k, v, mask).unflatten(1, (self.timesteps, -1)).transpose(0, 1)
        spikes = self.mix_neuron(self.merge_heads(mixed))
        # Not before: while the neurons are calibrated, that line moves their thresholds.
        out: Tensor = self.c_proj(spikes, self.mix_neuron.threshold / self.timesteps)
        return out

    @property
    def coded(self) -> list[tuple[Coder, EventConv1D]]:
        """The coder of the input; the other events come from LIF neurons."""
        return [(self.encoder, self.c_attn)]

    def drives(self, tokens: int) -> list[tuple[SpikingNeuron, int]]:
        """Q and V spikes drive one product each; K, the third of the neurons, is stored."""
        width = self.encoder.channels
        return [
            (self.encoder, 3 * width**2),
            (self.qkv_neuron, 2 * width * tokens),
            (self.mix_neuron, width**2),
        ]
