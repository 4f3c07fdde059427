"""The rows of a planned mixture of experts. No torch."""

from __future__ import annotations

from functools import partial

from energy import formulas
from energy.counts import Tally
from energy.formulas import nonlinear
from energy.formulas.experts import (
    Routing,
    expected_experts,
    expert_product,
    gate,
    routing,
    weighted_sum,
)
from hwmodels import Op
from neurt.closed_form.activations import ACTIVATIONS
from neurt.closed_form.dense_rows import dense_block
from neurt.closed_form.row import Row
from neurt.families import Experts, Shape, layout

#: What a plan takes for granted of routers, in a sentence.
ASSUMED = (
    "Assumed of experts: tokens choose k of E independently of each other, and all experts equally "
    "often, so that n tokens of a call read the weights of E (1 - (1 - k / E)^n) of them."
)


def experts_of(shape: Shape, block: Experts, tokens: int) -> list[Row]:
    """The router, the experts that tokens choose, and the sum of what they give."""
    family = layout(shape)
    names, prefix = family.mixture, family.classes[shape.model_type]
    assert names is not None
    pairs, inner, width = tokens * block.chosen, block.inner, shape.width
    used = expected_experts(block.number, block.chosen, tokens)
    product = partial(_product, rows=pairs, used=used, bias=names.biased)
    how = Routing(
        block.number,
        block.chosen,
        names.scoring,
        block.normalised,
        names.corrected,
        block.scaled,
        block.groups,
        block.groups_chosen,
        names.group_best,
    )

    def named(part: str, tally: Tally) -> Row:
        return f"{names.path}.{part}", prefix + names.experts_class, tally

    kind, formula = ACTIVATIONS[shape.activation]
    activation = f"{names.path}.experts.act_fn", kind, formula(pairs * inner)
    router = formulas.linear(tokens, width, block.number, bias=names.biased)
    gated = gate(pairs * inner, clamped=names.clamped, shifted=names.clamped, swish=names.clamped)
    up, fan_out = ("gate_up_proj", 2 * inner) if names.gated else ("up_proj", inner)
    return [
        (f"{names.path}.{names.router}", prefix + names.router_class, router),
        (f"{names.path}.{names.router}.choice", prefix + names.router_class, routing(tokens, how)),
        named(f"experts.{up}", product(fan_in=width, fan_out=fan_out)),
        *([named("experts.multiply", gated)] if names.gated else []),
        named("experts.down_proj", product(fan_in=inner, fan_out=width)),
        named("experts.weighted_sum", weighted_sum(tokens, block.chosen, width)),
        *([] if names.clamped else [activation]),
        *_shared(shape, block, tokens),
    ]


def _shared(shape: Shape, block: Experts, tokens: int) -> list[Row]:
    """The block that every token passes beside its experts, and the sum of both."""
    names = layout(shape).mixture
    if names is None or names.shared is None or not block.shared:
        return []
    added = nonlinear.residual(tokens * shape.width, tokens * shape.width)
    rows = dense_block(shape, names.shared, block.shared, tokens, bias=False)
    if names.shared_gate is not None:
        weighed = formulas.linear(tokens, shape.width, 1, bias=False)
        rows.append((names.shared_gate, "Linear", weighed))
    return [*rows, (names.sum or f"{names.path}.residual.0", "Residual", added)]


def _product(rows: int, fan_in: int, fan_out: int, used: float, bias: bool) -> Tally:
    """A layer of each expert, whose weights are read for as many experts as are expected."""
    tally = expert_product(rows, fan_in, fan_out, used, bias=bias)
    # Values that are read are whole, as those that hooks count.
    read = {op: round(tally.ops[op]) for op in (Op.WEIGHT_READ, Op.VECTOR_READ)}
    return tally._replace(ops={**tally.ops, **read})
