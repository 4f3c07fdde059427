from __future__ import annotations

import math
from collections import Counter

import pytest
from builders import arithmetic, traffic
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import Attention
from energy.formulas import nonlinear
from hwmodels import Op

FULL, CAUSAL = Attention.FULL, Attention.CAUSAL


class Num:
    """A number that counts the arithmetic done with it."""

    def __init__(self, value: float, ops: Counter[Op]) -> None:
        self.value, self.ops = value, ops

    def _done(self, op: Op, value: float) -> Num:
        self.ops[op] += 1
        return Num(value, self.ops)

    def __add__(self, other: Num | float) -> Num:
        return self._done(Op.ADD, self.value + _value(other))

    def __sub__(self, other: Num | float) -> Num:
        return self._done(Op.ADD, self.value - _value(other))

    def __mul__(self, other: Num | float) -> Num:
        return self._done(Op.MUL, self.value * _value(other))

    def __truediv__(self, other: Num) -> Num:
        return self._done(Op.DIV, self.value / other.value)

    def exp(self) -> Num:
        return self._done(Op.EXP, math.exp(self.value))

    def sqrt(self) -> Num:
        return self._done(Op.SQRT, math.sqrt(self.value))

    def positive(self) -> bool:
        self.ops[Op.CMP] += 1
        return self.value > 0

    def larger(self, other: Num) -> Num:
        return self._done(Op.CMP, max(self.value, other.value))


def _value(x: Num | float) -> float:
    return x.value if isinstance(x, Num) else x


def total(numbers: list[Num]) -> Num:
    first, *rest = numbers
    for number in rest:
        first = first + number
    return first


def run_softmax(scores: list[Num], scale: float) -> list[Num]:
    scaled = [score * scale for score in scores]
    highest = scaled[0]
    for score in scaled[1:]:
        highest = highest.larger(score)
    powers = [(score - highest).exp() for score in scaled]
    whole = total(powers)
    return [power / whole for power in powers]


def run_layer_norm(row: list[Num], weight: float, bias: float) -> list[Num]:
    ops, share = row[0].ops, 1 / len(row)
    mean = total(row) * share
    centred = [x - mean for x in row]
    variance = total([x * x for x in centred]) * share
    inverse = Num(1.0, ops) / (variance + 1e-5).sqrt()
    return [x * inverse * weight + bias for x in centred]


def run_gelu_tanh(x: Num) -> Num:
    inner = (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)
    tanh = Num(1.0, x.ops) - Num(2.0, x.ops) / ((inner * 2.0).exp() + 1.0)
    return x * 0.5 * (tanh + 1.0)


def test_softmax_of_two_rows_of_three() -> None:
    tally = nonlinear.softmax(1, 2, 3, attention=FULL)
    assert arithmetic(tally) == {
        Op.MUL: 6,  # scale
        Op.CMP: 4,  # maximum: 2 rows x (3 - 1)
        Op.ADD: 10,  # 6 subtractions of the maximum + sum: 2 rows x (3 - 1)
        Op.EXP: 6,
        Op.DIV: 6,
    }
    assert traffic(tally) == {Op.ACTIVATION_READ: 6, Op.ACTIVATION_WRITE: 6}


def test_causal_softmax_of_three_rows() -> None:
    # rows of 1, 2 and 3 scores in each of 2 heads: 12 scores, 6 rows
    tally = nonlinear.softmax(2, 3, 3, attention=CAUSAL)
    assert arithmetic(tally) == {
        Op.MUL: 12,
        Op.CMP: 6,  # 2 x (0 + 1 + 2)
        Op.ADD: 18,  # 12 subtractions + 2 x (0 + 1 + 2) of the sum
        Op.EXP: 12,
        Op.DIV: 12,
    }


def test_layer_norm_of_two_rows_of_three() -> None:
    tally = nonlinear.layer_norm(2, 3)
    assert arithmetic(tally) == {
        # per row: mean 2, centring 3, variance 2, epsilon 1, shift 3
        Op.ADD: 22,
        # per row: mean 1, squares 3, variance 1, normalising 3, scale 3
        Op.MUL: 22,
        Op.SQRT: 2,
        Op.DIV: 2,
    }
    assert traffic(tally) == {
        Op.VECTOR_READ: 6,  # 3 scales and 3 shifts
        Op.ACTIVATION_READ: 6,
        Op.ACTIVATION_WRITE: 6,
    }


def test_gelu_tanh_of_two_values() -> None:
    tally = nonlinear.gelu_tanh(2)
    assert arithmetic(tally) == {
        # per value: cube 2, 0.044715 1, sqrt(2 / pi) 1, 2 u 1, 0.5 x 1, product 1
        Op.MUL: 14,
        # per value: x + cube 1, exp + 1 1, 1 - quotient 1, 1 + tanh 1
        Op.ADD: 8,
        Op.EXP: 2,
        Op.DIV: 2,
    }
    assert traffic(tally) == {Op.ACTIVATION_READ: 2, Op.ACTIVATION_WRITE: 2}


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=9))
def test_softmax_counts_the_arithmetic_of_a_softmax(scores: list[float]) -> None:
    ops: Counter[Op] = Counter()
    weights = run_softmax([Num(score, ops) for score in scores], 0.5)
    whole = sum(math.exp(score / 2) for score in scores)
    assert [w.value for w in weights] == pytest.approx([math.exp(s / 2) / whole for s in scores])
    tally = nonlinear.softmax(1, 1, len(scores), attention=FULL)
    assert arithmetic(tally) == ops


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=9))
def test_layer_norm_counts_the_arithmetic_of_a_layer_norm(row: list[float]) -> None:
    ops: Counter[Op] = Counter()
    normed = run_layer_norm([Num(x, ops) for x in row], 2.0, 3.0)
    mean = sum(row) / len(row)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in row) / len(row) + 1e-5)
    expected = [2 * (x - mean) / deviation + 3 for x in row]
    assert [x.value for x in normed] == pytest.approx(expected)
    assert arithmetic(nonlinear.layer_norm(1, len(row))) == ops


@settings(deadline=None, max_examples=25)
@given(st.floats(-5, 5))
def test_gelu_tanh_counts_the_arithmetic_of_a_gelu(x: float) -> None:
    ops: Counter[Op] = Counter()
    gelu = run_gelu_tanh(Num(x, ops))
    cubic = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    assert gelu.value == pytest.approx(0.5 * x * (1 + math.tanh(cubic)), abs=1e-12)
    assert arithmetic(nonlinear.gelu_tanh(1)) == ops


def test_relu_compares_and_row_scale_multiplies() -> None:
    assert arithmetic(nonlinear.relu(6)) == {Op.CMP: 6}
    assert arithmetic(nonlinear.row_scale(6)) == {Op.MUL: 6}
    moved = {Op.ACTIVATION_READ: 6, Op.ACTIVATION_WRITE: 6}
    assert traffic(nonlinear.relu(6)) == moved
    assert traffic(nonlinear.row_scale(6)) == moved


def run_row_normalise(sums: list[Num], events: list[Num]) -> list[Num]:
    """The sum of a row starts from zero, so that each event is one addition."""
    total = Num(0.0, sums[0].ops)
    for event in events:
        total = total + event
    inverse = Num(1.0, sums[0].ops) / total
    return [x * inverse for x in sums]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=6),
    st.lists(st.sampled_from([0.25, 0.5, 1.0]), min_size=1, max_size=6),
)
def test_row_normalise_counts_the_arithmetic_of_a_division_by_the_events(
    sums: list[float], events: list[float]
) -> None:
    ops: Counter[Op] = Counter()
    rows = run_row_normalise([Num(x, ops) for x in sums], [Num(x, ops) for x in events])
    assert [x.value for x in rows] == pytest.approx([x / sum(events) for x in sums])
    tally = nonlinear.row_normalise(1, len(sums), len(events))
    assert arithmetic(tally) == ops
    assert traffic(tally) == {
        Op.ACTIVATION_READ: len(sums),
        Op.ACTIVATION_WRITE: len(sums),
    }


def run_rms_norm(row: list[Num], weight: float) -> list[Num]:
    ops, share = row[0].ops, 1 / len(row)
    inverse = Num(1.0, ops) / (total([x * x for x in row]) * share + 1e-6).sqrt()
    return [x * inverse * weight for x in row]


def run_sigmoid(x: Num) -> Num:
    return Num(1.0, x.ops) / (Num(-x.value, x.ops).exp() + 1.0)


def run_gelu_erf(x: Num) -> Num:
    u = x * math.sqrt(0.5)
    sign = 1 if u.positive() else -1
    u = Num(sign * u.value, x.ops)
    t = Num(1.0, x.ops) / (u * 0.3275911 + 1.0)
    polynomial = t * 1.061405429
    for a in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        polynomial = (polynomial + a) * t
    erf = Num(1.0, x.ops) - polynomial * Num(-(u * u).value, x.ops).exp()
    return x * 0.5 * (Num(sign * erf.value, x.ops) + 1.0)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=9))
def test_rms_norm_counts_the_arithmetic_of_rms_norm(row: list[float]) -> None:
    ops: Counter[Op] = Counter()
    out = run_rms_norm([Num(x, ops) for x in row], 0.7)
    root = math.sqrt(sum(x * x for x in row) / len(row) + 1e-6)
    assert [x.value for x in out] == pytest.approx([0.7 * x / root for x in row])
    tally = nonlinear.rms_norm(1, len(row))
    assert arithmetic(tally) == ops
    assert traffic(tally) == {
        Op.VECTOR_READ: len(row),
        Op.ACTIVATION_READ: len(row),
        Op.ACTIVATION_WRITE: len(row),
    }


def test_rms_norm_of_two_rows_of_four() -> None:
    ops = nonlinear.rms_norm(2, 4).ops
    assert ops[Op.MUL] == 26  # 2 x (4 squares, 1 mean, 4 normalised, 4 scaled)
    assert ops[Op.ADD] == 8  # 2 x (3 of the sum, 1 epsilon)
    assert (ops[Op.SQRT], ops[Op.DIV]) == (2, 2)
    plain = nonlinear.rms_norm(2, 4, scale=False).ops
    assert (plain[Op.MUL], plain[Op.VECTOR_READ]) == (18, 0)
    for formula in (nonlinear.rms_norm, nonlinear.layer_norm):
        with_one = formula(2, 4, offset=True).ops
        assert with_one[Op.ADD] == formula(2, 4).ops[Op.ADD] + 4  # 1 + weight, once


@pytest.mark.parametrize("x", [-6.0, -2.5, -0.3, 0.0, 0.7, 1.9, 7.0])
def test_the_gelus_and_silu_count_the_arithmetic_that_approximates_them(x: float) -> None:
    exact = 0.5 * x * (1 + math.erf(x / math.sqrt(2)))
    silu = x / (1 + math.exp(-x))
    quick = x / (1 + math.exp(-1.702 * x))
    for run, formula, expected in (
        (run_gelu_erf, nonlinear.gelu_erf, exact),
        (lambda x: x * run_sigmoid(x), nonlinear.silu, silu),
        (lambda x: x * run_sigmoid(x * 1.702), nonlinear.quick_gelu, quick),
    ):
        ops: Counter[Op] = Counter()
        assert run(Num(x, ops)).value == pytest.approx(expected, abs=1e-6)
        tally = formula(1)
        assert arithmetic(tally) == ops
        assert traffic(tally) == {Op.ACTIVATION_READ: 1, Op.ACTIVATION_WRITE: 1}


def test_squared_relu_multiply_and_rotary() -> None:
    assert arithmetic(nonlinear.relu_squared(3)) == {Op.CMP: 3, Op.MUL: 3}
    product = nonlinear.multiply(3)
    assert arithmetic(product) == {Op.MUL: 3}
    assert traffic(product) == {Op.ACTIVATION_READ: 6, Op.ACTIVATION_WRITE: 3}
    # 12 elements turned by the angles of 3 positions and 2 channels
    turned = nonlinear.rotary(12, 6)
    assert arithmetic(turned) == {Op.MUL: 24, Op.ADD: 12}
    assert traffic(turned) == {Op.ACTIVATION_READ: 18, Op.ACTIVATION_WRITE: 12}
    table = nonlinear.rotary_angles(3, 2)
    assert arithmetic(table) == {}
    assert traffic(table) == {Op.VECTOR_READ: 6, Op.ACTIVATION_WRITE: 6}


def test_capped_scores_cost_a_tanh_and_two_multiplications_each() -> None:
    plain = arithmetic(nonlinear.softmax(1, 2, 3, attention=FULL))
    capped = arithmetic(nonlinear.softmax(1, 2, 3, attention=FULL, capped=True))
    more = {op: capped[op] - plain[op] for op in capped if capped[op] != plain[op]}
    assert more == {Op.MUL: 18, Op.ADD: 12, Op.EXP: 6, Op.DIV: 6}  # 6 scores
