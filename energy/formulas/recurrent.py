"""Recurrences of other kinds than those of `scan`: Mamba-1, RWKV-4 and the matrix memory of xLSTM.

What holds there holds here: the recurrence is counted token by token, whichever kernel ran; states
are cached, read once and written once per call and sequence. Flips of signs and absolute values
are free.

Sources: Gu and Dao, "Mamba", arXiv 2312.00752, section 3; Peng et al., "RWKV", arXiv 2305.13048,
section 3, in the form of transformers that keeps exponents small; Beck et al., "xLSTM", arXiv
2405.04517, section 2.3.
"""

from __future__ import annotations

from typing import NamedTuple

from energy.counts import Tally
from energy.formulas.scan import SOFTPLUS
from hwmodels import Op


class Memory(NamedTuple):
    """The sizes of the matrix memory of xLSTM."""

    heads: int  #: each with a state, an input gate and a forget gate of its own
    key_width: int  #: entries of a query or a key of a head
    value_width: int  #: entries of a value of a head


def channel_scan(sequences: int, tokens: int, channels: int, state: int) -> Tally:
    """The recurrence of Mamba-1: h = exp(dt A) h + (dt x) B, y = C h + D x, in each channel.

    Per token and channel with N entries of state: 2 N MACs (the outer product that is added to the
    state, the product of the state with C); 2 N multiplications (dt A, decay), N exponentials; 1
    multiplication each for dt x and D x, which 1 addition adds; dt = softplus(dt + bias): 1
    addition and `SOFTPLUS`. Per call and entry of A 1 exponential. A, D and the bias are read.
    """
    steps, entries = sequences * tokens * channels, channels * state
    macs = 2 * steps * state
    return Tally(
        {
            Op.MAC: macs,
            Op.MUL: steps * (2 * state + 2 + SOFTPLUS[Op.MUL]),
            Op.ADD: steps * (2 + SOFTPLUS[Op.ADD]),
            Op.CMP: steps * SOFTPLUS[Op.CMP],
            Op.EXP: steps * (state + SOFTPLUS[Op.EXP]) + entries,
            Op.VECTOR_READ: entries + 2 * channels,
            # x and dt of each channel, B and C of all of them
            Op.ACTIVATION_READ: sequences * tokens * 2 * (channels + state),
            Op.ACTIVATION_WRITE: steps,
            Op.KV_READ: sequences * entries,
            Op.KV_WRITE: sequences * entries,
        },
        dense_macs=macs,
    )


def wkv(sequences: int, tokens: int, channels: int) -> Tally:
    """The weighted mean of RWKV: all tokens before by e^(k - w age), the token itself by e^(u + k).

    Numerator and denominator are kept over e^m, with the largest exponent m. Per token and channel
    - result: m' = max(m, k + u), 1 addition, 1 comparison; e^(m - m') and e^(k + u - m'), 2
      subtractions, 2 exponentials; numerator 2 multiplications, 1 addition; denominator 1 and 1;
      1 division;
    - state: m' = max(m - w, k), and the same but for the division.
    Per call and channel 1 exponential (w = e^decay); decay and u are read. No products of matrices.
    """
    steps, states = sequences * tokens * channels, 3 * sequences * channels
    return Tally(
        {
            Op.MUL: 6 * steps,
            Op.ADD: 10 * steps,
            Op.CMP: 2 * steps,
            Op.EXP: 4 * steps + channels,
            Op.DIV: steps,
            Op.VECTOR_READ: 2 * channels,
            Op.ACTIVATION_READ: 2 * steps,
            Op.ACTIVATION_WRITE: steps,
            Op.KV_READ: states,
            Op.KV_WRITE: states,
        }
    )


def token_shift(sequences: int, tokens: int, width: int, mixes: int) -> Tally:
    """Means of a token and the one before it, x mu + x' (1 - mu), for so many projections.

    Per mix, token and channel 2 multiplications and 1 addition; 1 - mu: 1 subtraction per call,
    mix and channel. The token before the first one is cached.
    """
    made = mixes * sequences * tokens * width
    return Tally(
        {
            Op.MUL: 2 * made,
            Op.ADD: made + mixes * width,
            Op.VECTOR_READ: mixes * width,
            Op.ACTIVATION_READ: sequences * tokens * width,
            Op.ACTIVATION_WRITE: made,
            Op.KV_READ: sequences * width,
            Op.KV_WRITE: sequences * width,
        }
    )


def sigmoid_gate(elements: int) -> Tally:
    """sigmoid(r) x: per element 1 exponential, 1 addition, 1 division and 1 multiplication."""
    return Tally(
        {
            Op.EXP: elements,
            Op.ADD: elements,
            Op.DIV: elements,
            Op.MUL: elements,
            Op.ACTIVATION_READ: 2 * elements,
            Op.ACTIVATION_WRITE: elements,
        }
    )


def soft_cap(elements: int) -> Tally:
    """C tanh(x / c): per element 1 multiplication before and 1 after.

    tanh(x) = 1 - 2 / (exp(2 x) + 1): 1 multiplication, 1 exponential, 2 additions, 1 division.
    """
    return Tally(
        {
            Op.MUL: 3 * elements,
            Op.EXP: elements,
            Op.ADD: 2 * elements,
            Op.DIV: elements,
            Op.ACTIVATION_READ: elements,
            Op.ACTIVATION_WRITE: elements,
        }
    )


def matrix_memory(sequences: int, tokens: int, memory: Memory) -> Tally:
    """mLSTM: C = f C + (i k) v, n = f n + i k, result q C / max(|q n|, e^-m), exponents over e^m.

    Per token and head with K entries of a key and V of a value: 2 K V + K MACs (the outer product
    that is added to C, q C, q n); K V + K multiplications (f C, f n), K each for i k and for q /
    sqrt(K); K additions (n). Gates: log f = -softplus(-f): `SOFTPLUS`; m' = max(log f + m, i): 1
    addition, 1 comparison; f = e^(log f + m - m'), i = e^(i - m'), 2 subtractions, 2 exponentials;
    divisor 1 exponential, 1 comparison, 1 addition (epsilon); V divisions.
    """
    steps = sequences * tokens * memory.heads
    keys, values = memory.key_width, memory.value_width
    macs = steps * (2 * keys * values + keys)
    states = sequences * memory.heads * (keys * values + keys + 1)
    return Tally(
        {
            Op.MAC: macs,
            Op.MUL: steps * (keys * values + 3 * keys + SOFTPLUS[Op.MUL]),
            Op.ADD: steps * (keys + 4 + SOFTPLUS[Op.ADD]),
            Op.CMP: steps * (2 + SOFTPLUS[Op.CMP]),
            Op.EXP: steps * (3 + SOFTPLUS[Op.EXP]),
            Op.DIV: steps * values,
            Op.ACTIVATION_READ: steps * (2 * keys + values + 2),
            Op.ACTIVATION_WRITE: steps * values,
            Op.KV_READ: states,
            Op.KV_WRITE: states,
        },
        dense_macs=macs,
    )
