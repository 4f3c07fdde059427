"""What the non-linear functions cost, as pure functions of shapes, each with its decomposition."""

from __future__ import annotations

from energy.counts import Tally
from energy.formulas import Attention, pairs
from hwmodels import Op


def softmax(
    heads: int, queries: int, keys: int, *, attention: Attention, value_bytes: int
) -> Tally:
    """Scaled softmax over each row of `n` scores.

    Per row: n multiplications (scale), n - 1 comparisons (maximum), n subtractions, n
    exponentials, n - 1 additions (sum), n divisions.
    """
    elements = heads * pairs(queries, keys, attention)
    rows = heads * queries
    return Tally(
        {
            Op.MUL: elements,
            Op.CMP: elements - rows,
            Op.ADD: 2 * elements - rows,
            Op.EXP: elements,
            Op.DIV: elements,
            Op.ACTIVATION_READ: elements * value_bytes,
            Op.ACTIVATION_WRITE: elements * value_bytes,
        },
    )


def layer_norm(
    rows: int, width: int, *, scale: bool = True, shift: bool = True, value_bytes: int
) -> Tally:
    """LayerNorm over vectors of `d` values.

    Per row: mean (d - 1 additions, 1 multiplication), centring (d subtractions), variance (d
    multiplications, d - 1 additions, 1 multiplication), epsilon (1 addition), 1 square root,
    1 division, normalising (d multiplications), and, where there are any, scale (d
    multiplications) and shift (d additions).
    """
    return Tally(
        {
            Op.ADD: rows * ((3 + shift) * width - 1),
            Op.MUL: rows * ((2 + scale) * width + 2),
            Op.SQRT: rows,
            Op.DIV: rows,
            Op.VECTOR_READ: (scale + shift) * width * value_bytes,
            Op.ACTIVATION_READ: rows * width * value_bytes,
            Op.ACTIVATION_WRITE: rows * width * value_bytes,
        }
    )


def gelu_tanh(elements: int, *, value_bytes: int) -> Tally:
    """GELU by the tanh form: 0.5 x (1 + tanh(c (x + 0.044715 x^3))).

    Per element: x^3 (2 multiplications), 0.044715 (1), c (1), sum (1 addition); tanh(u) = 1 -
    2 / (exp(2 u) + 1): 1 multiplication, 1 exponential, 2 additions, 1 division; 1 + tanh
    (1 addition), 0.5 x (1 multiplication), product (1 multiplication).
    """
    return Tally(
        {
            Op.MUL: 7 * elements,
            Op.ADD: 4 * elements,
            Op.EXP: elements,
            Op.DIV: elements,
            Op.ACTIVATION_READ: elements * value_bytes,
            Op.ACTIVATION_WRITE: elements * value_bytes,
        },
    )


def relu(elements: int, *, value_bytes: int) -> Tally:
    """ReLU: one comparison per element."""
    return Tally(
        {
            Op.CMP: elements,
            Op.ACTIVATION_READ: elements * value_bytes,
            Op.ACTIVATION_WRITE: elements * value_bytes,
        },
    )


def row_normalise(rows: int, width: int, events: int, *, value_bytes: int) -> Tally:
    """Division of `rows` vectors by the sum of the events that made them.

    Per event 1 addition (to the sum of its row); per row 1 division (reciprocal) and `width`
    multiplications.
    """
    return Tally(
        {
            Op.ADD: events,
            Op.DIV: rows,
            Op.MUL: rows * width,
            Op.ACTIVATION_READ: rows * width * value_bytes,
            Op.ACTIVATION_WRITE: rows * width * value_bytes,
        },
    )


def row_scale(elements: int, *, value_bytes: int) -> Tally:
    """One multiplication per element."""
    return Tally(
        {
            Op.MUL: elements,
            Op.ACTIVATION_READ: elements * value_bytes,
            Op.ACTIVATION_WRITE: elements * value_bytes,
        },
    )
