"""The table of a measured analog run, in closed form from shapes alone. No torch, no weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from energy import formulas, nonlinear, products
from energy.counts import Counts, LayerCount, Tally
from energy.formulas import Conventions
from hwmodels import Op
from neurt.gpt2 import GPT2Shape, label
from neurt.passes import Pass

VALUE_BYTES = 4


def plan_asa(
    shape: GPT2Shape,
    what: Pass,
    conventions: Conventions = Conventions(),  # noqa: B008 - frozen
    **about: Any,
) -> Counts:
    """Counts of the analog model.

    Args:
        shape: Its sizes.
        what: The pass.
        conventions: Choices that change a count.
        **about: Further fields of `Counts`.
    """
    rows = what.batch * what.queries
    attention: dict[str, Any] = {"attention": conventions.attention, "value_bytes": VALUE_BYTES}
    heads = what.batch * shape.heads
    head = (heads, what.queries, what.keys, shape.width // shape.heads, heads)
    linear = partial(formulas.linear, rows, bias=True, value_bytes=VALUE_BYTES)
    norm = nonlinear.layer_norm(rows, shape.width, value_bytes=VALUE_BYTES)

    def layer() -> list[tuple[str, str, Tally]]:
        return [
            ("ln_1", "LayerNorm", norm),
            ("attn.c_attn", "Conv1D", linear(shape.width, 3 * shape.width)),
            ("attn.c_proj", "Conv1D", linear(shape.width, shape.width)),
            ("attn.core.scores", "MatMul", products.scores(*head, **attention)),
            ("attn.core.softmax", "ScaledSoftmax", nonlinear.softmax(*head[:3], **attention)),
            ("attn.core.mix", "MatMul", products.mix(*head, **attention)),
            ("ln_2", "LayerNorm", norm),
            ("mlp.c_fc", "Conv1D", linear(shape.width, shape.inner)),
            ("mlp.c_proj", "Conv1D", linear(shape.inner, shape.width)),
            (
                "mlp.act",
                "NewGELUActivation",
                nonlinear.gelu_tanh(rows * shape.inner, value_bytes=VALUE_BYTES),
            ),
        ]

    return whole_model("asa", shape, what, layer, conventions, about)


def whole_model(
    variant: str,
    shape: GPT2Shape,
    what: Pass,
    layer: Callable[[], list[tuple[str, str, Tally]]],
    conventions: Conventions,
    about: Mapping[str, Any],
) -> Counts:
    """Counts of all layers, the ones outside the transformer layers included.

    Args:
        variant: `asa` or `ssa`.
        shape: Sizes of the model.
        what: The pass.
        layer: Rows of one transformer layer, called once for each in order.
        conventions: Choices that change a count.
        about: Further fields of `Counts`.
    """
    rows = what.batch * what.queries
    embed = partial(formulas.embedding, width=shape.width, value_bytes=VALUE_BYTES)
    named = [
        ("transformer.wte", "Embedding", embed(rows)),
        # One look-up of positions serves the whole batch.
        ("transformer.wpe", "Embedding", embed(what.queries)),
        *(
            (f"transformer.h.{depth}.{name}", kind, tally)
            for depth in range(shape.layers)
            for name, kind, tally in layer()
        ),
        (
            "transformer.ln_f",
            "LayerNorm",
            nonlinear.layer_norm(rows, shape.width, value_bytes=VALUE_BYTES),
        ),
        (
            "lm_head",
            "Linear",
            formulas.linear(
                rows, shape.width, shape.vocabulary, bias=False, value_bytes=VALUE_BYTES
            ),
        ),
    ]
    return Counts(
        variant,
        tuple(
            LayerCount(name, kind, label(name), what.repeats, _times(tally, what.repeats))
            for name, kind, tally in named
        ),
        phase=what.phase,
        batch=what.batch,
        tokens=what.tokens,
        attention=str(conventions.attention),
        value_bytes=VALUE_BYTES,
        **about,
    )


def _times(tally: Tally, repeats: int) -> Tally:
    ops: dict[Op, int] = {op: n * repeats for op, n in tally.ops.items() if n}
    return Tally(ops, tally.dense_macs * repeats, tally.spikes * repeats, tally.slots * repeats)
