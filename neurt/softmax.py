"""Softmax attention on events: the softmax is exact, its operands and its result are coded."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import Cache, PretrainedConfig

from energy import Levels, MatMul, Tally, count_events, tally_call
from energy.formulas import Conventions
from energy.matmul import ScaledSoftmax
from energy.nonlinear import row_normalise
from neurt.attention import SpikingAttention
from neurt.coder import Coder
from neurt.codes import make_coder
from neurt.config import KeyValue, SpikingConfig
from neurt.neuron import SpikingNeuron
from neurt.pow2 import PowerOfTwo, score_dead_zone, weight_dead_zone
from neurt.synapse import EventConv1D

# Shape suffixes: T time steps, B batch, S queries, N keys, C model width, H heads, D head width.


class RowNormalise(nn.Module):
    """Divides each query's mixed values by the sum of the weights that arrived as events.

    Softmax weights sum to one; their code does not, since small weights are silent. Without this
    the outputs shrink.

    Args:
        levels: What an event may be.
    """

    def __init__(self, levels: Levels) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, mixed: Tensor, events: Tensor) -> Tensor:
        """Mixed values (..., S, D) of weight events (T, ..., S, N)."""
        total = events.sum((0, -1)).unsqueeze(-1)
        # A row whose every weight is silent has mixed nothing.
        return mixed / total.masked_fill(total == 0, 1)


@tally_call.register
def _(
    layer: RowNormalise, name: str, args: Any, out: Tensor, conventions: Conventions
) -> dict[str, Tally]:
    events = count_events(args[1], layer.levels, name)
    width = out.shape[-1]
    return {"": row_normalise(out.numel() // width, width, events, value_bytes=out.element_size())}


class SoftmaxCore(nn.Module):
    """Softmax attention in which Q and the weights are events, and K and V are stored.

    The scores are accumulated over all time steps before the softmax (expectation compensation,
    Huang et al., ACM MM 2024, with the compensation left to the end), so that only the codes of Q
    and of the weights are approximate.
    """

    def __init__(self, spiking: SpikingConfig) -> None:
        super().__init__()
        levels = spiking.code_of_attention.levels
        self.scores = MatMul("left", "scores", levels=levels, accumulate=True)
        self.softmax = ScaledSoftmax()
        self.weight_encoder = make_coder(1, spiking, of_attention=True)
        if self.weight_encoder.quantile is not None:  # the largest weights matter most
            self.weight_encoder.quantile = 1.0
        if isinstance(self.weight_encoder, PowerOfTwo):
            self.weight_encoder.dead_zone = weight_dead_zone
            self.weight_encoder.ceiling = 0.75
        self.mix = MatMul("left", "mix", levels=levels, accumulate=True)
        self.normalise = RowNormalise(levels)

    def forward(
        self,
        q_TBHSD: Tensor,
        k_BHND: Tensor,
        v_BHND: Tensor,
        scaling: float,
        mask: Tensor | None,
        arriving: tuple[Tensor | None, Tensor | None] = (None, None),
    ) -> Tensor:
        """Mixed values (B, H, S, D).

        Args:
            q_TBHSD: Query events.
            k_BHND: Keys, in units of a query event of each channel.
            v_BHND: Values.
            scaling: Factor of the scores.
            mask: True where a query may see a key; None for plain causal attention.
            arriving: Events (T, B, H, S, D) of the new keys and values, where they are coded.
        """
        scores_BHSN = self.scores(q_TBHSD, k_BHND.transpose(-1, -2), arriving[0])
        weights_TBHSN = self.weight_encoder(self.softmax(scores_BHSN, scaling, mask))
        mixed: Tensor = self.normalise(self.mix(weights_TBHSN, v_BHND, arriving[1]), weights_TBHSN)
        return mixed


class SoftmaxAttention(SpikingAttention):
    """Events on every product of the block.

    analog input -> coder -> c_attn -> Q, K, V; Q -> coder -> core -> coder -> c_proj.

    Args:
        config: GPT-2 configuration.
        spiking: Choices of the conversion.
        layer_idx: Index of the transformer layer, for the cache.
    """

    def __init__(self, config: PretrainedConfig, spiking: SpikingConfig, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        width = config.hidden_size
        self.scaling = (width // self.heads) ** -0.5 if config.scale_attn_weights else 1.0
        if config.scale_attn_by_inverse_layer_idx:
            self.scaling /= layer_idx + 1
        self.encoder = make_coder(width, spiking, of_attention=True)
        self.c_attn = EventConv1D(3 * width, width, self.encoder.levels, accumulate=True)
        self.query_encoder = make_coder(width, spiking, of_attention=True)
        self.streamed = spiking.key_value is KeyValue.STREAMED
        if self.streamed:
            self.key_encoder = make_coder(width, spiking, of_attention=True)
            self.value_encoder = make_coder(width, spiking, of_attention=True)
        self.core = SoftmaxCore(spiking)
        self.mix_encoder = make_coder(width, spiking, of_attention=True)
        self.c_proj = EventConv1D(width, width, self.mix_encoder.levels, accumulate=True)

    def attend(self, x_BSC: Tensor, cache: Cache | None, mask: Tensor | None) -> Tensor:
        """Attend; the cache holds analog keys and values, or the sums of their events."""
        q, k, v = self.c_attn(self.encoder(x_BSC), self.encoder.scale).chunk(3, dim=-1)
        q_TBSC = _blurring_scores(self.query_encoder, k, self.scaling, self.heads)(q)
        arriving: tuple[Tensor | None, Tensor | None] = (None, None)
        if self.streamed:
            k_TBSC = _blurring_scores(self.key_encoder, q, self.scaling, self.heads)(k)
            v_TBSC = self.value_encoder(v)
            arriving = self.split_heads(k_TBSC), self.split_heads(v_TBSC)
            k, v = self.key_encoder.decode(k_TBSC), self.value_encoder.decode(v_TBSC)
        if self.query_encoder.scale is not None:  # constant, so it belongs to the weights of K
            k = k * self.query_encoder.scale
        k, v = self.split_heads(k), self.split_heads(v)
        if cache is not None:
            k, v = cache.update(k, v, self.layer_idx)
        mixed = self.core(self.split_heads(q_TBSC), k, v, self.scaling, mask, arriving)
        events = self.mix_encoder(self.merge_heads(mixed))
        out: Tensor = self.c_proj(events, self.mix_encoder.scale)
        return out

    @property
    def coded(self) -> list[tuple[Coder, EventConv1D]]:
        """The coders of the inputs of both projections."""
        return [(self.encoder, self.c_attn), (self.mix_encoder, self.c_proj)]

    def drives(self, tokens: int) -> list[tuple[SpikingNeuron, int]]:
        """One coder for each of the four products, and one more where two streams meet."""
        width = self.encoder.channels
        of_products = [self.query_encoder, self.core.weight_encoder]
        if self.streamed:
            of_products += [self.key_encoder, self.value_encoder]
        return [
            (self.encoder, 3 * width**2),
            *((coder, width * tokens) for coder in of_products),
            (self.mix_encoder, width**2),
        ]


def _blurring_scores(coder: Coder, partner: Tensor, scaling: float, heads: int) -> Coder:
    """A coder whose dead zone, if it is being calibrated, is told what its values will meet."""
    if coder.calibrations >= 0 and isinstance(coder, PowerOfTwo):
        coder.dead_zone = score_dead_zone(partner, scaling, heads)
    return coder
