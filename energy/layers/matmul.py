"""Matrix products as modules, so that a hook sees their operands and a type says their roles."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from energy.counts import Levels
from energy.layers.declared import Reach, latent_of, reach_of
from energy.layers.elementwise import Rotary, Rotation


class MatMul(nn.Module):
    """The product of two computed tensors, `left @ right`, as a counted layer.

    Args:
        events: Which operand carries spikes. With `both`, `streaming` says which one is delivered
            event by event while the other is stored.
        role: `scores` (Q K^T) or `mix` (A V) of a causal attention, whose right operand is the
            KV cache; None for a product without a mask.
        streaming: The streaming operand of a product of two spike tensors.
        levels: What a spike may be.
        accumulate: The left operand has its time steps in front, (T, ..., M, K), and their events
            are summed in the accumulators.

    Shape:
        left (..., M, K), right (..., K, N), result (..., M, N).
    """

    def __init__(
        self,
        events: Literal["left", "right", "both"] | None = None,
        role: Literal["scores", "mix"] | None = None,
        streaming: Literal["left", "right"] = "left",
        levels: Levels = Levels.BINARY,
        *,
        accumulate: bool = False,
    ) -> None:
        super().__init__()
        self.events = events
        self.role = role
        self.streaming = events if events in ("left", "right") else streaming
        self.levels = levels
        self.accumulate = accumulate
        #: Multiply each time step by itself, so that a second witness sees all of them.
        self.unfolded = False
        #: How many heads share one cached head (grouped-query attention).
        self.shared_by = 1
        #: Whether the attention that a product with a role belongs to is causal.
        self.causal = True
        #: Which keys its queries may see at most.
        self.reach = Reach()

    def forward(self, left: Tensor, right: Tensor, arriving: Tensor | None = None) -> Tensor:
        """Multiply.

        `arriving` are events (T, ...) whose sum is the newest part of the right operand (columns of
        K^T, rows of V), where that arrives in the same time steps as the left one. They cost
        accumulates as well, and change no value.
        """
        # The events of all time steps meet the same stored operand: one product of their sum.
        if self.accumulate and self.unfolded:
            return (left @ right).sum(0)
        if self.accumulate:
            left = left[0] if len(left) == 1 else left.sum(0)
        return left @ right

    def extra_repr(self) -> str:
        """Arguments for `repr`."""
        return f"events={self.events!r}, role={self.role!r}, streaming={self.streaming!r}"


class AttentionCore(nn.Module):
    """Softmax attention between the projections, with its two products as named children.

    Fused, it runs the kernel that the model came with, and is counted from the shapes of its
    operands: same speed, same logits. Unfused, it runs its children, which are counted (and
    traced by fvcore) one by one.

    Args:
        kernel: A Hugging Face attention function, called when fused.
        rotation: The function that turns its queries and keys by their positions, before they are
            cached; the attention module calls it through the child `rotary`, which exists only
            where there is one.
    """

    def __init__(self, kernel: object, rotation: Rotation | None = None) -> None:
        super().__init__()
        self.kernel = kernel
        self.fused = True
        #: Whether the last call was causal; a bidirectional one has no pair to leave out.
        self.causal = True
        #: Whether the scores of the last call were capped by a tanh.
        self.capped = False
        #: Heads of the last call whose softmax has a learned score more, to which no key belongs.
        self.sinks = 0
        #: Which keys the queries of the last call could see at most, as the owner declares.
        self.reach = Reach()
        #: What the cache holds of a token where it is not its key and its value: a latent vector
        #: of so many entries, and so many entries of a rotated key that all heads share.
        self.latent: tuple[int, int] | None = None
        if rotation is not None:
            self.rotary = Rotary(rotation)
        self.scores = MatMul(role="scores")
        self.softmax = ScaledSoftmax()
        self.mix = MatMul(role="mix")

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        *,
        owner: nn.Module,
        scaling: float,
        dropout: float = 0.0,
        softcap: float | None = None,
        **kwargs: object,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Args:
            query: (batch, heads, queries, width).
            key: (batch, kv_heads, keys, width).
            value: (batch, kv_heads, keys, width).
            mask: None for plain attention, causal unless the owner says otherwise; boolean (True:
                visible) or additive.
            owner: The Hugging Face attention module.
            scaling: Factor of the scores.
            dropout: Dropout probability of the weights.
            softcap: Largest size of a scaled score, which a tanh sees to; None for no bound.
            **kwargs: Passed on to the kernel. Known here are `s_aux`, a score of each head to which
                no key belongs, and `position_bias`, which is added to the scores.

        Returns:
            The mixed values (batch, queries, heads, width), and the weights where known.
        """
        sinks = kwargs.get("s_aux")
        self.causal = bool(getattr(owner, "is_causal", True))
        self.capped = softcap is not None
        self.sinks = sinks.numel() if isinstance(sinks, Tensor) else 0
        self.reach = reach_of(owner, kwargs.get("sliding_window"))
        self.latent = latent_of(owner)
        if self.fused:
            if softcap is not None:
                kwargs["softcap"] = softcap
            assert callable(self.kernel)
            out: tuple[Tensor, Tensor | None] = self.kernel(
                owner, query, key, value, mask, scaling=scaling, dropout=dropout, **kwargs
            )
            return out
        for part in (self.scores, self.softmax, self.mix):
            part.causal = self.causal
            part.reach = self.reach
        groups = query.shape[1] // key.shape[1]
        self.scores.shared_by = self.mix.shared_by = groups
        if groups > 1:
            key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
        scores = self.scores(query, key.transpose(-1, -2))
        if isinstance(bias := kwargs.get("position_bias"), Tensor):
            scores = scores + bias / scaling
        weights = self.softmax(scores, scaling, mask, softcap, sinks)
        weights = nn.functional.dropout(weights, dropout, self.training)
        return self.mix(weights, value).transpose(1, 2).contiguous(), weights


class ScaledSoftmax(nn.Module):
    """Softmax over the keys that a query may see."""

    def __init__(self) -> None:
        super().__init__()
        #: Whether a query sees no later key.
        self.causal = True
        #: Which keys its queries may see at most.
        self.reach = Reach()

    def forward(
        self,
        scores: Tensor,
        scaling: float,
        mask: Tensor | None,
        softcap: float | None = None,
        sinks: object = None,
    ) -> Tensor:
        """Weights of (..., queries, keys) scores; without a mask, as `causal` says.

        `sinks`, one of each head, take part in the sum of each row and have no weight.
        """
        scores = scores * scaling
        if softcap is not None:
            scores = (scores / softcap).tanh() * softcap
        queries, keys = scores.shape[-2:]
        if mask is None and (not self.causal or queries == 1 <= keys):
            return _softmax(scores, sinks)
        if mask is None and queries <= keys:  # each sees a key at least
            later = torch.ones(queries, keys, dtype=torch.bool, device=scores.device)
            return _softmax(scores.masked_fill_(later.triu(keys - queries + 1), -math.inf), sinks)
        if mask is None:
            mask = torch.ones(queries, keys, dtype=torch.bool, device=scores.device)
            mask = mask.tril(keys - queries)
        if mask.dtype == torch.bool:
            weights = _softmax(scores.masked_fill(~mask, -math.inf), sinks)
            # A padded query sees nothing; torch's kernels give it zeros.
            return weights.masked_fill(~mask.any(-1, keepdim=True), 0)
        return _softmax(scores + mask, sinks)


def _softmax(scores: Tensor, sinks: object) -> Tensor:
    """Softmax of (batch, heads, queries, keys), with a score of each head more where there are."""
    if not isinstance(sinks, Tensor):
        return scores.softmax(-1)
    more = sinks.reshape(1, -1, 1, 1).expand(*scores.shape[:-1], 1)
    return torch.cat((scores, more), -1).softmax(-1)[..., :-1]
