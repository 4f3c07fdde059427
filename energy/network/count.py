"""Counts any network: one call, exact from the values that pass through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from energy.counts import Counts
from energy.meter.evaluating import evaluating
from energy.network.checks import (
    check_ran,
    choices_of,
    network_of,
    warn_of_one_step,
    warn_of_spikes,
    warn_of_time,
)
from energy.network.hooks import Hooks
from energy.network.kept import kept
from energy.network.kind import NeuronKind
from energy.network.layers import Ran, Settled, as_analog, as_ran, settled
from energy.network.neurons import Declared, declarations, kind_of, neuron
from energy.network.time import Time, one_step_each, time_of
from energy.network.watch import Watch

Run = Callable[[nn.Module], object]


class Asked(NamedTuple):
    """How a network is to be counted: the arguments of `count_module`."""

    timesteps: int | None = None
    neurons: Mapping[type, Declared] | None = None
    input_levels: str | None = None
    padding: str = "free"
    batch_norm: str = "folded"
    run: Run | None = None
    model: str = ""
    weights: str = ""


@dataclass(frozen=True)
class Counted:
    """A network that was counted."""

    rows: Sequence[Settled]
    time: Time
    about: Ran  #: what was run
    uncounted: Mapping[str, int]  #: operations without a rule
    #: where spikes became analog values: module and operation
    ends: tuple[tuple[str, str], ...]
    #: neurons of which nobody said what a step is made of, by class
    assumed: tuple[str, ...]
    neurons: bool  #: whether there are any

    def one_step_unasked(self, asked: Asked) -> bool:
        """Whether neurons took one time step, and nobody said that they would."""
        said = asked.timesteps is not None or asked.run is not None
        return self.neurons and self.time.steps == 1 and not said

    @cached_property
    def ssa(self) -> Counts:
        """The network as it ran."""
        return as_ran(self.rows, self.time, self.about, self.uncounted)

    @cached_property
    def asa(self) -> Counts:
        """The same layers with every slot as a multiply-accumulate, at one time step."""
        return as_analog(self.rows, self.time, self.about, self.uncounted)


def count_module(
    module: nn.Module,
    *inputs: Any,
    timesteps: int | None = None,
    neurons: Mapping[type, Declared] | None = None,
    input_levels: str | None = None,
    padding: str = "free",
    batch_norm: str = "folded",
    run: Run | None = None,
    model: str = "",
    weights: str = "",
) -> Counts:
    """Count a network of any library: accumulates where spikes arrive, MACs everywhere else.

    Spikes are what known or declared neurons send, followed through the operations that keep them
    (`energy.network.carry`) and verified where they arrive. The network runs in evaluation mode,
    without gradients, from neurons at rest, and is left as it was.

    Args:
        module: The network.
        *inputs: What it is called with.
        timesteps: The number of time steps; None for what its neurons took. A network that takes
            one step in each call is called so many times with the same inputs.
        neurons: What classes of neurons of your own send, such as `{MyLIF: "binary"}`; see
            `energy.neuron.register`.
        input_levels: What the inputs hold, if they are spikes: `binary`, `ternary` and so on.
        padding: `free`, where products with a padded border cost nothing, or `charged`, as Lemaire
            et al. do.
        batch_norm: `folded` into the weights of the product before it, or `counted`; one that
            follows no product is counted always.
        run: A function that runs the network, in place of calling it with the inputs: for loops
            over time outside of it.
        model: What reports call the network.
        weights: Where its weights came from, for reports.

    Returns:
        Counts of the variant `ssa`: a row for each layer, and for each operation outside of layers.

    Raises:
        NetworkError: If the number of time steps is not that of the neurons, spikes have no values,
            or an argument cannot be.
        NeuronError: If a declaration is wrong, or declared neurons never ran.
        EventError: If what was declared as spikes holds something else.
        UncountedOperation: If a product ran that has no rule.
        NoModelError: If it is no module of torch.

    Warns (DenseSpikesWarning) if something undeclared that looks like spikes was counted as analog,
    and (TimeWarning) if one time step is all that was seen and nobody said how many there are.
    """
    asked = Asked(
        timesteps, neurons, input_levels, padding, batch_norm, run, model=model, weights=weights
    )
    counted = count_network(module, inputs, asked)
    if counted.one_step_unasked(asked):
        warn_of_one_step(model or type(module).__name__)
    return counted.ssa


def count_network(module: nn.Module, inputs: Sequence[Any], asked: Asked) -> Counted:
    """Both sides of `count_module`, and what reports say of them; the errors are its own."""
    timesteps, run = asked.timesteps, asked.run
    choices = choices_of(asked.padding, asked.batch_norm)
    module = network_of(module, timesteps)
    declared = declarations(asked.neurons)
    named = list(module.named_modules())
    kinds = {
        name: kind for name, x in named if (kind := neuron.find(type(x), declared)) is not None
    }
    watch = Watch(named, kinds, choices)
    hooks = Hooks(watch, module, kinds, {x: name for name, x in named})
    if asked.input_levels is not None:
        hooks.inputs = kind_of(asked.input_levels)
    with ExitStack() as stack:
        for manager in (kept(module), evaluating(module), _plainly(), torch.no_grad()):
            stack.enter_context(manager)
        _rest(named, kinds)
        hooks.attach(stack)
        stack.enter_context(watch)
        if run is not None:
            run(module)
        else:
            module(*inputs)
            if timesteps is not None and one_step_each(hooks.traces, timesteps):
                for _ in range(timesteps - 1):
                    module(*inputs)
    check_ran(declared, named, hooks)
    time = time_of(hooks.traces, hooks.entered, timesteps, hooks.clock)
    rows = settled(watch.rows)
    warn_of_time(rows, time)
    warn_of_spikes(watch, dict(named))
    about: Ran = {
        "model": asked.model,
        "weights": asked.weights,
        "batch": max(time.batches),
        "tokens": time.samples,
    }
    return Counted(
        rows,
        time,
        about,
        watch.uncounted,
        tuple(watch.ends),
        tuple(sorted({type(x).__name__ for name, x in named if _is_assumed(kinds.get(name))})),
        bool(hooks.traces),
    )


def _is_assumed(kind: NeuronKind | None) -> bool:
    return kind is not None and kind.assumed


@contextmanager
def _plainly() -> Iterator[None]:
    """No fused kernel and nothing compiled: each product is an operation of its own."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), torch.compiler.set_stance("force_eager"):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _rest(named: Sequence[tuple[str, nn.Module]], kinds: Mapping[str, NeuronKind]) -> None:
    """Bring neurons that keep their state to rest."""
    for name, module in named:
        method = getattr(module, kinds[name].rest, None) if name in kinds else None
        if callable(method):  # neurons without a state have none
            method()
