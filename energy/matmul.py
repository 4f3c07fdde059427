"""Matrix products as modules, so that a hook sees their operands and a type says their roles."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn


class EventError(ValueError):
    """An operand declared as spikes holds something else."""


class Levels(StrEnum):
    """The values that an event operand may hold."""

    BINARY = "binary"  #: 0 or 1
    TERNARY = "ternary"  #: -1, 0 or 1

    @property
    def bits_per_slot(self) -> int:
        """Bits of one packed slot."""
        return 1 if self is Levels.BINARY else 2

    def count_events(self, operand: Tensor, name: str) -> int:
        """Number of events in an operand, after checking that it holds nothing but events.

        Args:
            operand: The spikes, any shape.
            name: The layer, for the error message.

        Raises:
            EventError: If a value is not one of the levels.
        """
        if not operand.numel():
            return 0
        operand = _in_memory_order(operand)
        low, high = (float(x) for x in torch.aminmax(operand))
        in_range = high <= 1 and low >= (0 if self is Levels.BINARY else -1)
        # A truncated fraction is 0, so if truncation loses no non-zero value, all are +-1. Bytes
        # are four times faster to count than floats; spikes are most of what is counted.
        whole = operand.to(torch.int8)
        events = _count_nonzero(whole)
        if in_range and operand.dtype == torch.float32:
            bits = operand.view(torch.int32)
            if int(torch.count_nonzero(bits)) == events:
                return events
        is_level = (operand == 0) | ((operand if self is Levels.BINARY else operand.abs()) == 1)
        strangers = operand.numel() - int(torch.count_nonzero(is_level))
        if strangers:
            allowed = "0 or 1" if self is Levels.BINARY else "-1, 0 or 1"
            raise EventError(
                f"layer '{name}' takes spikes, but {strangers:,} of {operand.numel():,} inputs are "
                f"not {allowed} (range {low:.4g} .. {high:.4g}); feed it from a spiking neuron or "
                "use the dense layer type"
            )
        return events


def _count_nonzero(whole: Tensor) -> int:
    if whole.device.type == "cpu":  # numpy counts bytes several times faster than torch
        return int(np.count_nonzero(whole.numpy()))
    return int(torch.count_nonzero(whole))


def _in_memory_order(x: Tensor) -> Tensor:
    """The same values, dimensions sorted by stride: a transposed tensor is read as it lies."""
    return x.permute(*sorted(range(x.dim()), key=x.stride, reverse=True)).contiguous()


class MatMul(nn.Module):
    """The product of two computed tensors, `left @ right`, as a counted layer.

    Args:
        events: Which operand carries binary spikes. With `both`, `streaming` says which one is
            delivered event by event while the other is stored.
        role: `scores` (Q K^T) or `mix` (A V) of a causal attention, whose right operand is the
            KV cache; None for a product without a mask.
        streaming: The streaming operand of a product of two spike tensors.

    Shape:
        left (..., M, K), right (..., K, N), result (..., M, N).
    """

    def __init__(
        self,
        events: Literal["left", "right", "both"] | None = None,
        role: Literal["scores", "mix"] | None = None,
        streaming: Literal["left", "right"] = "left",
    ) -> None:
        super().__init__()
        self.events = events
        self.role = role
        self.streaming = events if events in ("left", "right") else streaming
        #: How many heads share one cached head (grouped-query attention).
        self.shared_by = 1

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Multiply."""
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
    """

    def __init__(self, kernel: object) -> None:
        super().__init__()
        self.kernel = kernel
        self.fused = True
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
        **kwargs: object,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Args:
            query: (batch, heads, queries, width).
            key: (batch, kv_heads, keys, width).
            value: (batch, kv_heads, keys, width).
            mask: None for plain causal attention, boolean (True: visible) or additive.
            owner: The Hugging Face attention module.
            scaling: Factor of the scores.
            dropout: Dropout probability of the weights.
            **kwargs: Passed on to the kernel.

        Returns:
            The mixed values (batch, queries, heads, width), and the weights where known.
        """
        if self.fused:
            assert callable(self.kernel)
            out: tuple[Tensor, Tensor | None] = self.kernel(
                owner, query, key, value, mask, scaling=scaling, dropout=dropout, **kwargs
            )
            return out
        groups = query.shape[1] // key.shape[1]
        self.scores.shared_by = self.mix.shared_by = groups
        if groups > 1:
            key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
        weights = self.softmax(self.scores(query, key.transpose(-1, -2)), scaling, mask)
        weights = nn.functional.dropout(weights, dropout, self.training)
        return self.mix(weights, value).transpose(1, 2), weights


class ScaledSoftmax(nn.Module):
    """Softmax over the keys that a query may see."""

    def forward(self, scores: Tensor, scaling: float, mask: Tensor | None) -> Tensor:
        """Weights of (..., queries, keys) scores; without a mask, plain causal attention."""
        if mask is None:
            queries, keys = scores.shape[-2:]
            mask = torch.ones(queries, keys, dtype=torch.bool, device=scores.device)
            mask = mask.tril(keys - queries)
        if mask.dtype == torch.bool:
            weights = (scores * scaling).masked_fill(~mask, float("-inf")).softmax(-1)
            # A padded query sees nothing; torch's kernels give it zeros.
            return weights.masked_fill(~mask.any(-1, keepdim=True), 0)
        return (scores * scaling + mask).softmax(-1)
