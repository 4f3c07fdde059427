"""The table of a measured analog run, in closed form from shapes alone. No torch, no weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Unpack

from energy import formulas
from energy.counts import About, Counts, LayerCount, Tally
from energy.formulas import Conventions, nonlinear
from energy.formulas.attention import Product, analog_attention
from hwmodels import Op
from neurt.closed_form.passes import Pass
from neurt.families import Shape, family_of, label

#: Name within a transformer layer, class and counts.
Row = tuple[str, str, Tally]

#: Class of each activation in transformers, by its name there, and what it costs.
_ACTIVATIONS = {
    "gelu_new": ("NewGELUActivation", nonlinear.gelu_tanh),
    "gelu": ("GELUActivation", nonlinear.gelu_erf),
    "relu": ("ReLU", nonlinear.relu),
    "silu": ("SiLUActivation", nonlinear.silu),
}


def plan_asa(
    shape: Shape,
    what: Pass,
    conventions: Conventions = Conventions(),  # noqa: B008 - frozen
    **about: Unpack[About],
) -> Counts:
    """Counts of the analog model."""
    layer = _layer(shape, what, conventions)  # all are alike
    return whole_model("asa", shape, what, lambda _prefix: layer, conventions, about)


def _layer(shape: Shape, what: Pass, conventions: Conventions) -> list[Row]:
    family, rows = family_of(shape.model_type), what.batch * what.queries
    attention, feedforward = family.attention, family.feedforward
    product = Product(
        what.batch * shape.heads,
        what.queries,
        what.keys,
        shape.head_width,
        what.batch * shape.kv_heads,
        conventions.attention,
    )
    softmax = nonlinear.softmax(*product[:3], attention=conventions.attention)

    def linear(name: str, fan_in: int, fan_out: int, bias: bool) -> Row:
        tally = formulas.linear(rows, fan_in, fan_out, bias=bias)
        return name, family.linear, tally

    def of_attention(part: str, kind: str, tally: Tally) -> Row:
        return f"{attention.path}.{part}", kind, tally

    return [
        norm(family.norms[0], shape, rows),
        *(
            linear(f"{attention.path}.{name}", shape.width, fan_out, shape.qkv_bias)
            for name, fan_out in projections(shape)
        ),
        linear(
            f"{attention.path}.{attention.output}", shape.query_width, shape.width, shape.out_bias
        ),
        *rotary(shape, what),
        of_attention("core.scores", "MatMul", analog_attention("scores", product)),
        of_attention("core.softmax", "ScaledSoftmax", softmax),
        of_attention("core.mix", "MatMul", analog_attention("mix", product)),
        norm(family.norms[1], shape, rows),
        *(
            linear(feedforward.name(part), shape.width, shape.inner, shape.ffn_bias)
            for part in feedforward.into_hidden
        ),
        linear(feedforward.name(feedforward.down), shape.inner, shape.width, shape.ffn_bias),
        *activation(shape, rows),
        *residuals(shape, rows),
    ]


def residuals(shape: Shape, rows: int) -> list[Row]:
    """The additions to the residual stream: what attention and what the feed-forward block made."""
    tally = nonlinear.residual(rows * shape.width, rows * shape.width)
    return [(f"residual.{at}", "Residual", tally) for at in range(2)]


def norm(name: str, shape: Shape, rows: int) -> Row:
    """A norm of so many vectors."""
    family = family_of(shape.model_type)
    if family.norm == "LayerNorm":
        tally = nonlinear.layer_norm(rows, shape.width)
        return name, family.norm, tally
    tally = nonlinear.rms_norm(rows, shape.width)
    return name, family.classes[shape.model_type] + family.norm, tally


def projections(shape: Shape) -> list[tuple[str, int]]:
    """The layers that make Q, K and V, and the channels that each of them makes."""
    names = family_of(shape.model_type).attention.inputs
    widths = [shape.query_width, shape.kv_width, shape.kv_width]
    return list(zip(names, [sum(widths)] if len(names) == 1 else widths, strict=True))


def rotary(shape: Shape, what: Pass, steps: int = 1) -> list[Row]:
    """The rotation of Q and K in each of so many time steps; none where nothing is rotated."""
    attention = family_of(shape.model_type).attention
    if not attention.rotary:
        return []
    elements = steps * what.batch * what.queries * (shape.query_width + shape.kv_width)
    # The angles of a position serve the whole batch.
    tally = nonlinear.rotary(elements, what.queries * shape.head_width)
    return [(f"{attention.path}.core.rotary", "Rotary", tally)]


def activation(shape: Shape, rows: int) -> list[Row]:
    """The activation of so many hidden vectors and, where there is a gate, its product."""
    feedforward = family_of(shape.model_type).feedforward
    kind, formula = _ACTIVATIONS[shape.activation]
    elements = rows * shape.inner
    found = [(feedforward.name(feedforward.activation), kind, formula(elements))]
    if feedforward.gate is not None:
        gated = nonlinear.multiply(elements)
        found.append((feedforward.name("multiply"), "Multiply", gated))
    return found


def whole_model(
    variant: str,
    shape: Shape,
    what: Pass,
    layer: Callable[[str], list[Row]],
    conventions: Conventions,
    about: About,
    head: Sequence[Row] = (),
) -> Counts:
    """Counts of all layers; `layer` gives the rows of a transformer layer by name and dot.

    Args:
        head: The language-model head where it is not the analog one.
    """
    family, rows = family_of(shape.model_type), what.batch * what.queries
    dense = formulas.linear(rows, shape.width, shape.vocabulary, bias=False)
    prefixes = [f"{family.layers}.{depth}." for depth in range(shape.layers)]
    named = [
        *_embeddings(shape, what),
        *(
            (prefix + name, kind, tally)
            for prefix in prefixes
            for name, kind, tally in layer(prefix)
        ),
        norm(family.final_norm, shape, rows),
        *_positions_added(shape, what),
        *(head or [("lm_head", "Linear", dense)]),
    ]
    whole: About = {**about, "batch": what.batch}
    return Counts(
        variant,
        tuple(
            LayerCount(name, kind, label(name), what.repeats, _times(tally, what.repeats))
            for name, kind, tally in named
        ),
        phase=what.phase,
        tokens=what.tokens,
        attention=str(conventions.attention),
        **whole,
    )


def _positions_added(shape: Shape, what: Pass) -> list[Row]:
    """The addition of learned positions to the token embeddings, where there are any."""
    family, rows = family_of(shape.model_type), what.batch * what.queries
    if len(family.embeddings) == 1:
        return []
    positions = rows if family.positions_by_sequence else what.queries
    tally = nonlinear.residual(rows * shape.width, positions * shape.width)
    return [(f"{family.layers.rpartition('.')[0]}.residual.0", "Residual", tally)]


def _embeddings(shape: Shape, what: Pass) -> list[Row]:
    """Look-ups of tokens, and of positions or of the angles of rotary ones."""
    family, rows = family_of(shape.model_type), what.batch * what.queries
    # One look-up of positions serves the whole batch, unless each sequence has its own.
    positions = rows if family.positions_by_sequence else what.queries
    embed = partial(formulas.embedding, width=shape.width)
    found = [
        (name, kind, embed(positions if at else rows))
        for at, (name, kind) in enumerate(family.embeddings)
    ]
    if family.angles is not None:
        angles = nonlinear.rotary_angles(what.queries, shape.head_width)
        kind = family.classes[shape.model_type] + "RotaryEmbedding"
        found.append((family.angles, kind, angles))
    return found


def _times(tally: Tally, repeats: int) -> Tally:
    ops: dict[Op, float] = {op: n * repeats for op, n in tally.ops.items() if n}
    return tally._replace(
        ops=ops,
        dense_macs=tally.dense_macs * repeats,
        spikes=tally.spikes * repeats,
        slots=tally.slots * repeats,
    ).seen(*(n if n is None else n * repeats for n in tally.looked))
