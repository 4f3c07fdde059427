"""The rows of a planned attention: projections, norms, rotation, products. No torch."""

from __future__ import annotations

from energy import formulas
from energy.counts import Tally
from energy.formulas import Conventions, nonlinear
from energy.formulas.attention import Product, analog_attention
from neurt.closed_form.passes import Pass
from neurt.closed_form.row import Row
from neurt.families import SelfAttention, Shape, layout
from neurt.families.family import Norm


def attention(
    shape: Shape,
    mixer: SelfAttention,
    what: Pass,
    conventions: Conventions,
    fan_in: int | None = None,
) -> list[Row]:
    """Projections, norms of Q and K, rotation and products.

    Args:
        shape: The model.
        mixer: The attention of the layer.
        what: The pass.
        conventions: Which pairs are counted.
        fan_in: Entries of a vector that is attended; None for the width of the model.
    """
    family, rows = layout(shape), what.batch * what.queries
    attention, read = family.attention, fan_in or shape.width
    product = Product(
        what.batch * shape.heads,
        what.queries,
        what.keys,
        shape.head_width,
        what.batch * shape.kv_heads,
        conventions.attention,
        mixer.window,
    )
    softmax = nonlinear.softmax(
        *product[:3],
        attention=conventions.attention,
        capped=shape.capped,
        window=mixer.window,
        sinks=shape.heads if attention.sinks else 0,
    )

    def named(part: str, kind: str, tally: Tally) -> Row:
        return f"{attention.path}.{part}", kind, tally

    return [
        *(
            named(
                name,
                family.linear,
                _linear(rows, read, fan_out, bias=shape.qkv_bias),
            )
            for name, fan_out in projections(shape)
        ),
        named(
            attention.output,
            family.linear,
            _linear(rows, shape.query_width, shape.width, bias=shape.out_bias),
        ),
        *(_norms_of_attention(shape, rows) if mixer.normed else ()),
        *(rotary(shape, what) if mixer.rotated else ()),
        *(
            named(f"core.{part}", kind, tally)
            if attention.exposed
            else named(f"({part})", part, tally)
            for part, kind, tally in (
                ("scores", "MatMul", analog_attention("scores", product)),
                ("softmax", "ScaledSoftmax", softmax),
                ("mix", "MatMul", analog_attention("mix", product)),
            )
        ),
    ]


def _norms_of_attention(shape: Shape, rows: int) -> list[Row]:
    """Those of Q and of K, over each head or over all of its channels."""
    family = layout(shape)
    attention = family.attention
    norm, width = attention.norm or family.norm, shape.head_width
    kind = family.class_of_norm(shape.model_type, norm)
    found: list[Row] = []
    for part, heads in zip(attention.norms, (shape.heads, shape.kv_heads), strict=False):
        name = f"{attention.path}.{part}"
        match attention.norm_over:
            case "all":
                found.append((name, kind, normed(norm, rows, heads * width)))
            case "head":
                found.append((name, kind, normed(norm, rows * heads, width)))
            case "head, own weights":
                tally = nonlinear.scaled_apart(normed(norm, rows * heads, width), heads)
                found.append((name, kind, tally))
            case "head, own layer":
                each = normed(norm, rows, width)
                found += [(name.format(head=head), kind, each) for head in range(heads)]
    return found


def normed(norm: Norm, rows: int, width: int) -> Tally:
    """A norm of so many vectors of so many values."""
    if norm.centred:
        return nonlinear.layer_norm(
            rows, width, scale=norm.scale, shift=norm.shift, offset=norm.offset
        )
    return nonlinear.rms_norm(rows, width, scale=norm.scale, offset=norm.offset)


def projections(shape: Shape) -> list[tuple[str, int]]:
    """The layers that make Q (and its gate), K and V, and the channels that each of them makes."""
    names = layout(shape).attention.inputs
    gated = layout(shape).attention.gated
    widths = [shape.query_width * (1 + gated), shape.kv_width, shape.kv_width]
    return list(zip(names, [sum(widths)] if len(names) == 1 else widths, strict=True))


def rotary(shape: Shape, what: Pass, steps: int = 1) -> list[Row]:
    """The rotation of Q and K in each of so many time steps; none where nothing is rotated."""
    attention = layout(shape).attention
    if not attention.rotary:
        return []
    channels = shape.rotary_width * (shape.heads + shape.kv_heads)
    elements = steps * what.batch * what.queries * channels
    # The angles of a position serve the whole batch, unless each sequence has its own.
    positions = what.queries * (what.batch if layout(shape).positions_by_sequence else 1)
    tally = nonlinear.rotary(elements, positions * shape.rotary_width)
    return [(f"{attention.path}.core.rotary", "Rotary", tally)]


def _linear(rows: int, fan_in: int, fan_out: int, *, bias: bool) -> Tally:
    return formulas.linear(rows, fan_in, fan_out, bias=bias)
