"""The rows of a planned dense feed-forward block. No torch."""

from __future__ import annotations

from energy import formulas
from energy.formulas import nonlinear
from neurt.closed_form.activations import ACTIVATIONS
from neurt.closed_form.row import Row
from neurt.families import Shape, layout
from neurt.families.family import FeedForward


def dense_block(
    shape: Shape, names: FeedForward, inner: int, rows: int, *, bias: bool
) -> list[Row]:
    """Projections of so many vectors to the hidden layer and from it, and what is between them."""
    kind, into = layout(shape).linear, inner * (2 if names.fused else 1)
    up = formulas.linear(rows, shape.width, into, bias=bias)
    down = formulas.linear(rows, inner, shape.width, bias=bias)
    return [
        *((names.name(part), kind, up) for part in names.into_hidden),
        (names.name(names.down), kind, down),
        *activation(shape, names, rows, inner),
    ]


def activation(shape: Shape, names: FeedForward, rows: int, inner: int) -> list[Row]:
    """The activation of so many hidden vectors and, where there is a gate, its product."""
    kind, formula = ACTIVATIONS[shape.activation]
    found = [(names.name(names.activation), kind, formula(rows * inner))]
    if names.gated:
        found.append((names.name("multiply"), "Multiply", nonlinear.multiply(rows * inner)))
    return found
