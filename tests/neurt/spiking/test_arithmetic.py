"""What neurons do, step by step on numbers that count their operations, beside what is charged.

Free is what a float shows without computing: its sign, its exponent, a bit of its mantissa. So are
constants of a layer: half a threshold, 1 / threshold, 1 / tau. A step does the same whether or not
it fires; only a coder that stops is spared the steps after its first silent one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from energy import LayerCount, count_pass
from energy.formulas.arithmetic import ARITHMETIC, Arithmetic
from hwmodels import Op
from neurt.spiking.coder import Coder
from neurt.spiking.codes import make_coder
from neurt.spiking.config import Calibrate, Code, Coded, SpikingConfig
from neurt.spiking.neuron import LIF, SpikingNeuron
from neurt.spiking.pow2 import PowerOfTwo

ADD, MUL, CMP = Op.NEURON_ADD, Op.NEURON_MUL, Op.NEURON_CMP
Ops = Counter[Op]
#: Sizes of a threshold, so that all arithmetic on sixteenths is exact.
THRESHOLD = 0.5
VALUES = st.integers(-160, 160).map(lambda n: n / 16)


class Number:
    """A number that counts what is done with it."""

    def __init__(self, value: float, ops: Ops) -> None:
        self.value, self.ops = value, ops

    def __add__(self, other: Number | float) -> Number:
        self.ops[ADD] += 1
        return Number(self.value + _value(other), self.ops)

    def __sub__(self, other: Number | float) -> Number:
        self.ops[ADD] += 1
        return Number(self.value - _value(other), self.ops)

    def __mul__(self, other: float) -> Number:
        self.ops[MUL] += 1
        return Number(self.value * other, self.ops)

    def __ge__(self, other: Number | float) -> bool:
        self.ops[CMP] += 1
        return self.value >= _value(other)

    def __le__(self, other: Number | float) -> bool:
        self.ops[CMP] += 1
        return self.value <= _value(other)

    def __abs__(self) -> Number:
        return Number(abs(self.value), self.ops)


def _value(x: Number | float) -> float:
    return x.value if isinstance(x, Number) else x


def zero(ops: Ops) -> Number:
    return Number(0.0, ops)


def lif(x: Number, steps: int) -> list[float]:
    """v <- v + (x - v) / tau;  s = [v >= threshold];  v <- v - s threshold, with tau = 2."""
    v, sent = zero(x.ops), []
    for _ in range(steps):
        v = v + (x - v) * 0.5
        s = 1.0 if v >= THRESHOLD else 0.0
        v = v - s * THRESHOLD
        sent.append(s)
    return sent


def signed_if(x: Number, steps: int) -> list[float]:
    """v <- v + x;  s = [v >= threshold / 2] - [v <= -threshold / 2];  v <- v - s threshold."""
    v, sent = zero(x.ops), []
    for _ in range(steps):
        v = v + x
        above, below = v >= THRESHOLD / 2, v <= -THRESHOLD / 2
        s = float(above) - float(below)
        v = v - s * THRESHOLD
        sent.append(s)
    return sent


def burst(x: Number, steps: int) -> list[float]:
    """v <- v + x;  n = clamp(round(v / threshold), -7, 7);  v <- v - n threshold, in thresholds."""
    units, v, sent = x * (1 / THRESHOLD), zero(x.ops), []
    for _ in range(steps):
        v = v + units
        n = math.floor((v + 0.5).value)  # the rest is cut off
        if n == v.value + 0.5 and n % 2:  # torch rounds halves to even
            n -= 1
        n = 7 if Number(n, x.ops) >= 7 else n
        n = -7 if Number(n, x.ops) <= -7 else n
        v = v - n
        sent.append(float(n))
    return sent


def multi_threshold(x: Number, steps: int) -> list[float]:
    """v <- v + x; the largest k of 0 .. 7 with |v| >= 2^k - 1/2 fires; v loses it."""
    units, v, sent = x * (1 / THRESHOLD), zero(x.ops), []
    for _ in range(steps):
        v = v + units
        size = abs(v) + 0.5
        power = 2.0 ** (math.frexp(size.value)[1] - 1)  # its exponent
        largest, fires = size >= 2.0**7, size >= 1
        event = math.copysign((2.0**7 if largest else power) if fires else 0.0, v.value)
        v = v - event
        sent.append(event)
    return sent


def successive(x: Number, steps: int) -> list[float]:
    """The digits of |x| / threshold, the largest first, in one of two ranges."""
    units, top = abs(x * (1 / THRESHOLD)), 2.0**steps - 1
    wide = not units <= top + 0.5
    unit = 16.0 if wide else 1.0  # a power of two: it is taken off the exponent
    rounded = Number(units.value / unit, x.ops) + 0.5
    whole = math.floor(rounded.value)
    if whole == rounded.value and whole % 2:
        whole -= 1
    whole = int(top) if Number(whole, x.ops) >= top else whole
    digits = reversed(range(steps))
    return [math.copysign((whole >> k & 1) * 2.0**k * unit, x.value) for k in digits]


def power_of_two(
    x: Number, steps: int, zone: float = THRESHOLD, resolution: float = 1.0
) -> list[float]:
    """The power of two nearest to what is left, while that is not below the zone of the step."""
    rest, sent = x, [0.0] * steps
    for step in range(steps):
        fires = abs(rest) >= zone
        mantissa, exponent = math.frexp(abs(rest).value)
        nearest = 2.0 ** (exponent if mantissa >= 3 / 4 else exponent - 1)
        sent[step] = math.copysign(nearest, rest.value) if fires else 0.0
        rest = rest - sent[step]
        if not fires:
            break
        zone = zone * resolution if step == 0 else zone
    return sent


Simulation = Callable[[Number, int], list[float]]
CODERS: dict[Code, Simulation] = {
    Code.SIGNED_IF: signed_if,
    Code.BURST: burst,
    Code.MULTI_THRESHOLD: multi_threshold,
    Code.SAR: successive,
    Code.POW2: power_of_two,
}


def made(code: Code, steps: int) -> Coder:
    spiking = SpikingConfig(code=code, timesteps=steps, calibrate=Calibrate.MSE, resolution=1.0)
    coder = make_coder(1, spiking, Coded.FEEDFORWARD).double()
    coder.threshold.fill_(THRESHOLD)
    return coder


def counted(neuron: SpikingNeuron, x: Tensor) -> tuple[LayerCount, Tensor]:
    """The row of a layer of neurons, and its events (T, n)."""
    model, sent = nn.Sequential(neuron), []
    [row] = count_pass(model, lambda: sent.append(model(x)), variant="ssa").layers
    return row, sent[0]


def charged(row: LayerCount) -> Ops:
    return Counter({op: int(n) for op, n in row.tally.ops.items() if op in (ADD, MUL, CMP) and n})


def test_every_neuron_has_a_simulation() -> None:
    assert {code.kind for code in CODERS} | {"LIF"} == ARITHMETIC.keys()


@pytest.mark.parametrize("code", CODERS)
@settings(deadline=None, max_examples=60)
@given(st.lists(VALUES, min_size=1, max_size=6), st.integers(1, 6))
def test_a_coder_is_charged_what_its_simulation_does(
    code: Code, values: list[float], steps: int
) -> None:
    ops: Ops = Counter()
    simulated = [CODERS[code](Number(x, ops), steps) for x in values]
    x = torch.tensor(values, dtype=torch.float64)[:, None]
    row, sent = counted(made(code, steps), x)
    assert sent[:, :, 0].T.tolist() == simulated
    assert charged(row) == +ops


@settings(deadline=None, max_examples=60)
@given(st.lists(VALUES, min_size=1, max_size=6), st.integers(1, 6), st.sampled_from([0.5, 0.1]))
def test_a_second_zone_adds_steps_and_a_threshold(
    values: list[float], steps: int, resolution: float
) -> None:
    ops: Ops = Counter()
    simulated = [power_of_two(Number(x, ops), steps, resolution=resolution) for x in values]
    coder = made(Code.POW2, steps)
    assert isinstance(coder, PowerOfTwo)
    coder.resolution = resolution
    row, sent = counted(coder, torch.tensor(values, dtype=torch.float64)[:, None])
    assert sent[:, :, 0].T.tolist() == simulated
    assert charged(row) == +ops
    assert row.ops[Op.VECTOR_READ] == 2


@settings(deadline=None, max_examples=60)
@given(st.lists(VALUES, min_size=1, max_size=6), st.integers(1, 6))
def test_a_leaky_neuron_is_charged_what_its_simulation_does(
    values: list[float], steps: int
) -> None:
    ops: Ops = Counter()
    simulated = [lif(Number(x, ops), steps) for x in values]
    neuron = LIF(1, quantile=1.0, alpha=2.0, tau=2.0).double()
    neuron.threshold.fill_(THRESHOLD)
    x = torch.tensor(values, dtype=torch.float64)[:, None].expand(steps, len(values), 1)
    row, sent = counted(neuron, x)
    assert sent[:, :, 0].T.tolist() == simulated
    assert charged(row) == +ops


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 6), st.data())
def test_a_coder_of_softmax_weights_asks_once_for_the_dead_zone_of_its_row(
    rows: int, keys: int, steps: int, data: st.DataObject
) -> None:
    weight = st.integers(1, 64).map(lambda n: n / 64)
    table = [[data.draw(weight) for _ in range(keys)] for _ in range(rows)]
    ops: Ops = Counter()
    simulated = []
    for row_ in table:
        end = Number(max(row_), ops) * 0.5  # the largest is known: 1 / sum of the softmax
        zone = THRESHOLD if end >= THRESHOLD else end.value
        simulated += [power_of_two(Number(x, ops), steps, zone) for x in row_]
    coder = made(Code.POW2, steps)
    assert isinstance(coder, PowerOfTwo)
    coder.ceiling = 0.5
    row, sent = counted(coder, torch.tensor(table, dtype=torch.float64))
    assert sent.flatten(1).T.tolist() == simulated
    assert charged(row) == +ops


def test_a_coder_that_stops_executes_a_step_more_than_it_fires() -> None:
    # With T = 4 and a dead zone of 1/2: 0.25 is silent at once, 1 fires once, 3 = 4 - 1 twice, and
    # 2.65625 = 2 + 1/2 + ... is 2, then 1/2 (of 0.65625), then silent at 0.15625.
    row, sent = counted(
        made(Code.POW2, 4), torch.tensor([[0.25], [1.0], [3.0], [2.65625]]).double()
    )
    assert (sent != 0).sum(0).flatten().tolist() == [0, 1, 2, 2]
    steps = (0 + 1) + (1 + 1) + (2 + 1) + (2 + 1)
    assert charged(row) == {ADD: steps, CMP: steps}
    # With T = 2 the last two are cut off before they are silent: min(T, events + 1).
    row, _ = counted(made(Code.POW2, 2), torch.tensor([[0.25], [1.0], [3.0], [2.65625]]).double())
    assert charged(row) == {ADD: 1 + 2 + 2 + 2, CMP: 1 + 2 + 2 + 2}


def test_operations_are_those_of_steps_of_values_and_of_rows() -> None:
    what = Arithmetic((1, 2, 3), (10, 20, 30), row=(100, 200, 300))
    assert what.ops(values=5, steps=7, rows=2) == {
        ADD: 7 * 1 + 5 * 10 + 2 * 100,
        MUL: 7 * 2 + 5 * 20 + 2 * 200,
        CMP: 7 * 3 + 5 * 30 + 2 * 300,
    }
