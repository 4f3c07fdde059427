"""Give the attention of a Hugging Face model a module of its own, so that hooks can see it.

Uses transformers' own extension point: an attention function, registered under a name, which calls
the core of the attention module it is given.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from energy.matmul import AttentionCore

_PREFIX = "neurt_exposed_"


class ExposeError(ValueError):
    """A model whose attention cannot be exposed."""


@contextmanager
def exposed_attention(model: PreTrainedModel, *, fused: bool = True) -> Iterator[None]:
    """Route the attention of a model through counted cores inside the block.

    Each attention module gets a child `core` (an `AttentionCore`); on exit it is removed and the
    model's own implementation is back.

    Args:
        model: A Hugging Face model that uses transformers' attention interface.
        fused: Run the model's own kernel, which leaves speed and logits as they are; otherwise
            run the two products and the softmax as modules, for a second witness that cannot see
            into fused kernels.

    Raises:
        ExposeError: If the model is exposed already, or has no attention module that could be.
    """
    if not isinstance(model, PreTrainedModel):
        raise ExposeError(
            f"{type(model).__name__} is not a Hugging Face model; build its attention from "
            "energy.MatMul instead"
        )
    own = model.config._attn_implementation
    if own.startswith(_PREFIX):
        raise ExposeError("the attention of this model is exposed already")
    attentions = [module for module in model.modules() if _is_attention(module)]
    if not attentions:
        raise ExposeError(
            f"{type(model).__name__} has no attention module that uses transformers' attention "
            "interface; build its products from energy.MatMul instead"
        )
    name = _PREFIX + own
    AttentionInterface.register(name, _call_core)
    AttentionMaskInterface.register(
        name, ALL_MASK_ATTENTION_FUNCTIONS.get(own, ALL_MASK_ATTENTION_FUNCTIONS["eager"])
    )
    try:
        for attention in attentions:
            attention.core = AttentionCore(_kernel(attention, own))
            attention.core.fused = fused
            attention.core.train(attention.training)
        model.set_attn_implementation(name)
        yield
    finally:
        for attention in attentions:
            if hasattr(attention, "core"):
                del attention.core
        model.set_attn_implementation(own)


def _is_attention(module: nn.Module) -> bool:
    return type(module).__name__.endswith("Attention") and hasattr(module, "layer_idx")


def _kernel(attention: nn.Module, implementation: str) -> object:
    """The function that the attention module would have called."""
    eager = getattr(sys.modules[type(attention).__module__], "eager_attention_forward", None)
    kernel = ALL_ATTENTION_FUNCTIONS.get(implementation, eager)
    if kernel is None:
        raise ExposeError(
            f"{type(attention).__name__} has no attention function for '{implementation}'"
        )
    return kernel


def _call_core(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    if scaling is None:
        scaling = query.shape[-1] ** -0.5
    out: tuple[Tensor, Tensor | None] = module.core(
        query, key, value, mask, owner=module, scaling=scaling, dropout=dropout, **kwargs
    )
    return out
