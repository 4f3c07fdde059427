"""The rows of a planned attention whose cache holds a latent vector (DeepSeek). No torch.

Keys and values are expanded for all tokens, in decode too, as the modules of transformers do it,
unless the convention is that decode absorbs the expansion: see `energy.formulas.latent`.
"""

from __future__ import annotations

from energy import formulas
from energy.counts import Tally
from energy.formulas import Conventions, Mla, nonlinear
from energy.formulas.attention import Product
from energy.formulas.latent import (
    ABSORBED,
    Latent,
    absorbed_attention,
    expanded_attention,
    expansion,
)
from neurt.closed_form.passes import Pass
from neurt.closed_form.row import Row
from neurt.families import LatentAttention, Shape, layout


def latent_attention(
    shape: Shape, mixer: LatentAttention, what: Pass, conventions: Conventions
) -> list[Row]:
    """Its projections and norms, the expansion, and the products."""
    family, rows = layout(shape), what.batch * what.queries
    path = family.attention.path
    heads, whole = shape.heads, mixer.nope + mixer.rotary
    latent = Latent(mixer.rank, mixer.rotary)
    product = Product(
        what.batch * heads,
        what.queries,
        what.keys,
        whole,
        what.batch * heads,
        conventions.attention,
    )
    softmax = nonlinear.softmax(*product[:3], attention=conventions.attention)
    of_query, query_down, query_up, down, up = family.attention.inputs
    query_norm, norm = family.attention.norms
    kind = family.class_of_norm(shape.model_type)

    def dense(name: str, fan_in: int, fan_out: int, *, bias: bool = False) -> Row:
        tally = formulas.linear(rows, fan_in, fan_out, bias=bias)
        return f"{path}.{name}", family.linear, tally

    def normed(name: str, width: int) -> Row:
        return f"{path}.{name}", kind, nonlinear.rms_norm(rows, width)

    queries = (
        [
            dense(query_down, shape.width, mixer.query_rank, bias=shape.qkv_bias),
            normed(query_norm, mixer.query_rank),
            dense(query_up, mixer.query_rank, heads * whole),
        ]
        if mixer.query_rank
        else [dense(of_query, shape.width, heads * whole)]
    )
    is_absorbed = conventions.mla is Mla.ABSORBED and what.queries < what.keys
    form = _absorbed if is_absorbed else _expanded
    of_expansion, scores, mix = form(product, mixer, what, latent)
    parts: list[tuple[str, str, Tally]] = [
        ("scores", "MatMul", scores),
        ("softmax", "ScaledSoftmax", softmax),
        ("mix", "MatMul", mix),
    ]
    return [
        *queries,
        dense(down, shape.width, mixer.rank + mixer.rotary, bias=shape.qkv_bias),
        normed(norm, mixer.rank),
        *((f"{path}.{up}{part}", family.linear, tally) for part, tally in of_expansion.items()),
        *_rotation(shape, mixer, what),
        dense(family.attention.output, heads * mixer.value, shape.width, bias=shape.out_bias),
        *((f"{path}.core.{part}", kind, tally) for part, kind, tally in parts),
    ]


#: Rows of the expansion by what stands behind its name, and those of the two products.
_Form = tuple[dict[str, Tally], Tally, Tally]


def _expanded(product: Product, mixer: LatentAttention, what: Pass, latent: Latent) -> _Form:
    heads = product.heads // what.batch
    made = expansion(what.batch, what.keys, latent, heads * (mixer.nope + mixer.value))
    scores = expanded_attention("scores", product, what.batch, latent)
    of_values = product._replace(width=mixer.value)
    return {"": made}, scores, expanded_attention("mix", of_values, what.batch, latent)


def _absorbed(product: Product, mixer: LatentAttention, what: Pass, latent: Latent) -> _Form:
    one_for_each = product._replace(kv_heads=what.batch)
    found = absorbed_attention(one_for_each, mixer.value, mixer.nope, latent)
    return {f".{part}": found[part] for part in ABSORBED}, found["scores"], found["mix"]


def _rotation(shape: Shape, mixer: LatentAttention, what: Pass) -> list[Row]:
    """The rotation of the queries of all heads and of the one key that they share."""
    attention = layout(shape).attention
    if not attention.rotary:
        return []
    elements = what.batch * what.queries * mixer.rotary * (shape.heads + 1)
    tally = nonlinear.rotary(elements, what.queries * mixer.rotary)
    return [(f"{attention.path}.core.rotary", "Rotary", tally)]
