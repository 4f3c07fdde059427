"""What layers of networks other than language models cost, as pure functions of shapes."""

from __future__ import annotations

from energy.counts import Tally
from hwmodels import Op


def batch_norm(elements: int, channels: int, *, folded: bool) -> Tally:
    """BatchNorm with the statistics of training: x a + b for each channel.

    Per element 1 multiplication and 1 addition. Folded into the weights of the product before it,
    nothing but b, which starts the accumulators.
    """
    if folded:
        return Tally({Op.VECTOR_READ: channels})
    ops = {Op.MUL: elements, Op.ADD: elements, Op.VECTOR_READ: 2 * channels}
    return passing(ops, elements, elements)


def softmax_alone(elements: int, rows: int) -> Tally:
    """Softmax over rows of `n` values, without a scale.

    Per row: n - 1 comparisons (maximum), n subtractions, n exponentials, n - 1 additions (sum), n
    divisions.
    """
    ops = {
        Op.CMP: elements - rows,
        Op.ADD: 2 * elements - rows,
        Op.EXP: elements,
        Op.DIV: elements,
    }
    return passing(ops, elements, elements)


def sigmoid(elements: int) -> Tally:
    """1 / (1 + exp(-x)): 1 exponential, 1 addition, 1 division per element."""
    return passing(dict.fromkeys((Op.EXP, Op.ADD, Op.DIV), elements), elements, elements)


def tanh(elements: int) -> Tally:
    """1 - 2 / (exp(2 x) + 1): 1 multiplication, 1 exponential, 2 additions, 1 division."""
    ops = {Op.MUL: elements, Op.EXP: elements, Op.ADD: 2 * elements, Op.DIV: elements}
    return passing(ops, elements, elements)


def mean_of(inputs: int, outputs: int, added: int, *, scaled: bool = True) -> Tally:
    """Means (or, not `scaled`, sums): the additions, and 1 multiplication for each result."""
    return passing({Op.ADD: added, Op.MUL: outputs if scaled else 0}, inputs, outputs)


def largest_of(inputs: int, outputs: int, window: int) -> Tally:
    """Maxima of windows: one comparison less than entries for each."""
    return passing({Op.CMP: outputs * (window - 1)}, inputs, outputs)


def each(op: Op, elements: int, inputs: int, times: int = 1) -> Tally:
    """One operation for each element."""
    return passing({op: times * elements}, inputs, elements)


def lstm_gates(units: int) -> Tally:
    """The gates of LSTM units x time steps: c = s(f) c + s(i) t(g), h = s(o) t(c).

    Per unit three sigmoids and two tanh (see `sigmoid` and `tanh`), 3 multiplications, 1 addition.
    """
    parts = [sigmoid(3 * units), tanh(2 * units), Tally({Op.MUL: 3 * units, Op.ADD: units})]
    moved = {Op.ACTIVATION_READ: 5 * units, Op.ACTIVATION_WRITE: 2 * units}
    return Tally({**Tally.total(parts).ops, **moved})


def passing(ops: dict[Op, int], read: int, written: int, slots: int = 0) -> Tally:
    """Operations that read so many analog values (or slots of spikes) and write so many."""
    moved = {Op.ACTIVATION_READ: read, Op.SPIKE_READ: slots, Op.ACTIVATION_WRITE: written}
    return Tally({op: n for op, n in (ops | moved).items() if n})
