"""Operations that multiply no matrices: what each costs, of analog values and of spikes.

Adding spikes to spikes merges two streams of events, the maximum of a window of spikes is an OR,
and a product of spikes an AND: they cost nothing but what moves. A sum of spikes costs one addition
for each event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import prod

from torch import Tensor

from energy.counts import Tally
from energy.formulas import embedding, network, nonlinear
from energy.network.given import Given, Work, free
from energy.network.pooling import adaptive, average, largest, total
from hwmodels import Op


def work(given: Given) -> Work | None:
    """What an operation costs; None for one that has no rule here."""
    rule = _RULES.get(given.name)
    return None if rule is None else rule(given)


def _function(component: str, formula: Callable[[int], Tally], given: Given) -> Work:
    tally = formula(given.out.numel())
    return Work(component, tally, tally)


def _gelu(given: Given) -> Work:
    tanh = given.words.get("approximate") == "tanh"
    return _function("activation", nonlinear.gelu_tanh if tanh else nonlinear.gelu_erf, given)


def _relu(given: Given) -> Work:
    analog = nonlinear.relu(given.out.numel())
    spiking = given.spikes(0) is not None  # of spikes it is no work at all
    return Work("activation", Tally() if spiking else analog, analog)


def _limited(given: Given) -> Work:
    """No less than one number and no more than another one; of spikes an OR."""
    analog = network.each(Op.CMP, given.out.numel(), given.out.numel(), 2)
    return Work("activation", free(given) if given.spikes(0) is not None else analog, analog)


def _leaky(given: Given) -> Work:
    elements = given.out.numel()
    ops = {Op.CMP: elements, Op.MUL: elements}
    analog = network.passing(ops, elements, elements)
    spikes = given.spikes(0)
    same = spikes is not None and spikes.low >= 0  # of what is not negative it is no work at all
    return Work("activation", Tally() if same else analog, analog)


def _negative(given: Given) -> Work:
    """A sign, which belongs to what is added or multiplied next."""
    return Work("activation", Tally(), Tally())


def _softmax(given: Given) -> Work:
    elements, width = given.out.numel(), given.out.shape[given.args[1]] if given.out.dim() else 1
    tally = network.softmax_alone(elements, elements // max(1, width))
    return Work("softmax", tally, tally)


def _layer_norm(given: Given) -> Work:
    width = prod(given.args[1])
    scale, shift = (isinstance(x, Tensor) for x in given.args[2:4])
    rows = given.out.numel() // max(1, width)
    tally = nonlinear.layer_norm(rows, width, scale=scale, shift=shift)
    return Work("norm", tally, tally)


def _rms_norm(given: Given) -> Work:
    width = prod(given.args[1])
    rows = given.out.numel() // max(1, width)
    tally = nonlinear.rms_norm(rows, width, scale=isinstance(given.args[2], Tensor))
    return Work("norm", tally, tally)


def _group_norm(given: Given) -> Work:
    _, weight, bias, batch, channels, _, groups = given.args[:7]
    rows = batch * groups
    scale, shift = isinstance(weight, Tensor), isinstance(bias, Tensor)
    norm = nonlinear.layer_norm(rows, given.out.numel() // rows, scale=scale, shift=shift)
    vector = {Op.VECTOR_READ: (scale + shift) * channels}
    tally = norm._replace(ops={**norm.ops, **vector})
    return Work("norm", tally, tally)


def _added(given: Given) -> Work:
    left, right = given.args[:2]
    both = isinstance(left, Tensor) and isinstance(right, Tensor)
    elements = given.out.numel()
    if not both:
        one = network.each(Op.ADD, elements, elements)
        return Work("activation", Tally() if given.spikes(0) is not None else one, one)
    analog = nonlinear.residual(left.numel(), right.numel())
    if given.spikes(0) is not None and given.spikes(1) is not None:
        return Work("residual", free(given), analog)
    return Work("residual", analog, analog)


def _multiplied(given: Given) -> Work:
    left, right = given.args[:2]
    op = Op.DIV if given.name == "div" else Op.MUL
    elements = given.out.numel()
    if not (isinstance(left, Tensor) and isinstance(right, Tensor)) or right.numel() == 1:
        one = network.each(op, elements, elements)
        return Work("activation", Tally() if given.spikes(0) is not None else one, one)
    read = left.numel() + right.numel()
    analog = network.each(op, elements, read)
    first, second = given.spikes(0), given.spikes(1)
    if op is Op.MUL and first is not None and second is not None:
        return Work("activation", free(given), analog)
    if op is Op.MUL and (first is not None or second is not None):  # a spike lets a value pass
        slots = (left if first is not None else right).numel()
        return Work("activation", network.passing({}, read - slots, elements, slots), analog)
    return Work("activation", analog, analog)


def _each(op: Op, times: int, given: Given) -> Work:
    tally = network.each(op, given.out.numel(), given.out.numel(), times)
    return Work("activation", tally, tally)


def _embedding(given: Given) -> Work:
    width = given.out.shape[-1]
    tally = embedding(given.out.numel() // max(1, width), width)
    return Work("embedding", tally, tally)


_activation = partial(partial, _function, "activation")

_RULES: Mapping[str, Callable[[Given], Work | None]] = {
    "relu": _relu,
    "gelu": _gelu,
    "silu": _activation(nonlinear.silu),
    "sigmoid": _activation(network.sigmoid),
    "tanh": _activation(network.tanh),
    "leaky_relu": _leaky,
    "_prelu_kernel": _leaky,
    "hardtanh": _limited,
    "clamp": _limited,
    "neg": _negative,
    "exp": partial(_each, Op.EXP, 1),
    "sqrt": partial(_each, Op.SQRT, 1),
    "_softmax": _softmax,
    "_safe_softmax": _softmax,
    "native_layer_norm": _layer_norm,
    "native_group_norm": _group_norm,
    "_fused_rms_norm": _rms_norm,
    "sum": total,
    "mean": total,
    "avg_pool1d": average,
    "avg_pool2d": average,
    "avg_pool3d": average,
    "_adaptive_avg_pool2d": adaptive,
    "_adaptive_avg_pool3d": adaptive,
    **dict.fromkeys(
        (
            *("max_pool1d", "max_pool2d_with_indices", "max_pool3d_with_indices", "amax"),
            *("adaptive_max_pool2d", "adaptive_max_pool3d"),
        ),
        largest,
    ),
    "add": _added,
    "sub": _added,
    "rsub": _added,
    "mul": _multiplied,
    "div": _multiplied,
    "embedding": _embedding,
}
