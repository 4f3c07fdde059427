"""Which modules are neurons, and what they send: known by class, or declared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, overload

from torch import nn

from energy.counts import Levels
from energy.formulas.dynamics import DYNAMICS, Dynamics
from energy.network.kind import NeuronKind
from energy.network.libraries import known
from hwmodels.errors import UserError, did_you_mean
from hwmodels.plain import quoted

Kind = TypeVar("Kind", bound=type)


class NeuronError(UserError, ValueError):
    """A declaration of neurons that cannot be what is meant."""


#: What a class of neurons can be declared as: its levels, or all of it.
Declared = str | Levels | NeuronKind


class Neurons:
    """The classes that somebody has declared, and the functions that do it."""

    def __init__(self) -> None:
        self._kinds: dict[type, NeuronKind] = {}

    @overload
    def register(self, kind: Kind, /) -> Kind: ...
    @overload
    def register(
        self,
        /,
        *,
        levels: str | Levels = ...,
        dynamics: str | Dynamics | None = ...,
        multi_step: bool | None = ...,
    ) -> Callable[[Kind], Kind]: ...
    def register(
        self,
        kind: Kind | None = None,
        /,
        *,
        levels: str | Levels = Levels.BINARY,
        dynamics: str | Dynamics | None = None,
        multi_step: bool | None = None,
    ) -> Any:
        """Declare a class of modules as spiking neurons; a decorator, with arguments or without.

        Subclasses are neurons too. The first tensor that a module returns is its spikes.

        Args:
            kind: The class.
            levels: What they send: `binary`, `ternary`, `burst` (-7 .. 7), `count` (-127 .. 127),
                `power` (signed powers of two) or `analog`.
            dynamics: What one step is made of: a name of `energy.formulas.dynamics.DYNAMICS`, or
                your own; None for that of a leaky integrate-and-fire neuron, which reports then
                say was assumed.
            multi_step: Whether the first dimension of the input is time; None where only
                `timesteps` can tell.

        Raises:
            NeuronError: If there are no such levels or dynamics, or it is no class of modules.
        """
        declared = replace(kind_of(levels), dynamics=_dynamics(dynamics), assumed=dynamics is None)
        declared = replace(declared, multi_step=multi_step)

        def add(kind: Kind) -> Kind:
            _check_class(kind)
            self._kinds[kind] = declared
            return kind

        return add if kind is None else add(kind)

    def find(self, kind: type, declared: Mapping[type, NeuronKind]) -> NeuronKind | None:
        """What the modules of a class are, if they are neurons: the closest declaration wins."""
        for base in kind.__mro__:
            for kinds in (declared, self._kinds):
                if base in kinds:
                    return kinds[base]
            found = known(base)
            if found is not None:
                return found
        return None


#: Declares classes of neurons: `@energy.neuron.register`.
neuron = Neurons()


def declarations(given: Mapping[type, Declared] | None) -> dict[type, NeuronKind]:
    """What `neurons={Class: "binary"}` says, checked."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise NeuronError(
            f"neurons (= {quoted(given)}) must say what each class sends, such as "
            'neurons={MyLIF: "binary"}'
        )
    for kind in given:
        _check_class(kind)
    return {kind: kind_of(value) for kind, value in given.items()}


def kind_of(declared: Declared) -> NeuronKind:
    """The neurons that a declaration is of."""
    if isinstance(declared, NeuronKind):
        return declared
    if declared not in [*Levels]:
        raise NeuronError(
            f"neurons send no {quoted(declared)}; what they send is one of {', '.join(Levels)}"
            + did_you_mean(str(declared), list(Levels))
        )
    return NeuronKind(Levels(declared), assumed=True)


def _dynamics(given: str | Dynamics | None) -> Dynamics:
    if isinstance(given, Dynamics):
        return given
    name = given or "LIF"
    if name not in DYNAMICS:
        raise NeuronError(
            f"neurons of the dynamics {quoted(name)} are not known; known are "
            f"{', '.join(DYNAMICS)}" + did_you_mean(str(name), DYNAMICS)
        )
    return DYNAMICS[name]


def _check_class(kind: object) -> None:
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise NeuronError(
            f"{quoted(kind)} is no class of torch.nn.Module, so none of its instances can be a "
            "neuron of a network; name the class of the layer that sends the spikes"
        )
