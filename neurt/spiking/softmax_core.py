"""The products of softmax attention on events: the softmax between them is exact."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from energy import Levels, MatMul, Rotary, Tally, count_events, tally_call
from energy.formulas import Conventions
from energy.formulas.nonlinear import row_normalise
from energy.layers.matmul import ScaledSoftmax
from neurt.spiking.attention import grouped
from neurt.spiking.codes import make_coder
from neurt.spiking.config import Coded, DeadZone, SpikingConfig
from neurt.spiking.fused import Call, causal, run
from neurt.spiking.pow2 import PowerOfTwo, weight_dead_zone
from neurt.spiking.unseen import Asked, summed, unseen

# Shape suffixes: T time steps, B batch, S queries, N keys, C channels, H heads, D head width; of H
# query heads G share each of the K cached heads.


class RowNormalise(nn.Module):
    """Divides each query's mixed values by the sum of the weights that arrived as events.

    Softmax weights sum to one; their code does not, since small weights are silent. Without this
    the outputs shrink.
    """

    def __init__(self, levels: Levels) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, mixed: Tensor, events: Tensor) -> Tensor:
        """Mixed values (..., S, D) of weight events (T, ..., S, N)."""
        total = summed(events).sum(-1, keepdim=True)
        # A row whose every weight is silent has mixed nothing.
        return mixed / total.masked_fill(total == 0, 1)


@tally_call.register
def _(
    layer: RowNormalise, name: str, args: Any, out: Tensor, conventions: Conventions
) -> dict[str, Tally]:
    events = count_events(args[1], layer.levels, name)
    width = out.shape[-1]
    return {"": row_normalise(out.numel() // width, width, events)}


class SoftmaxCore(nn.Module):
    """Softmax attention in which Q and the weights are events, and K and V are stored.

    The scores are accumulated over all time steps before the softmax (expectation compensation,
    Huang et al., ACM MM 2024, with the compensation left to the end), so that only the codes of Q
    and of the weights are approximate.

    Args:
        shared_by: Query heads that share each of them.
        rotary: Whether Q and K are rotated by their position.
    """

    def __init__(
        self, spiking: SpikingConfig, kv_heads: int, shared_by: int = 1, *, rotary: bool = False
    ) -> None:
        super().__init__()
        if rotary:
            self.rotary = Rotary()  # called before Q is coded
        levels = spiking.code_of_attention.levels
        self.scores = MatMul("left", "scores", levels=levels, accumulate=True)
        self.softmax = ScaledSoftmax()
        heads = kv_heads * shared_by
        by_head = spiking.dead_zone is DeadZone.LOSS
        self.weight_encoder = make_coder(heads if by_head else 1, spiking, Coded.PRODUCT)
        if by_head:
            groups = (heads,) if shared_by == 1 else (kv_heads, shared_by)
            self.weight_encoder.arranged = (*groups, 1, 1)
        if self.weight_encoder.quantile is not None:  # the largest weights matter most
            self.weight_encoder.quantile = 1.0
        if isinstance(self.weight_encoder, PowerOfTwo):
            self.weight_encoder.dead_zone = weight_dead_zone
            self.weight_encoder.ceiling = 0.75
        self.mix = MatMul("left", "mix", levels=levels, accumulate=True)
        self.scores.shared_by = self.mix.shared_by = shared_by
        self.normalise = RowNormalise(levels)

    def forward(
        self,
        q_TBHSD: Tensor,
        k_BKND: Tensor,
        v_BKND: Tensor,
        scaling: float,
        mask: Tensor | None,
        arriving: tuple[Tensor | None, Tensor | None] = (None, None),
    ) -> Tensor:
        """Mixed values (B, H, S, D); see `mixed`."""
        made, weights = self.mixed(q_TBHSD, k_BKND, v_BKND, scaling, mask, arriving)
        mixed: Tensor = self.normalise(made, weights)
        return mixed.view(-1, q_TBHSD.shape[-3], *mixed.shape[-2:])

    def mixed(
        self,
        q_TBHSD: Tensor,
        k_BKND: Tensor,
        v_BKND: Tensor,
        scaling: float,
        mask: Tensor | None,
        arriving: tuple[Tensor | None, Tensor | None] = (None, None),
    ) -> tuple[Tensor, Tensor]:
        """Values mixed by events (..., S, D), and those events (T, ..., S, N).

        Args:
            q_TBHSD: Query events, or their sum as a single step.
            k_BKND: Keys, in units of a query event of each channel.
            scaling: Factor of the scores.
            mask: True where a query may see a key; None for plain causal attention.
            arriving: Events (T, B, K, S, D) of the new keys and values, where they are coded.
        """
        q, k, v = grouped(q_TBHSD, k_BKND, v_BKND)
        if mask is not None and q.dim() > q_TBHSD.dim():
            mask = mask.unsqueeze(2)
        scores = self.scores(q, k.transpose(-1, -2), arriving[0])
        weights = self._weights(scores, scaling, mask)
        alone = self.weight_encoder.alone(weights, self.mix, self.normalise)
        events = self.weight_encoder(weights, Asked()) if alone else self.weight_encoder(weights)
        return self.mix(events, v, arriving[1]), events

    def _weights(self, scores: Tensor, scaling: float, mask: Tensor | None) -> Tensor:
        """The softmax of scores (..., S, N)."""
        plain = mask is None and 1 < scores.shape[-2] <= scores.shape[-1]
        fused = self.weight_encoder.fused and scores.dtype is torch.float32
        if plain and fused and unseen(self.softmax):
            seen: Tensor | None = run(Call(causal, (scores, scaling)))
            if seen is not None:
                return seen.softmax(-1)
        weights: Tensor = self.softmax(scores, scaling, mask)
        return weights
