"""The rows of a planned attention whose cache holds a latent vector (DeepSeek). No torch.

Keys and values are expanded for all tokens, in decode too, as the modules of transformers do it;
what a kernel that absorbs the expansion does instead is in `energy.formulas.latent`.
"""

from __future__ import annotations

from energy import formulas
from energy.counts import Tally
from energy.formulas import Conventions, nonlinear
from energy.formulas.attention import Product
from energy.formulas.latent import Latent, expanded_attention, expansion
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
    expanded = expansion(what.batch, what.keys, latent, heads * (mixer.nope + mixer.value))
    of_values = product._replace(width=mixer.value)
    parts: list[tuple[str, str, Tally]] = [
        ("scores", "MatMul", expanded_attention("scores", product, what.batch, latent)),
        ("softmax", "ScaledSoftmax", softmax),
        ("mix", "MatMul", expanded_attention("mix", of_values, what.batch, latent)),
    ]
    return [
        *queries,
        dense(down, shape.width, mixer.rank + mixer.rotary, bias=shape.qkv_bias),
        normed(norm, mixer.rank),
        (f"{path}.{up}", family.linear, expanded),
        dense(family.attention.output, heads * mixer.value, shape.width, bias=shape.out_bias),
        *((f"{path}.core.{part}", kind, tally) for part, kind, tally in parts),
    ]
