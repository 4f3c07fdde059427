"""What of a request to count a network cannot be, or has to be said about it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from energy.meter.meter import NoModelError
from energy.meter.spikes import DenseSpikesWarning
from energy.network.arrive import NetworkError
from energy.network.hooks import Hooks
from energy.network.kind import NeuronKind
from energy.network.layers import Settled
from energy.network.neurons import NeuronError
from energy.network.products import Choices
from energy.network.time import Time
from energy.network.watch import Watch
from hwmodels.errors import Caution
from hwmodels.plain import quoted


class TimeWarning(Caution):
    """How many time steps there are is a guess: one, unasked, or as many as calls of a layer."""


def choices_of(padding: str, batch_norm: str) -> Choices:
    """Choices by their names; raises NetworkError for others."""
    for name, value, known in (
        ("padding", padding, ("free", "charged")),
        ("batch_norm", batch_norm, ("folded", "counted")),
    ):
        if value not in known:
            raise NetworkError(f"{name} (= {quoted(value)}) must be {' or '.join(known)}")
    return Choices(padding == "charged", batch_norm == "folded")


def network_of(module: object, timesteps: object) -> nn.Module:
    """The network to run: of a compiled one, what was compiled."""
    if not isinstance(module, nn.Module):
        raise NoModelError(
            f"only a torch.nn.Module can be counted, and {quoted(module)} is none; give the "
            "network itself"
        )
    if timesteps is not None and (
        not isinstance(timesteps, int) or isinstance(timesteps, bool) or timesteps < 1
    ):
        raise NetworkError(f"timesteps (= {quoted(timesteps)}) must be a whole number from 1 on")
    if any(isinstance(mode, Watch) for mode in _get_current_dispatch_mode_stack()):
        raise NetworkError(
            "a network is being counted already, and would take the hooks of another count for its "
            "own; count one after the other"
        )
    if type(module).__name__ == "OptimizedModule":
        module = module._modules["_orig_mod"] or module
    for name, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            raise NetworkError(
                f"layer '{name or 'the network itself'}' is scripted by torch.jit, which says "
                "nothing of its layers; count the network before scripting it"
            )
        if any(is_lazy(x) for x in (*part._parameters.values(), *part._buffers.values())):
            raise NetworkError(
                f"layer '{name or 'the network itself'}' ({type(part).__name__}) has no weights "
                "until it has run; call the network once before it is counted"
            )
    return module


def check_ran(
    declared: Mapping[type, NeuronKind], named: Sequence[tuple[str, nn.Module]], hooks: Hooks
) -> None:
    """Refuse a declaration of neurons that never ran."""
    for kind in declared:
        own = [name for name, module in named if isinstance(module, kind)]
        if not own:
            raise NeuronError(
                f"neurons of class {kind.__name__} were declared, but the network holds none; "
                "leave the class out, or name that of its neurons"
            )
        if not any(name in hooks.traces for name in own) and not declared[kind].encodes:
            silent = next((name for name in own if name in hooks.began), None)
            if silent is not None:
                raise NeuronError(
                    f"neurons '{silent}' ({kind.__name__}) were declared, but they return nothing; "
                    "return the spikes, or declare the layer that does"
                )
            raise NeuronError(
                f"neurons of class {kind.__name__} were declared, but none of them ran: "
                f"'{own[0]}' was not called as a module, on its own"
            )


def warn_of_time(rows: Sequence[Settled], time: Time) -> None:
    """Warn of the first row that may have been called for something else than time steps."""
    guessed = [
        x.name
        for x in rows
        if x.row.component != "neuron"
        and time.guessed(x.calls, spiking=any(call.tally.slots for call in x.calls))
    ]
    if guessed:
        others = f" (and {len(guessed) - 1:,} more)" if len(guessed) > 1 else ""
        warnings.warn(
            f"layer '{guessed[0]}'{others} ran as often as there are time steps ({time.steps}), on "
            "tensors without them, so its calls were taken for steps that the analog network makes "
            "once; if they are none, give that network as `baseline`",
            TimeWarning,
            stacklevel=4,
        )


def warn_of_one_step(title: str) -> None:
    """Warn the caller's caller that one step is all that was seen; a loop may be outside."""
    warnings.warn(
        f"each neuron of {title} took one time step (T = 1); if a loop over time is outside of the "
        "network, give `timesteps`, or that loop as `run`; if one step is meant, timesteps=1 says "
        "so",
        TimeWarning,
        stacklevel=3,
    )


def warn_of_spikes(watch: Watch, modules: Mapping[str, nn.Module]) -> None:
    """Warn of the first product that took undeclared spikes."""
    fed = [(row, maker) for row, (seen, maker) in watch.arrived.items() if seen.are_spikes]
    if not fed:
        return
    row, maker = fed[0]
    others = f" (and {len(fed) - 1:,} more)" if len(fed) > 1 else ""
    if maker:
        name = type(modules[maker]).__name__
        way = f"if they are spikes of '{maker}', say so with neurons={{{name}: \"binary\"}}"
    else:
        way = (
            "if they are spikes, send them from a module of your own, "
            'neurons={ITS_CLASS: "binary"}, or, if they are inputs, give input_levels="binary"'
        )
    warnings.warn(
        f"layer '{row}'{others} took nothing but 0, 1 and -1 from nothing declared, and was "
        f"counted as dense MACs; {way}",
        DenseSpikesWarning,
        stacklevel=4,
    )
