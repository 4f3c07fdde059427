"""Give the attention of a Hugging Face model a module of its own, so that hooks can see it.

Uses transformers' own extension point: an attention function, registered under a name, which calls
the core of the attention module it is given. Rotary positions and gates: `expose_elementwise`.
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

from energy.layers.declared import latent_of
from energy.layers.expose_elementwise import counted_gates, counted_rotary, rotation_of
from energy.layers.matmul import AttentionCore
from hwmodels.errors import UserError

_PREFIX = "neurt_exposed_"


class ExposeError(UserError, ValueError):
    """A model whose attention cannot be exposed."""


@contextmanager
def exposed_attention(
    model: PreTrainedModel, *, fused: bool = True, partial: bool = False
) -> Iterator[None]:
    """Route the attention of a model through counted cores inside the block.

    Each attention module gets a child `core` (an `AttentionCore`), with a child `rotary` where it
    applies rotary positions, and each gated feed-forward a child `multiply`; on exit they are gone
    and the model's own implementation is back.

    Args:
        model: A Hugging Face model that uses transformers' attention interface.
        fused: Run the model's own kernel, which leaves speed and logits as they are; otherwise
            run the two products and the softmax as modules, for a second witness that cannot see
            into fused kernels.
        partial: Expose what can be, if need be no attention at all, in a model of a family that
            multiplies in ways of its own; count such a model with `loose=True`.

    Raises:
        ExposeError: If the model is exposed already, or (unless `partial`) has no attention module
            that could be.
    """
    if not isinstance(model, PreTrainedModel):
        raise ExposeError(
            f"{type(model).__name__} is not a Hugging Face model; count it as it is with "
            "energy.count_pass(..., loose=True), which counts products from their operands"
        )
    own = model.config._attn_implementation
    if own.startswith(_PREFIX):
        raise ExposeError("the attention of this model is exposed already")
    attentions = [module for module in model.modules() if _is_attention(module)]
    if not attentions and not partial:
        raise ExposeError(
            f"{type(model).__name__} has no attention module that uses transformers' attention "
            "interface; `neurt-energy count` counts it from the operands of its products, as "
            "partial=True and energy.count_pass(..., loose=True) do"
        )
    name = _PREFIX + own
    AttentionInterface.register(name, _call_core)
    AttentionMaskInterface.register(
        name, ALL_MASK_ATTENTION_FUNCTIONS.get(own, ALL_MASK_ATTENTION_FUNCTIONS["eager"])
    )
    try:
        for attention in attentions:
            attention.core = AttentionCore(_kernel(attention, own), rotation_of(attention))
            attention.core.fused = fused
            attention.core.train(attention.training)
            if latent_of(attention) is not None:
                vars(attention.kv_b_proj)["reads_cache"] = True
        if attentions:
            model.set_attn_implementation(name)
        with counted_rotary(attentions), counted_gates(model):
            yield
    finally:
        for attention in attentions:
            if hasattr(attention, "core"):
                del attention.core
            vars(getattr(attention, "kv_b_proj", attention)).pop("reads_cache", None)
        if attentions:
            model.set_attn_implementation(own)


def _is_attention(module: nn.Module) -> bool:
    kind = type(module)
    asks_interface = hasattr(sys.modules[kind.__module__], "ALL_ATTENTION_FUNCTIONS")
    return kind.__name__.endswith("Attention") and hasattr(module, "layer_idx") and asks_interface


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
    attention_mask: Tensor | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    if scaling is None:
        scaling = query.shape[-1] ** -0.5
    out: tuple[Tensor, Tensor | None] = module.core(
        query, key, value, attention_mask, owner=module, scaling=scaling, dropout=dropout, **kwargs
    )
    return out
