"""Spikformer attention: binary spikes, no softmax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache, PretrainedConfig

from energy import Levels, MatMul, Rotary, Tally, tally_call
from energy.formulas import Conventions
from energy.formulas.nonlinear import row_scale
from neurt.spiking.attention import Angles, SpikingAttention, grouped
from neurt.spiking.coder import Coder
from neurt.spiking.config import SpikingConfig
from neurt.spiking.inputs import replaced_macs
from neurt.spiking.neuron import LIF, SpikingNeuron, repeat_over_time
from neurt.spiking.synapse import Synapse
from neurt.spiking.unseen import Asked, spikes_by_head, summed_spikes, token_shares, unseen

# Shape suffixes: T time steps, B batch, S queries, N keys, C channels, H heads, D head width; of H
# query heads G share each of the K cached heads. X = any leading dimensions.


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
    return {"": row_scale(out.numel())}


class SpikformerCore(nn.Module):
    """Softmax-free attention between binary spikes: (Q K^T, future keys zero) V / (i + 1).

    Spikformer (Zhou et al., ICLR 2023, eq. 6) made causal: the mask zeroes what softmax would
    have had at minus infinity, and the row of query `i` is divided by the number of tokens it
    sees, without which late positions saturate.

    Args:
        shared_by: Query heads that share a cached head.
        rotary: Whether Q and K are rotated by their position.
    """

    def __init__(self, shared_by: int = 1, *, rotary: bool = False) -> None:
        super().__init__()
        if rotary:
            self.rotary = Rotary()  # called on the currents of Q and K
        self.scores = MatMul(events="both", role="scores", streaming="left")
        self.mix = MatMul(events="right", role="mix")
        self.scores.shared_by = self.mix.shared_by = shared_by
        self.normalise = RowScale()

    def forward(
        self, q_XHSD: Tensor, k_XKND: Tensor, v_XKND: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Mixed value spikes (X, H, S, D); see `mixed`."""
        mixed: Tensor = self.normalise(*self.mixed(q_XHSD, k_XKND, v_XKND, mask))
        return mixed.view(q_XHSD.shape)

    def mixed(
        self, q_XHSD: Tensor, k_XKND: Tensor, v_XKND: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Sums of value spikes (X, ..., S, D), and the tokens that a query sees, (..., S, 1).

        Args:
            q_XHSD: Query spikes.
            k_XKND: Key spikes, cached ones first.
            v_XKND: Value spikes, cached ones first.
            mask: True where a query may see a key, broadcast to (X, H, S, N); None for plain
                causal attention.
        """
        queries, keys = q_XHSD.shape[-2], k_XKND.shape[-2]
        q, k, v = grouped(q_XHSD, k_XKND, v_XKND)
        if mask is not None and q.dim() > q_XHSD.dim():
            mask = mask.unsqueeze(2)
        a = self.scores(q, k.transpose(-1, -2))
        if mask is None:
            alone = unseen(self.scores, self.mix)
            a = a.tril_(keys - queries) if alone else a.tril(keys - queries)
            attended = torch.arange(keys - queries + 1, keys + 1, device=a.device)
            attended = attended.to(a.dtype).unsqueeze(-1)
        else:
            a = a.masked_fill(~mask, 0)
            attended = mask.sum(-1, keepdim=True).clamp(min=1).to(a.dtype)
        return self.mix(a, v), attended


class SpikformerAttention(SpikingAttention):
    """Binary Q, K and V.

    analog input -> coder -> projections (rotated by position, where they are) -> LIF -> Q, K, V ->
    core -> LIF -> output projection.
    """

    def __init__(self, config: PretrainedConfig, spiking: SpikingConfig, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        self.timesteps = spiking.timesteps
        # A code whose value is a mean drives the neurons step by step; of one whose value is a
        # sum they need all events first, and then see the same current in each step.
        self.averages = spiking.code_of_attention.averages
        self.add_inputs(spiking, accumulate=not self.averages)
        lif: dict[str, Any] = {
            "quantile": spiking.lif_quantile,
            "alpha": spiking.surrogate_alpha,
            "tau": spiking.tau,
        }
        self._widths = [self.shape.query_width, self.shape.kv_width, self.shape.kv_width]
        self.qkv_neuron = LIF(sum(self._widths), **lif)
        self.core = SpikformerCore(self.shared_by, rotary=self.layout.rotary)
        self.mix_neuron = LIF(self.shape.query_width, **lif)
        self.add_output(Levels.BINARY)

    def attend(
        self, x_BSC: Tensor, cache: Cache | None, mask: Tensor | None, angles: Angles | None
    ) -> Tensor:
        """Attend; the cache holds key and value spikes, with T folded into the heads."""
        q, k, v = self._spikes(self.currents(x_BSC, stepwise=self.averages), angles)
        if cache is not None:
            k, v = cache.update(k, v, self.layer_idx)
        out: Tensor = self.output(*self._mixed(q, k, v, mask))
        return out

    def _spikes(self, made: list[Tensor], angles: Angles | None) -> Sequence[Tensor]:
        """Spikes of Q, K and V, (B, T H, S, D): so folded, a cache keeps one row per sequence."""
        widths, parts = self._widths, self.parts(made, angles)
        neuron = self.qkv_neuron
        if neuron.fused and neuron.alone(parts[0]):
            currents = [self.split_heads(self._over_time(part)) for part in parts]
            by_head = spikes_by_head(currents, neuron.threshold, neuron.tau)
            if by_head is not None:
                return [part.flatten(1, 2) for part in by_head]
        current = made[0] if angles is None and len(made) == 1 else torch.cat(parts, dim=-1)
        spikes = neuron(self._over_time(current)).split(widths, dim=-1)
        return [self.split_heads(part).transpose(0, 1).flatten(1, 2) for part in spikes]

    def _over_time(self, current: Tensor) -> Tensor:
        return current if self.averages else repeat_over_time(current, self.timesteps)

    def _mixed(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Spikes of what attention mixed (T, B, S, C), or their sum (1, B, S, C), and their scale.

        Args:
            q: Query spikes (B, T H, S, D); keys and values likewise, cached ones first.
        """
        neuron, core = self.mix_neuron, self.core
        if neuron.fused and neuron.alone(q, self.output) and unseen(core, core.normalise):
            mixed, attended = core.mixed(q, k, v, mask)
            mixed = mixed.view(len(q), self.timesteps, -1, *q.shape[-2:])
            if mask is not None:  # which may differ between sequences
                attended = attended.view(-1, 1, 1, *attended.shape[-2:])
            scale = neuron.threshold / self.timesteps
            few = len(q) * q.shape[-2] < self.output.fan_out_weight.shape[1]
            worth, heads = scale if few else None, (self.shape.heads, self.shape.head_width)
            asked = Asked(token_shares, (attended,), worth=worth, arranged=heads)
            made = summed_spikes(mixed, neuron.threshold, neuron.tau, asked)
            if made is not None:
                return made.flatten(-2), None if few else scale
            mixed = core.normalise(mixed, attended).flatten(1, 2)
        else:
            mixed = core(q, k, v, mask)
        spikes = neuron(self.merge_heads(mixed.unflatten(1, (self.timesteps, -1)).transpose(0, 1)))
        # Not before: while the neurons are calibrated, that line moves their thresholds.
        return spikes, neuron.threshold / self.timesteps

    @property
    def coded(self) -> list[tuple[Coder, list[Synapse]]]:
        """The coders of the input; the other events come from LIF neurons."""
        return self.of_input

    @property
    def weights_fed(self) -> list[tuple[SpikingNeuron, int]]:
        """See `SpikingAttention.weights_fed`; neurons feed the output projection."""
        return [*super().weights_fed, (self.mix_neuron, self.output.fan_out_weight.numel())]

    def drives(self, tokens: int) -> list[tuple[SpikingNeuron, int]]:
        """Q and V spikes drive one product each; K, the third of the neurons, is stored."""
        shape = self.shape
        return [
            *((coder, replaced_macs(layers)) for coder, layers in self.of_input),
            (self.qkv_neuron, 2 * shape.query_width * tokens),
            (self.mix_neuron, shape.query_width * shape.width),
        ]
