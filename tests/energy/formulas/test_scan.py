from __future__ import annotations

from collections import Counter
from math import exp, log1p
from typing import ClassVar

import pytest

from energy.formulas.nonlinear import rms_norm
from energy.formulas.scan import (
    SOFTPLUS,
    Delta,
    Scan,
    causal_convolution,
    gated_delta,
    gated_norm,
    selective_scan,
)
from hwmodels import Op

# Abramowitz and Stegun, 4.1.44.
_LOG = (
    *(0.9999964239, -0.4998741238, 0.3317990258, -0.2407338084),
    *(0.1676540711, -0.0953293897, 0.0360884937, -0.0064535442),
)


class Number:
    """A number that counts what is done with it."""

    done: ClassVar[Counter[Op]] = Counter()

    def __init__(self, value: float) -> None:
        self.value = value

    def __mul__(self, other: Number) -> Number:
        self.done[Op.MUL] += 1
        return Number(self.value * other.value)

    def __add__(self, other: Number) -> Number:
        self.done[Op.ADD] += 1
        return Number(self.value + other.value)

    def __sub__(self, other: Number) -> Number:
        self.done[Op.ADD] += 1
        return Number(self.value - other.value)

    def __truediv__(self, other: Number) -> Number:
        self.done[Op.DIV] += 1
        return Number(self.value / other.value)

    def __neg__(self) -> Number:  # a sign costs nothing
        return Number(-self.value)

    def exp(self) -> Number:
        self.done[Op.EXP] += 1
        return Number(exp(self.value))

    def sqrt(self) -> Number:
        self.done[Op.SQRT] += 1
        return Number(self.value**0.5)

    def softplus(self) -> Number:
        self.done[Op.CMP] += 1
        positive = Number(max(self.value, 0.0))
        u = Number(-abs(self.value)).exp()
        polynomial = Number(_LOG[-1])
        for factor in _LOG[-2::-1]:
            polynomial = polynomial * u + Number(factor)
        return positive + polynomial * u


def numbers(*values: float) -> list[Number]:
    return [Number(value) for value in values]


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    Number.done.clear()


@pytest.mark.parametrize("x", [-30.0, -3.0, -0.1, 0.0, 0.4, 2.0, 25.0])
def test_softplus_is_spelled_in_operations_that_have_a_price(x: float) -> None:
    expected = max(x, 0.0) + log1p(exp(-abs(x)))
    assert Number(x).softplus().value == pytest.approx(expected, abs=3.5e-8)
    assert Number.done == SOFTPLUS


def run_scan(scan: Scan, tokens: int) -> None:
    """The recurrence of one sequence, number by number."""
    heads, width, state = range(scan.heads), range(scan.width), range(scan.state)
    decays = [-number.exp() for number in numbers(*[0.1] * scan.heads)]
    d, bias = Number(0.5), Number(0.2)
    h = [[[Number(0.0) for _ in state] for _ in width] for _ in heads]
    for t in range(tokens):
        b, c = (numbers(*[0.1 * n + t for n in state]) for _ in range(2))
        for head in heads:
            dt = (Number(0.3) + bias).softplus()
            decay = (dt * decays[head]).exp()
            for p in width:
                x, y = Number(0.2 * p), Number(0.0)
                stepped = dt * x
                for n in state:
                    h[head][p][n] = decay * h[head][p][n] + stepped * b[n]
                    y = y + h[head][p][n] * c[n]
                y = y + d * x


def test_a_scan_is_what_a_loop_over_numbers_does() -> None:
    scan = Scan(heads=4, width=3, state=5, groups=2)
    run_scan(scan, tokens=3)
    found = selective_scan(1, 3, scan).ops
    # A MAC is a multiplication and an addition.
    assert Number.done == {
        Op.MUL: found[Op.MUL] + found[Op.MAC],
        Op.ADD: found[Op.ADD] + found[Op.MAC],
        Op.EXP: found[Op.EXP],
        Op.CMP: found[Op.CMP],
    }


def test_a_scan_by_hand() -> None:
    # 3 sequences of 2 tokens, 4 heads of 3 channels with 5 entries of state, 2 groups.
    tally = selective_scan(3, 2, Scan(4, 3, 5, 2))
    assert tally.ops[Op.MAC] == tally.dense_macs == 3 * 2 * 4 * 2 * 3 * 5
    # x of 12 channels, B and C of 2 x 5 each, a step for each head.
    assert tally.ops[Op.ACTIVATION_READ] == 3 * 2 * (12 + 20 + 4)
    assert tally.ops[Op.ACTIVATION_WRITE] == 3 * 2 * 12
    assert tally.ops[Op.VECTOR_READ] == 3 * 4
    # Once per call, however many tokens.
    assert tally.ops[Op.KV_READ] == tally.ops[Op.KV_WRITE] == 3 * 4 * 3 * 5


def run_delta(delta: Delta, tokens: int) -> None:
    heads, keys, values = range(delta.heads), range(delta.key_width), range(delta.value_width)
    decays = [-number.exp() for number in numbers(*[0.1] * delta.heads)]
    s = [[[Number(0.0) for _ in values] for _ in keys] for _ in heads]
    for _ in range(tokens):
        normed = []
        for _ in range(delta.key_heads):
            for scaled in (True, False):
                x = numbers(*[0.3] * delta.key_width)
                squares = Number(0.0)
                for entry in x:
                    squares = squares + entry * entry
                factor = Number(1.0) / squares.sqrt()
                x = [entry * factor for entry in x]
                normed.append([entry * Number(0.5) for entry in x] if scaled else x)
        for head in heads:
            q, k = normed[0], normed[1]
            a = (decays[head] * (Number(0.3) + Number(0.1)).softplus()).exp()
            b = Number(1.0) / (Number(-0.2).exp() + Number(1.0))
            state = s[head] = [[a * entry for entry in row] for row in s[head]]
            for v in values:
                held, y = Number(0.0), Number(0.0)
                for i in keys:
                    held = held + k[i] * state[i][v]
                added = b * (Number(0.7) - held)
                for i in keys:
                    state[i][v] = state[i][v] + k[i] * added
                    y = y + q[i] * state[i][v]


def test_a_gated_delta_rule_is_what_a_loop_over_numbers_does() -> None:
    delta = Delta(heads=4, key_heads=2, key_width=3, value_width=5)
    run_delta(delta, tokens=2)
    found = gated_delta(1, 2, delta).ops
    assert Number.done == {
        Op.MUL: found[Op.MUL] + found[Op.MAC],
        Op.ADD: found[Op.ADD] + found[Op.MAC],
        **{op: found[op] for op in (Op.EXP, Op.CMP, Op.DIV, Op.SQRT)},
    }


def test_a_gated_delta_rule_by_hand() -> None:
    # 2 sequences of 3 tokens, 4 heads of 3 x 5 entries, 2 heads of keys.
    tally = gated_delta(2, 3, Delta(4, 2, 3, 5))
    assert tally.ops[Op.MAC] == tally.dense_macs == 2 * 3 * 4 * 3 * 3 * 5
    # Q and K of 2 x 3, V of 4 x 5, two gates for each head.
    assert tally.ops[Op.ACTIVATION_READ] == 2 * 3 * (6 + 6 + 20 + 8)
    assert tally.ops[Op.KV_READ] == tally.ops[Op.KV_WRITE] == 2 * 4 * 3 * 5


def test_a_convolution_by_hand() -> None:
    # 2 sequences of 5 tokens, 6 channels, 4 tokens each.
    tally = causal_convolution(2, 5, 6, 4, bias=True)
    assert tally.ops == {
        Op.MAC: 2 * 5 * 6 * 4,
        Op.WEIGHT_READ: 6 * 4,
        Op.VECTOR_READ: 6,
        Op.ACTIVATION_READ: 60,
        Op.ACTIVATION_WRITE: 60,
        Op.KV_READ: 2 * 6 * 3,
        Op.KV_WRITE: 2 * 6 * 3,
    }
    assert causal_convolution(2, 5, 6, 4, bias=False).ops[Op.VECTOR_READ] == 0


def test_a_gated_norm_by_hand() -> None:
    # 3 vectors of 8 channels in 2 groups: 6 norms of 4, with silu and a product of each gate.
    tally, normed = gated_norm(3, 8, 2), rms_norm(6, 4)
    assert tally.ops == {
        Op.ADD: normed.ops[Op.ADD] + 24,
        Op.MUL: normed.ops[Op.MUL] + 24 + 24,
        Op.SQRT: 6,
        Op.DIV: 6 + 24,
        Op.EXP: 24,
        Op.VECTOR_READ: 8,
        Op.ACTIVATION_READ: 48,
        Op.ACTIVATION_WRITE: 24,
    }
