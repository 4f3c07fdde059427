"""Element-wise arithmetic of a decoder as modules, so that a hook sees its operands."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

#: Turns (query, key, cos, sin) into (query, key), as `Rotary.forward` does.
Rotation = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


class Rotary(nn.Module):
    """Rotary positions: turns each pair of channels of queries and keys by its token's angle.

    Channel `i` pairs with channel `i + R / 2` of the first `R` channels (the "rotate half" order
    of Llama in transformers, to the bit):

        out = x cos + rotate_half(x) sin,    rotate_half((a, b)) = (-b, a).

    Args:
        rotation: The same for another order of channels or another precision; None for the above.

    Source: Su et al., "RoFormer", arXiv 2104.09864, equation 34.
    """

    def __init__(self, rotation: Rotation | None = None) -> None:
        super().__init__()
        self.rotation = rotation

    def forward(
        self, query: Tensor, key: Tensor, cos: Tensor, sin: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Rotate.

        Args:
            query: (batch, heads, tokens, width).
            key: (batch, kv_heads, tokens, width).
            cos: Cosines (batch or 1, tokens, R), R even and at most `width`; the first R channels
                are rotated, the others pass.
            sin: Sines, as `cos`.

        Returns:
            Rotated queries and keys, in the shapes of `query` and `key`.
        """
        if self.rotation is not None:
            return self.rotation(query, key, cos, sin)
        cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
        return _rotated(query, cos, sin), _rotated(key, cos, sin)


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    turned, rest = x[..., : cos.shape[-1]], x[..., cos.shape[-1] :]
    first, second = turned.chunk(2, dim=-1)
    out = (turned * cos) + (torch.cat((-second, first), dim=-1) * sin)
    return torch.cat((out, rest), dim=-1) if rest.shape[-1] else out


class Multiply(nn.Module):
    """The product of two tensors, element by element: the gate of a gated feed-forward."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Multiply `left` and `right`, of one shape (..., width)."""
        return left * right
