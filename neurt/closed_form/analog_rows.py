"""The rows of a planned analog layer: norms, projections, attention, feed-forward. No torch."""

from __future__ import annotations

from energy.formulas import Conventions, nonlinear
from neurt.closed_form.attention_rows import attention, normed
from neurt.closed_form.dense_rows import dense_block
from neurt.closed_form.expert_rows import experts_of
from neurt.closed_form.latent_rows import latent_attention
from neurt.closed_form.passes import Pass
from neurt.closed_form.row import Row
from neurt.closed_form.scan_rows import delta_rule, state_space, sum_of_mixers
from neurt.closed_form.shared_rows import shared_block
from neurt.families import (
    DeltaRule,
    Experts,
    LatentAttention,
    Layer,
    SelfAttention,
    Shape,
    SharedBlock,
    SideBySide,
    StateSpace,
    layout,
)


def analog_layer(shape: Shape, kind: Layer, what: Pass, conventions: Conventions) -> list[Row]:
    """The rows of a transformer layer of one kind."""
    if isinstance(kind.mixer, SharedBlock):
        return shared_block(shape, kind.mixer, what, conventions)
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
            *attention(shape, mixer.attention, what, conventions),
            *state_space(shape, mixer.state, what),
            *sum_of_mixers(shape, what),
        ]
    if isinstance(mixer, StateSpace):
        return state_space(shape, mixer, what)
    if isinstance(mixer, DeltaRule):
        return delta_rule(shape, mixer, what)
    if isinstance(mixer, LatentAttention):
        return latent_attention(shape, mixer, what, conventions)
    if not isinstance(mixer, SelfAttention):
        return []
    return attention(shape, mixer, what, conventions)


def _feedforward(shape: Shape, kind: Layer, rows: int) -> list[Row]:
    block, names = kind.feedforward, layout(shape).feedforward
    if isinstance(block, Experts):
        return experts_of(shape, block, rows)
    if block is None:
        return []
    return dense_block(shape, names, block.inner, rows, bias=shape.ffn_bias)


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
    return [(name, family.class_of_norm(shape.model_type), normed(family.norm, rows, shape.width))]
