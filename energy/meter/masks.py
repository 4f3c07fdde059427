"""Which query-key pairs of an attention are counted: those that its mask leaves, if it has one.

A mask that a model gives to its kernel says which pairs a masked kernel computes, whatever made
it: a window, chunks, padding, a choice of keys. Without one (the kernel is told "causal" and no
more), and where it holds no values (a model without weights), what the attention module declares
counts.
"""

from __future__ import annotations

import torch
from torch import Tensor

from energy.formulas import Attention, Window
from energy.formulas.attention import Product
from energy.layers.declared import Reach


def seen_of(product: Product, reach: Reach, mask: Tensor | None = None) -> Product:
    """The product with the pairs that its queries see.

    Args:
        product: The shape of a product of attention; heads and cached heads of all sequences.
        reach: What the module declares.
        mask: (sequences or 1, heads or 1, queries, keys or more), boolean (True: visible) or
            additive; None where the kernel was given none.
    """
    if product.attention is Attention.FULL:
        return product
    if reach.tokens is not None:
        product = product._replace(window=Window(reach.tokens, reach.chunked))
    if mask is None or mask.dim() != 4 or mask.device.type == "meta":
        return product
    visible = mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
    visible = visible[..., : product.keys]
    masks = visible.shape[:2].numel()
    pairs = int(visible.sum()) * product.heads // masks
    rows = int(visible.any(-2).sum()) * product.kv_heads // min(masks, product.kv_heads)
    if masks > product.kv_heads:  # each head has its own, and several share a cached one
        shared = visible.any(-2).reshape(product.kv_heads, -1, product.keys)
        rows = int(shared.any(1).sum())
    same = product.pairs == pairs and product.cached == rows * product.width
    return product if same else product._replace(masked=(pairs, rows))
