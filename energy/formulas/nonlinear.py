"""What the non-linear functions cost, as pure functions of shapes, each with its decomposition."""

from __future__ import annotations

from collections.abc import Mapping

from energy.counts import Tally
from energy.formulas.conventions import Attention, Window, pairs
from energy.formulas.layers import embedding
from hwmodels import Op


def softmax(
    heads: int,
    queries: int,
    keys: int,
    *,
    attention: Attention,
    capped: bool = False,
    window: Window | None = None,
    sinks: int = 0,
) -> Tally:
    """Scaled softmax over each row of scores of an attention; see `softmax_of`."""
    elements = heads * pairs(queries, keys, attention, window)
    return softmax_of(elements, heads * queries, capped=capped, sinks=sinks)


def softmax_of(elements: int, rows: int, *, capped: bool = False, sinks: int = 0) -> Tally:
    """Scaled softmax over rows of `n` scores each, `elements` in all.

    Per row: n multiplications (scale), n - 1 comparisons (maximum), n subtractions, n
    exponentials, n - 1 additions (sum), n divisions. Capped (Gemma 2), each score `s` first
    becomes c tanh(s / c): 2 multiplications by constants, and tanh as in `gelu_tanh` (1
    multiplication, 1 exponential, 2 additions, 1 division). With attention sinks (gpt-oss), each
    row has one score more, learned for each of `sinks` heads, which takes part in the maximum and
    the sum and has no weight: 1 comparison, 1 subtraction, 1 exponential, 1 addition.
    """
    sunk = rows if sinks else 0
    ops = {
        Op.MUL: (1 + 3 * capped) * elements,
        Op.CMP: elements - rows + sunk,
        Op.ADD: (2 + 2 * capped) * elements - rows + 2 * sunk,
        Op.EXP: (1 + capped) * elements + sunk,
        Op.DIV: (1 + capped) * elements,
        Op.VECTOR_READ: sinks,
    }
    return _passing(elements, ops)


def layer_norm(
    rows: int,
    width: int,
    *,
    scale: bool = True,
    shift: bool = True,
    offset: bool = False,
) -> Tally:
    """LayerNorm over vectors of `d` values.

    Per row: mean (d - 1 additions, 1 multiplication), centring (d subtractions), variance (d
    multiplications, d - 1 additions, 1 multiplication), epsilon (1 addition), 1 square root,
    1 division, normalising (d multiplications), and, where there are any, scale (d
    multiplications) and shift (d additions). With `offset` the scale is 1 + weight: d additions
    per call.
    """
    ops = {
        Op.ADD: rows * ((3 + shift) * width - 1) + offset * width,
        Op.MUL: rows * ((2 + scale) * width + 2),
        Op.SQRT: rows,
        Op.DIV: rows,
        Op.VECTOR_READ: (scale + shift) * width,
    }
    return _passing(rows * width, ops)


def rms_norm(rows: int, width: int, *, scale: bool = True, offset: bool = False) -> Tally:
    """RMSNorm over vectors of `d` values: x / sqrt(mean(x^2) + epsilon), times a scale.

    Per row: squares (d multiplications), their mean (d - 1 additions, 1 multiplication), epsilon
    (1 addition), 1 square root, 1 division, normalising (d multiplications), and, where there is
    one, scale (d multiplications). With `offset` (Gemma) the scale is 1 + weight: d additions per
    call.

    Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", arXiv 1910.07467.
    """
    ops = {
        Op.ADD: rows * width + offset * width,
        Op.MUL: rows * ((2 + scale) * width + 1),
        Op.SQRT: rows,
        Op.DIV: rows,
        Op.VECTOR_READ: scale * width,
    }
    return _passing(rows * width, ops)


def scaled_apart(tally: Tally, heads: int) -> Tally:
    """A norm whose vectors are those of so many heads, each with weights of its own."""
    return tally._replace(ops={**tally.ops, Op.VECTOR_READ: heads * tally.ops[Op.VECTOR_READ]})


def gelu_tanh(elements: int) -> Tally:
    """GELU by the tanh form: 0.5 x (1 + tanh(c (x + 0.044715 x^3))).

    Per element: x^3 (2 multiplications), 0.044715 (1), c (1), sum (1 addition); tanh(u) = 1 -
    2 / (exp(2 u) + 1): 1 multiplication, 1 exponential, 2 additions, 1 division; 1 + tanh
    (1 addition), 0.5 x (1 multiplication), product (1 multiplication).
    """
    return _elementwise(elements, {Op.MUL: 7, Op.ADD: 4, Op.EXP: 1, Op.DIV: 1})


def gelu_erf(elements: int) -> Tally:
    """Exact GELU, 0.5 x (1 + erf(x / sqrt 2)), with erf by the rational form of Hastings.

    No price list knows an erf, so it is spelled in operations that they do know: erf(|u|) = 1 -
    (a1 t + ... + a5 t^5) exp(-u^2), t = 1 / (1 + p |u|), off by at most 1.5e-7, about the rounding
    of FP32. Per element: u (1 multiplication), its sign (1 comparison; putting it back is one
    bit), t (1 multiplication, 1 addition, 1 division), the polynomial after Horner (5
    multiplications, 4 additions), u^2 (1 multiplication), 1 exponential, their product (1
    multiplication), 1 - it (1 addition); 1 + erf (1 addition), 0.5 x (1 multiplication), product
    (1 multiplication).

    Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26.
    """
    return _elementwise(elements, {Op.MUL: 11, Op.ADD: 7, Op.CMP: 1, Op.EXP: 1, Op.DIV: 1})


def silu(elements: int) -> Tally:
    """SiLU, x sigmoid(x), sigmoid(x) = 1 / (1 + exp(-x)).

    Per element: 1 exponential, 1 addition, 1 division, 1 multiplication; a sign costs nothing.
    """
    return _elementwise(elements, {Op.EXP: 1, Op.ADD: 1, Op.DIV: 1, Op.MUL: 1})


def quick_gelu(elements: int) -> Tally:
    """GELU by a sigmoid, x sigmoid(1.702 x): as `silu`, with 1 multiplication more."""
    return _elementwise(elements, {Op.EXP: 1, Op.ADD: 1, Op.DIV: 1, Op.MUL: 2})


def relu_squared(elements: int) -> Tally:
    """Squared ReLU: one comparison and one multiplication per element."""
    return _elementwise(elements, {Op.CMP: 1, Op.MUL: 1})


def rotary(elements: int, angles: int) -> Tally:
    """Rotary positions, x cos + rotate_half(x) sin, applied to queries and keys.

    Per rotated element of queries and keys 2 multiplications and 1 addition; the rotation of halves
    moves data and flips signs. Channels that are not rotated stay where they are. `angles` are the
    cosines and sines that are read, each once: tokens x rotated channels, since the two channels of
    a pair share both.
    """
    return Tally(
        {
            Op.MUL: 2 * elements,
            Op.ADD: elements,
            Op.ACTIVATION_READ: (elements + angles),
            Op.ACTIVATION_WRITE: elements,
        }
    )


def rotary_angles(positions: int, channels: int) -> Tally:
    """The cosine and the sine of each position and pair of channels: a look-up, no arithmetic.

    They depend on the position and on nothing else, so they are constants of the model, as learned
    position embeddings are. Per position `channels` values are read: half of them cosines.
    """
    return embedding(positions, channels)


def multiply(elements: int) -> Tally:
    """The product of two tensors: one multiplication per element, two operands read."""
    return Tally(
        {
            Op.MUL: elements,
            Op.ACTIVATION_READ: 2 * elements,
            Op.ACTIVATION_WRITE: elements,
        }
    )


def residual(elements: int, added: int) -> Tally:
    """The residual stream and what is added to it: one addition per element of the stream.

    `added` is smaller where it is broadcast, as positions are over a batch.
    """
    return Tally(
        {
            Op.ADD: elements,
            Op.ACTIVATION_READ: elements + added,
            Op.ACTIVATION_WRITE: elements,
        }
    )


def _elementwise(elements: int, each: Mapping[Op, int]) -> Tally:
    return _passing(elements, {op: n * elements for op, n in each.items()})


def _passing(traffic: int, ops: dict[Op, int]) -> Tally:
    """A function that reads and writes so many activations."""
    return Tally({**ops, Op.ACTIVATION_READ: traffic, Op.ACTIVATION_WRITE: traffic})


def relu(elements: int) -> Tally:
    """ReLU: one comparison per element."""
    return _elementwise(elements, {Op.CMP: 1})


def row_normalise(rows: int, width: int, events: int) -> Tally:
    """Division of `rows` vectors by the sum of the events that made them.

    Per event 1 addition (to the sum of its row); per row 1 division (reciprocal) and `width`
    multiplications.
    """
    ops = {Op.ADD: events, Op.DIV: rows, Op.MUL: rows * width}
    return _passing(rows * width, ops)


def row_scale(elements: int) -> Tally:
    """One multiplication per element."""
    return _elementwise(elements, {Op.MUL: 1})
