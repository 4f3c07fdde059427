"""The rows of a planned analog layer: norms, projections, attention, feed-forward. No torch."""

from __future__ import annotations

from energy import formulas
from energy.counts import Tally
from energy.formulas import Conventions, nonlinear
from energy.formulas.attention import Product, analog_attention
from neurt.closed_form.dense_rows import dense_block
from neurt.closed_form.expert_rows import experts_of
from neurt.closed_form.latent_rows import latent_attention
from neurt.closed_form.passes import Pass
from neurt.closed_form.row import Row
from neurt.closed_form.scan_rows import delta_rule, state_space, sum_of_mixers
from neurt.families import (
    DeltaRule,
    Experts,
    LatentAttention,
    Layer,
    SelfAttention,
    Shape,
    SideBySide,
    StateSpace,
    layout,
)
from neurt.families.family import Norm


def analog_layer(shape: Shape, kind: Layer, what: Pass, conventions: Conventions) -> list[Row]:
    """The rows of a transformer layer of one kind."""
    rows = what.batch * what.queries
    before, inside, after, last = layout(shape).norms.of(kind)
    return [
        *norms_named(before, shape, rows),
        *_mixer(shape, kind, what, conventions),
        *norms_named(after, shape, rows),
        *norms_named(inside, shape, rows),
        *_feedforward(shape, kind, rows),
        *norms_named(last, shape, rows),
        *residuals(shape, rows, kind),
    ]


def _mixer(shape: Shape, kind: Layer, what: Pass, conventions: Conventions) -> list[Row]:
    mixer = kind.mixer
    if isinstance(mixer, SideBySide):
        return [
            *_attention(shape, mixer.attention, what, conventions),
            *state_space(shape, mixer.state, what),
            *sum_of_mixers(shape, what),
        ]
    if isinstance(mixer, StateSpace):
        return state_space(shape, mixer, what)
    if isinstance(mixer, DeltaRule):
        return delta_rule(shape, mixer, what)
    if isinstance(mixer, LatentAttention):
        return latent_attention(shape, mixer, what, conventions)
    return [] if mixer is None else _attention(shape, mixer, what, conventions)


def _attention(
    shape: Shape, mixer: SelfAttention, what: Pass, conventions: Conventions
) -> list[Row]:
    family, rows = layout(shape), what.batch * what.queries
    attention = family.attention
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
            named(name, family.linear, _linear(rows, shape.width, fan_out, bias=shape.qkv_bias))
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
                found.append((name, kind, _norm(norm, rows, heads * width)))
            case "head":
                found.append((name, kind, _norm(norm, rows * heads, width)))
            case "head, own weights":
                tally = nonlinear.scaled_apart(_norm(norm, rows * heads, width), heads)
                found.append((name, kind, tally))
            case "head, own layer":
                each = _norm(norm, rows, width)
                found += [(name.format(head=head), kind, each) for head in range(heads)]
    return found


def _feedforward(shape: Shape, kind: Layer, rows: int) -> list[Row]:
    block, names = kind.feedforward, layout(shape).feedforward
    if isinstance(block, Experts):
        return experts_of(shape, block, rows)
    if block is None:
        return []
    return dense_block(shape, names, block.inner, rows, bias=shape.ffn_bias)


def _linear(rows: int, fan_in: int, fan_out: int, *, bias: bool) -> Tally:
    return formulas.linear(rows, fan_in, fan_out, bias=bias)


def residuals(shape: Shape, rows: int, kind: Layer | None = None) -> list[Row]:
    """The additions to the residual stream: what attention and what the feed-forward block made.

    Without one of the two, where a layer is of a kind that has it not.
    """
    tally = nonlinear.residual(rows * shape.width, rows * shape.width)
    blocks = (True, True) if kind is None else (kind.mixer, kind.feedforward)
    names = zip(layout(shape).residuals, blocks, strict=True)
    return [(name, "Residual", tally) for name, block in names if block is not None]


def norms_named(name: str | None, shape: Shape, rows: int) -> list[Row]:
    """The norm of so many vectors of the residual stream; none where it has no name."""
    family = layout(shape)
    if name is None:
        return []
    return [(name, family.class_of_norm(shape.model_type), _norm(family.norm, rows, shape.width))]


def _norm(norm: Norm, rows: int, width: int) -> Tally:
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
