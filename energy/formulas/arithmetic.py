"""What the steps of neurons and coders are made of."""

from __future__ import annotations

from typing import NamedTuple

from hwmodels import Op


class Arithmetic(NamedTuple):
    """Operations of one kind of neuron: additions (subtractions too), multiplications, comparisons.

    What a float shows without computing is free: its exponent, its sign, a bit of its mantissa.
    """

    step: tuple[int, int, int]  #: in each executed time step
    value: tuple[int, int, int] = (0, 0, 0)  #: once for each input value
    stops: bool = False  #: whether a silent step ends the work: min(T, events + 1) steps
    #: once for each row of softmax weights, whose largest one bounds the dead zone
    row: tuple[int, int, int] = (0, 0, 0)

    def ops(self, values: int, steps: int, rows: int = 0) -> dict[Op, float]:
        """The operations of so many values in so many executed steps, all values together."""
        each = zip(_OPS, self.step, self.value, self.row, strict=True)
        return {op: steps * step + values * once + rows * row for op, step, once, row in each}


_OPS = (Op.NEURON_ADD, Op.NEURON_MUL, Op.NEURON_CMP)

#: By the class of the neuron; the equations are those of the classes.
ARITHMETIC = {
    #: v + (x - v) / tau: difference, leak, sum; threshold; reset
    "LIF": Arithmetic((3, 1, 1)),
    #: sum; two thresholds; reset
    "SignedIF": Arithmetic((2, 0, 2)),
    #: sum, rounding (half is added, the rest is cut), reset; both ends of the range; x / threshold
    "Burst": Arithmetic((3, 0, 2), (0, 1, 0)),
    #: sum, half, reset; the largest threshold, the smallest; x / threshold
    "MultiThreshold": Arithmetic((3, 0, 2), (0, 1, 0)),
    #: the digits of a whole number are its bits; x / threshold, rounding, which range, its end
    "SuccessiveApproximation": Arithmetic((0, 0, 0), (1, 1, 2)),
    #: the dead zone; what is left. The largest weight of a row is known: 1 / sum
    "PowerOfTwo": Arithmetic((1, 0, 1), stops=True, row=(0, 1, 1)),
}
