"""Softmax attention on events: the softmax is exact, its operands and its result are coded."""

from __future__ import annotations

from torch import Tensor
from transformers import Cache, PretrainedConfig

from neurt.spiking.attention import Angles, SpikingAttention
from neurt.spiking.coder import Coder
from neurt.spiking.codes import make_coder
from neurt.spiking.config import Coded, KeyValue, SpikingConfig
from neurt.spiking.inputs import fan_out, replaced_macs
from neurt.spiking.neuron import SpikingNeuron
from neurt.spiking.pow2 import PowerOfTwo, score_dead_zone
from neurt.spiking.softmax_core import SoftmaxCore
from neurt.spiking.synapse import Synapse
from neurt.spiking.unseen import Asked, row_shares, summed, unseen

# Shape suffixes: T time steps, B batch, S queries, N keys, C channels, H heads, D head width; of H
# query heads G share each of the K cached heads.


class SoftmaxAttention(SpikingAttention):
    """Events on every product of the block.

    analog input -> coder -> projections -> Q, K, V (rotated by position, where they are);
    Q -> coder -> core -> coder -> output projection.
    """

    def __init__(self, config: PretrainedConfig, spiking: SpikingConfig, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        query_width, kv_width = self.shape.query_width, self.shape.kv_width
        code = spiking.code_of_attention
        self.add_inputs(spiking)
        #: The worth of a query event belongs to K, so that the heads which share K share it.
        self.pooled = code.scaled and self.shared_by > 1
        queries = kv_width if self.pooled else query_width
        self.query_encoder = make_coder(queries, spiking, Coded.PRODUCT)
        self.streamed = spiking.key_value is KeyValue.STREAMED
        if self.streamed:
            self.key_encoder = make_coder(kv_width, spiking, Coded.PRODUCT)
            self.value_encoder = make_coder(kv_width, spiking, Coded.PRODUCT)
        self.core = SoftmaxCore(
            spiking, self.shape.kv_heads, self.shared_by, rotary=self.layout.rotary
        )
        self.mix_encoder = make_coder(query_width, spiking, Coded.ATTENTION)
        self.add_output(code.levels)

    def attend(
        self, x_BSC: Tensor, cache: Cache | None, mask: Tensor | None, angles: Angles | None
    ) -> Tensor:
        """Attend; the cache holds analog keys and values, or the sums of their events."""
        q, k, v = self.project(x_BSC, angles)
        q_TBHSD = self.code_queries(q, k)
        arriving: tuple[Tensor | None, Tensor | None] = (None, None)
        if self.streamed:
            if self.key_encoder.calibrations >= 0:
                self._blurs_scores(self.key_encoder, self._by_cached_head(q))
            k_TBSC = self.key_encoder(k)
            v_TBSC = self.value_encoder(v)
            arriving = self.split_heads(k_TBSC), self.split_heads(v_TBSC)
            k, v = self.key_encoder.decode(k_TBSC), self.value_encoder.decode(v_TBSC)
        if self.query_encoder.scale is not None:  # constant, so it belongs to the weights of K
            k = (k * self.query_encoder.scale).to(k.dtype)
        k, v = self.split_heads(k), self.split_heads(v)
        if cache is not None:
            k, v = cache.update(k, v, self.layer_idx)
        if unseen(self.core, self.core.normalise) and self.mix_encoder.alone(q, self.output):
            mixed, weights = self.core.mixed(q_TBHSD, k, v, self.scaling, mask, arriving)
            heads = mixed.view(-1, self.shape.heads, *mixed.shape[-2:])
            events, scale = self.mix_encoder.send(
                heads,
                [self.output],
                before=row_shares,
                operands=(summed(weights).sum(-1).view(heads.shape[:-1]),),
                arranged=(self.shape.heads, self.shape.head_width),
            )
            events = events.flatten(-2)
        else:
            mixed = self.core(q_TBHSD, k, v, self.scaling, mask, arriving)
            events, scale = self.mix_encoder.send(self.merge_heads(mixed), [self.output])
        out: Tensor = self.output(events, scale)
        return out

    def code_queries(self, q_BSC: Tensor, k_BSC: Tensor) -> Tensor:
        """Query events (T, B, H, S, D) of queries (B, S, H D), which will meet keys (B, S, K D)."""
        alone = unseen(self.core) and self.query_encoder.alone(q_BSC, self.core.scores)
        if not self.pooled:
            if self.query_encoder.calibrations >= 0:
                # Each query head meets the channels of its cached head.
                keys = self.split_heads(k_BSC).repeat_interleave(self.shared_by, dim=1)
                self._blurs_scores(self.query_encoder, self.merge_heads(keys))
            if not alone:
                return self.split_heads(self.query_encoder(q_BSC))
            by_head = Asked(arranged=(self.shape.heads, 1, self.shape.head_width))
            events: Tensor = self.query_encoder(self.split_heads(q_BSC), by_head)
            return events
        q_BNC = self._by_cached_head(q_BSC)
        pooled = self.query_encoder(q_BNC, Asked()) if alone else self.query_encoder(q_BNC)
        pooled = pooled.unflatten(-1, (self.shape.kv_heads, -1)).unflatten(-3, (-1, self.shared_by))
        coded: Tensor = pooled.permute(0, 1, 4, 3, 2, 5).flatten(2, 3)
        return coded

    def _by_cached_head(self, q_BSC: Tensor) -> Tensor:
        """Queries (B, S, H D) as (B, S G, K D): those that share a channel of K share a column."""
        if self.shared_by == 1:
            return q_BSC
        q = q_BSC.unflatten(-1, (self.shape.kv_heads, self.shared_by, -1))
        by_channel: Tensor = q.transpose(2, 3).flatten(3).flatten(1, 2)
        return by_channel

    @property
    def coded(self) -> list[tuple[Coder, list[Synapse]]]:
        """The coders of the inputs of the projections."""
        return [*self.of_input, (self.mix_encoder, [self.output])]

    def drives(self, tokens: int) -> list[tuple[SpikingNeuron, int]]:
        """One coder for each of the products, and one more where two streams meet."""
        shape = self.shape
        of_products = [self.query_encoder, self.core.weight_encoder]
        if self.streamed:
            of_products += [self.key_encoder, self.value_encoder]
        return [
            *((coder, replaced_macs(layers)) for coder, layers in self.of_input),
            *((coder, shape.query_width * tokens) for coder in of_products),
            (self.mix_encoder, shape.query_width * shape.width),
        ]

    def fan_outs(self, tokens: int) -> list[tuple[Coder, float]]:
        """The coders, and the accumulates that one event of each causes.

        Args:
            tokens: Length of the sequence, of which a query sees half on average.
        """
        shape, seen = self.shape, (tokens + 1) / 2
        streams = [self.key_encoder, self.value_encoder] if self.streamed else []
        return [
            *((coder, fan_out(layers)) for coder, layers in self.of_input),
            (self.query_encoder, seen),
            *((coder, self.shared_by * seen) for coder in streams),
            (self.core.weight_encoder, shape.head_width),
            (self.mix_encoder, shape.width),
        ]

    def _blurs_scores(self, coder: Coder, partner: Tensor) -> None:
        """Tell a coder that is being calibrated what its values (.., C) will meet (B, S, C)."""
        if isinstance(coder, PowerOfTwo):
            coder.dead_zone = score_dead_zone(partner, self.scaling, self.shape.head_width)
