"""Sums, means and maxima, of analog values and of spikes."""

from __future__ import annotations

from math import prod

from torch import Tensor

from energy.counts import Tally
from energy.formulas import network
from energy.formulas.convolution import Convolution, whole
from energy.network.given import Given, Work, free
from hwmodels import Op


def total(given: Given) -> Work:
    """A sum or a mean over dimensions: of spikes one addition for each event."""
    x: Tensor = given.args[0]
    inputs, outputs, scaled = x.numel(), given.out.numel(), given.name == "mean"
    analog = network.mean_of(inputs, outputs, inputs - outputs, scaled=scaled)
    spikes = given.spikes(0)
    if spikes is not None and inputs == outputs:  # of one entry each
        return Work("pool", free(given), analog)
    if spikes is None:
        return Work("pool", analog, analog)
    events = given.events.count(x, spikes, given.where)
    return Work("pool", _of_spikes(events, outputs if scaled else 0, inputs, outputs), analog)


def _of_spikes(adds: int, muls: int, slots: int, outputs: int) -> Tally:
    return network.passing({Op.ADD: adds, Op.MUL: muls}, 0, outputs, slots)


def average(given: Given) -> Work:
    """Means of windows: of spikes one addition for each event in each window."""
    x: Tensor = given.args[0]
    dimensions = int(given.name[-2])
    kernel, stride, padding = (
        whole(value, dimensions) if value else None for value in (*given.args[1:4], 0, 0)[:3]
    )
    assert kernel is not None
    shape = Convolution(
        tuple(x.shape[-dimensions:]),
        tuple(given.out.shape[-dimensions:]),
        kernel,
        stride or kernel,
        padding or (0,) * dimensions,
        (1,) * dimensions,
        1,
        1,
    )
    inputs, outputs = x.numel(), given.out.numel()
    inside = prod(int(taps.sum()) for taps in shape.taps) * (inputs // prod(shape.size))
    analog = network.mean_of(inputs, outputs, max(0, inside - outputs))
    spikes = given.spikes(0)
    if spikes is None:
        return Work("pool", analog, analog)
    flat = x.reshape(1, -1, *shape.size)
    found = given.events.positions(flat, spikes, given.where)
    added = shape.reached(found)
    return Work("pool", _of_spikes(added, outputs, inputs, outputs), analog)


def adaptive(given: Given) -> Work | None:
    """Means of windows that cover the input; None where they overlap."""
    x: Tensor = given.args[0]
    dimensions = int(given.name[-2])
    sizes = zip(x.shape[-dimensions:], given.out.shape[-dimensions:], strict=True)
    # Windows that do not divide the input overlap: nobody has counted those.
    return None if any(size % out for size, out in sizes) else total(given._replace(name="mean"))


def largest(given: Given) -> Work:
    """The largest value of each window, which of spikes is an OR."""
    x: Tensor = given.args[0]
    inputs, outputs = x.numel(), given.out.numel()
    pools = "pool" in given.name and "adaptive" not in given.name
    window = prod(whole(given.args[1], int(given.name[8]))) if pools else inputs // max(1, outputs)
    analog = network.largest_of(inputs, outputs, window)
    return Work("pool", free(given) if given.spikes(0) is not None else analog, analog)
