"""Layers whose memory is a state of fixed size: a short convolution and a recurrence (a scan).

What is counted is the recurrence, token by token, which is what decode does. In prefill it is the
same number for each token, whichever algorithm ran: kernels that work on chunks of tokens get the
same result with more products (of each token with those of its chunk before it), which are not
the model's.

States are cached: read once and written once per call and sequence, those of a whole prefill too.
Parameters of a head are read once per call; A = -exp(A_log) is made of them then.

Sources: Dao and Gu, "Transformers are SSMs", arXiv 2405.21060, sections 3 and 7 (Mamba-2); Yang,
Kautz and Hatamizadeh, "Gated Delta Networks", arXiv 2412.06464, equation 10.
"""

from __future__ import annotations

from typing import NamedTuple

from energy.counts import Tally
from energy.formulas.nonlinear import rms_norm, silu
from hwmodels import Op


class Scan(NamedTuple):
    """The sizes of the recurrence of Mamba-2."""

    heads: int  #: H, each with a step and a decay of its own
    width: int  #: channels of a head P
    state: int  #: entries of the state for each channel N
    groups: int  #: G of heads that share B and C

    @property
    def channels(self) -> int:
        """Channels of x, and of the result."""
        return self.heads * self.width

    @property
    def convolved(self) -> int:
        """Channels that are convolved before: x, B and C."""
        return self.channels + 2 * self.groups * self.state

    @property
    def made(self) -> int:
        """What the input projection makes: the gate, x, B, C, and a step for each head."""
        return self.channels + self.convolved + self.heads


class Delta(NamedTuple):
    """The sizes of the recurrence of gated delta networks."""

    heads: int  #: of values, each with a state, a decay and a strength of its own
    key_heads: int  #: of queries and keys, each of which several of the others share
    key_width: int  #: entries of a query or a key of a head
    value_width: int  #: entries of a value of a head

    @property
    def keys(self) -> int:
        """Channels of Q, and of K."""
        return self.key_heads * self.key_width

    @property
    def values(self) -> int:
        """Channels of V, and of the result."""
        return self.heads * self.value_width

    @property
    def convolved(self) -> int:
        """Channels that are convolved before: Q, K and V."""
        return 2 * self.keys + self.values


def causal_convolution(
    sequences: int, tokens: int, channels: int, kernel: int, *, bias: bool
) -> Tally:
    """Each channel with a kernel of its own over a token and the `kernel - 1` before it.

    Per token and channel `kernel` MACs, those with the zeros before the first token too. The cache
    holds the inputs of `kernel - 1` tokens.
    """
    values = sequences * tokens * channels
    cached = sequences * channels * (kernel - 1)
    return Tally(
        {
            Op.MAC: values * kernel,
            Op.WEIGHT_READ: channels * kernel,
            Op.VECTOR_READ: channels if bias else 0,
            Op.ACTIVATION_READ: values,
            Op.ACTIVATION_WRITE: values,
            Op.KV_READ: cached,
            Op.KV_WRITE: cached,
        },
        dense_macs=values * kernel,
    )


def selective_scan(sequences: int, tokens: int, scan: Scan) -> Tally:
    """The recurrence of Mamba-2: h = exp(dt A) h + (dt x) B, y = C h + D x.

    Per token and head of P channels with N entries of state each: 2 P N MACs (the outer product
    that is added to the state, the product of the state with C); P N multiplications (decay); P
    each for dt x and for D x, which P additions add; 1 multiplication and 1 exponential for exp(dt
    A); dt = softplus(dt + bias): 1 addition and `SOFTPLUS`. Per call and head 1 exponential for A;
    A, D and the bias of the step are read.
    """
    steps = sequences * tokens * scan.heads
    entries = scan.width * scan.state
    macs = 2 * steps * entries
    states = sequences * scan.heads * entries
    return Tally(
        {
            Op.MAC: macs,
            Op.MUL: steps * (entries + 2 * scan.width + 1 + SOFTPLUS[Op.MUL]),
            Op.ADD: steps * (scan.width + 1 + SOFTPLUS[Op.ADD]),
            Op.CMP: steps * SOFTPLUS[Op.CMP],
            Op.EXP: steps * (1 + SOFTPLUS[Op.EXP]) + scan.heads,
            Op.VECTOR_READ: 3 * scan.heads,
            Op.ACTIVATION_READ: sequences * tokens * (scan.convolved + scan.heads),
            Op.ACTIVATION_WRITE: sequences * tokens * scan.channels,
            Op.KV_READ: states,
            Op.KV_WRITE: states,
        },
        dense_macs=macs,
    )


#: softplus(x) = max(x, 0) + ln(1 + exp(-|x|)). No price list knows a logarithm, so it is spelled
#: in operations that they do know: ln(1 + u) of u from 0 to 1 by the polynomial of degree 8 of
#: Abramowitz and Stegun, "Handbook of Mathematical Functions", 4.1.44, off by about 3e-8.
#: 1 comparison, 1 exponential, 8 multiplications and 7 additions after Horner, 1 for the sum.
SOFTPLUS = {Op.CMP: 1, Op.EXP: 1, Op.MUL: 8, Op.ADD: 8}


def gated_delta(sequences: int, tokens: int, delta: Delta) -> Tally:
    """The gated delta rule: S = a S, then S = S + k b (v - k S), and the result is q S.

    Per token and head with a state of K x V entries: 3 K V MACs (k S, the outer product, q S); K V
    multiplications (decay); V subtractions and V multiplications by b. Gates: a = exp(-A
    softplus(x + bias)), 1 addition, `SOFTPLUS`, 1 multiplication, 1 exponential; b = sigmoid, 1
    exponential, 1 addition, 1 division. Per call and head 1 exponential for A; A and the bias are
    read. Each query and key of a key head is divided by its length: K multiplications (squares), K
    additions (their sum, epsilon), 1 square root, 1 division, K multiplications; a query is also
    scaled, K more.
    """
    rows = sequences * tokens
    steps, vectors = rows * delta.heads, 2 * rows * delta.key_heads
    entries = delta.key_width * delta.value_width
    macs = 3 * steps * entries
    states = sequences * delta.heads * entries
    normed = vectors * delta.key_width
    gates = rows * 2 * delta.heads
    return Tally(
        {
            Op.MAC: macs,
            Op.MUL: steps * (entries + delta.value_width + 1 + SOFTPLUS[Op.MUL])
            + 2 * normed
            + normed // 2,
            Op.ADD: steps * (delta.value_width + 2 + SOFTPLUS[Op.ADD]) + normed,
            Op.CMP: steps * SOFTPLUS[Op.CMP],
            Op.EXP: steps * (2 + SOFTPLUS[Op.EXP]) + delta.heads,
            Op.DIV: steps + vectors,
            Op.SQRT: vectors,
            Op.VECTOR_READ: 2 * delta.heads,
            Op.ACTIVATION_READ: rows * delta.convolved + gates,
            Op.ACTIVATION_WRITE: rows * delta.values,
            Op.KV_READ: states,
            Op.KV_WRITE: states,
        },
        dense_macs=macs,
    )


def gated_norm(rows: int, width: int, groups: int = 1) -> Tally:
    """RMSNorm of each of some groups of channels, before or after a product with silu(gate).

    `rows` vectors of `width` channels; the scale is one for each channel. Per channel, beside the
    norm: `silu` and 1 multiplication. The gate is read, too.
    """
    normed, gate = rms_norm(rows * groups, width // groups), silu(rows * width)
    ops = {op: normed.ops.get(op, 0) + gate.ops.get(op, 0) for op in {*normed.ops, *gate.ops}}
    ops[Op.MUL] += rows * width
    ops[Op.VECTOR_READ] = width
    ops[Op.ACTIVATION_WRITE] = rows * width
    return Tally(ops)
