"""Which formula counts which layer type: the table that rules are registered in.

`tally_call` is a `singledispatch` function on the layer: a subclass inherits its parent's rule,
the closest rule wins, and anybody adds a layer type with `@tally_call.register` beside its
definition. A type without a rule is not counted, and the audit of `energy.meter` makes sure that
it holds no matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import singledispatch
from typing import Any

from torch import nn

from energy.counts import Tally
from energy.formulas import Conventions

#: Rows that one call adds to, by name below the layer; "" is the layer itself.
Rows = Mapping[str, Tally]
Rule = Callable[[Any, str, Any, Any, Conventions], Rows]


@singledispatch
def tally_call(
    layer: nn.Module, name: str, args: tuple[Any, ...], out: Any, conventions: Conventions
) -> Rows:
    """Count one call of a layer.

    Args:
        layer: The layer that ran.
        name: Its dotted name, for error messages.
        args: Its positional arguments, in the order of its `forward`.
        out: What it returned.
        conventions: Choices that change a count.

    Returns:
        A tally for the layer (key `""`) and for parts that have no module of their own.

    Raises:
        TypeError: If no rule is registered for the type.
    """
    raise TypeError(f"layer '{name}' ({type(layer).__name__}) has no counting rule")


def is_counted(kind: type[nn.Module]) -> bool:
    """Whether a rule is registered for the type or one of its parents."""
    return tally_call.dispatch(kind) is not tally_call.dispatch(object)


def ruled(kind: type[nn.Module]) -> type[nn.Module]:
    """The class whose rule a counted layer type inherits."""
    return next(parent for parent in kind.__mro__ if parent in tally_call.registry)


def is_known(kind: type[nn.Module]) -> bool:
    """Whether the type has a rule that knows its forward: its own, or its parent's and no other."""
    return is_counted(kind) and kind.forward is ruled(kind).forward
