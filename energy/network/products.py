"""Products of matrices and convolutions: which operand streams, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

from torch import Tensor

from energy.counts import Tally
from energy.formulas.convolution import Convolution, whole
from energy.network.arrive import Events, levels_of
from energy.network.call import Call, Moved, Streamed, part_of, product_call
from energy.network.provenance import Analog, Constant, Origin
from energy.network.spikes import Spikes

Look = Callable[[Tensor], Origin]

#: Where the left operand stands in the arguments; the right one follows, a bias is the first.
_LEFT = {"mm": 0, "bmm": 0, "mv": 0, "dot": 0, "vdot": 0, "addmm": 1, "baddbmm": 1, "addmv": 1}


class Choices(NamedTuple):
    """Choices that change what a network counts as."""

    padded: bool = False  #: whether products with a padded border are charged
    folded: bool = True  #: whether a BatchNorm behind a product is folded into its weights


class Operand(NamedTuple):
    """One side of a product."""

    tensor: Tensor
    spikes: Spikes | None
    constant: bool  #: whether it is made of parameters alone
    analog: bool  #: whether it is known to be no spikes

    @property
    def undeclared(self) -> bool:
        """Whether nobody said what its values are, and they may be spikes."""
        known = self.spikes is not None or self.constant or self.analog
        return not known and self.tensor.is_floating_point()


class Product(NamedTuple):
    """A product that ran."""

    left: Operand
    right: Operand
    bias: Operand | None
    results: int
    macs: int
    #: accumulators that one event of the left side reaches, and one of the right side
    fan_out: tuple[int, int]
    convolution: Convolution | None = None

    @property
    def weight(self) -> Operand | None:
        """The side that is a weight."""
        if self.right.constant:
            return self.right
        return self.left if self.left.constant else None

    @property
    def sides(self) -> tuple[Operand, Operand]:
        """Both sides."""
        return self.left, self.right


def is_product(name: str) -> bool:
    """Whether an operation is one that is counted here."""
    return name in _LEFT or name in ("linear", "convolution")


def read_product(
    name: str, args: Sequence[Any], out: Tensor, look: Look, *, padded: bool
) -> Product:
    """The product that an operation computed; with `padded`, its products with a border too."""
    if name == "convolution":
        return _convolution(args, out, look, padded)
    if name == "linear":
        left, right = args[0], args[1].t()
        bias = args[2] if len(args) > 2 else None
    else:
        at = _LEFT[name]
        left, right = args[at : at + 2]
        bias = args[0] if at else None
    inner = left.shape[-1]
    columns = right.shape[-1] if right.dim() > 1 else 1
    rows = left.shape[-2] if left.dim() > 1 else 1
    if name == "linear":
        rows = left.numel() // max(1, inner)
    operands = operand(left, look), operand(right, look)
    biased = operand(bias, look) if isinstance(bias, Tensor) else None
    return Product(*operands, biased, out.numel(), out.numel() * inner, (columns, rows))


def operand(tensor: Tensor, look: Look) -> Operand:
    """What is known of one side."""
    origin = look(tensor)
    spikes = origin if isinstance(origin, Spikes) else None
    return Operand(tensor, spikes, isinstance(origin, Constant), isinstance(origin, Analog))


def _convolution(args: Sequence[Any], out: Tensor, look: Look, padded: bool) -> Product:
    x, weight, bias, stride, padding, dilation, transposed, _, groups = args[:9]
    dimensions = weight.dim() - 2
    inputs = x.shape[1] // groups
    shape = Convolution(
        tuple(x.shape)[2:],
        tuple(out.shape)[2:],
        tuple(weight.shape)[2:],
        whole(stride, dimensions),
        whole(padding, dimensions),
        whole(dilation, dimensions),
        inputs,
        out.shape[1] // groups,
        groups,
        transposed,
    )
    biased = operand(bias, look) if isinstance(bias, Tensor) else None
    macs = shape.macs(x.shape[0], padded=padded)
    return Product(
        operand(x, look), operand(weight, look), biased, out.numel(), macs, (0, 0), shape
    )


def call_of(product: Product, name: str, events: Events, *, padded: bool) -> Call:
    """What a product costs, as it ran and as a product of analog values.

    Raises:
        EventError: If spikes hold something else.
        NetworkError: If they have no values.
    """
    moved = _moved(product)
    # In each time step and each block of a network that repeats itself it is the same one.
    analog = _analog(product.macs, moved._replace(values=moved.values + moved.slots, slots=0))
    tensor = _streaming(product).tensor
    shape, part = tuple(tensor.shape), part_of(tensor)
    spiking = [side for side in (0, 1) if product.sides[side].spikes is not None]
    if not spiking:
        return Call(analog, analog, shape=shape, part=part)
    streams = [_streamed(product, side, name, events, padded) for side in spiking]
    tallies = [product_call(product.macs, moved, streamed) for streamed in streams]
    blank = all(x.spikes is None or x.spikes.blank for x in product.sides)
    other = tallies[1] if len(tallies) > 1 else None
    return Call(tallies[0], analog, other, blank, shape, part=part)


@lru_cache(maxsize=4096)
def _analog(macs: int, moved: Moved) -> Tally:
    return product_call(macs, moved, None)


def _streaming(product: Product) -> Operand:
    """The side that is no weight."""
    return product.right if product.left.constant and not product.right.constant else product.left


def _streamed(product: Product, side: int, name: str, known: Events, padded: bool) -> Streamed:
    which = product.sides[side]
    tensor, spikes = which.tensor, which.spikes
    assert spikes is not None
    shape = product.convolution
    if shape is None:
        events = known.count(tensor, spikes, name)
        reached = events * product.fan_out[side]
        channels = tensor.shape[-1] if side == 0 or tensor.dim() < 2 else tensor.shape[-2]
    elif side == 0:
        events = known.count(tensor, spikes, name)
        reached = shape.reached(known.positions(tensor, spikes, name), padded=padded)
        channels = prod(tensor.shape[1:])
    else:  # a kernel that is spikes itself meets each entry of the input that it passes
        events = known.count(tensor, spikes, name)
        reached = events * (product.macs // max(1, tensor.numel()))
        channels = prod(tensor.shape[1:])
    return Streamed(events, reached, tensor.numel(), levels_of(spikes), channels)


def _moved(product: Product) -> Moved:
    weights = values = slots = 0
    weight = product.weight
    for side in product.sides:
        entries = side.tensor.numel()
        if side is weight:
            weights += entries
        elif side.spikes is not None:
            slots += entries
        else:
            values += entries
    vector, bias = 0, product.bias
    if bias is not None and bias.constant:
        vector = bias.tensor.numel()
    elif bias is not None:
        values += bias.tensor.numel()
    return Moved(weights, vector, values, slots, product.results)
