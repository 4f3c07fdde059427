"""Profile any network that is in memory, of whatever library its neurons are."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from energy.meter.spikes import DenseSpikesWarning
from energy.network.arrive import NetworkError
from energy.network.checks import warn_of_one_step
from energy.network.count import Asked, Counted, count_network
from energy.network.count import Run as RunNetwork
from energy.network.neurons import Declared
from energy.sheet import listed
from hwmodels import Dataflow, HardwareProfile, Machine, TwoMachines
from hwmodels.given import check_kind
from hwmodels.pair import machines_of
from neurt.measure.planning import now, versions
from neurt.nir.given import is_nir
from neurt.nir.network import nir_network
from reports.shown import Run

#: What the analog side is where nobody gives a baseline.
SAME_LAYERS = "the same layers, every slot as a MAC at T = 1, a ReLU for each neuron"


def profile_module(
    module: Any,
    *inputs: Any,
    hw: str | Machine | Sequence[str | Machine] = ("45nm",),
    timesteps: int | None = None,
    baseline: nn.Module | None = None,
    neurons: Mapping[type, Declared] | None = None,
    input_levels: str | None = None,
    padding: str = "free",
    batch_norm: str = "folded",
    run: RunNetwork | None = None,
    name: str = "",
    weights: str = "in memory",
    dataflow: Dataflow | None = None,
) -> Run:
    """Count a network and an analog one, and price both.

    The network is counted as `energy.count_module` counts it, which also says what the arguments
    that are not listed here are. Both are left as they were.

    Args:
        module: The network: of snnTorch, SpikingJelly, Norse, or your own; or a `nir.NIRGraph`,
            which runs with the conventions of NIR (`neurt.nir_network` knows others) and is called
            with all time steps (T, batch, ...).
        *inputs: What it is called with.
        hw: Hardware, by name, file or profile, one or several; or a pair of
            `hwmodels.two_machines`.
        timesteps: The number of time steps; None for what its neurons took.
        baseline: An analog network to compare with, called with the same inputs, once; None for
            the same layers, each slot as a multiply-accumulate at T = 1, with a ReLU in place of
            each neuron.
        neurons: What classes of neurons of your own send, such as `{MyLIF: "binary"}`.
        input_levels: What the inputs hold, if they are spikes.
        padding: `free`, where products with a padded border cost nothing, or `charged`.
        batch_norm: `folded` into the product before it, or `counted`.
        run: A function that runs the network, in place of calling it with the inputs.
        name: What reports call it; the name of its class unless given.
        weights: Where its weights came from, for reports.
        dataflow: How often operands of spiking layers move; None for what each profile says.

    Returns:
        The run: `to_frame()`, `plot()`, and `reports.write_report(run, directory)`.

    Raises:
        NetworkError: If there is no hardware, the network has no neurons that are known, or the
            number of time steps is not theirs.
        NeuronError: If a declaration is wrong, or declared neurons never ran.
        ProfileError: If a hardware profile cannot be loaded.
        NIRError: If a NIR graph cannot be executed, or the inputs do not fit it.

    Warns (TimeWarning) if one time step is all that was seen and nobody said how many there are.
    """
    if is_nir(module):
        module, name = nir_network(module), name or "NIR graph"
    for argument, text in (("name", name), ("weights", weights)):
        check_kind(argument, text, str)
    check_kind("hw", hw, (str, HardwareProfile, TwoMachines, Sequence))
    profiles = machines_of(hw)
    if not profiles:
        raise NetworkError("no hardware to price on; give `hw` at least one profile")
    title = name or type(module).__name__
    asked = Asked(
        timesteps, neurons, input_levels, padding, batch_norm, run, model=title, weights=weights
    )
    counted = count_network(module, inputs, asked)
    if not counted.neurons and input_levels is None:
        raise NetworkError(
            f"{title} ran no spiking neurons that are known here; declare those of your own, such "
            'as neurons={MyLIF: "binary"}, or count it alone with energy.count_module'
        )
    if counted.one_step_unasked(asked):
        warn_of_one_step(title)
    asa = counted.asa
    if baseline is not None and run is not None and not inputs:
        raise NetworkError(
            "a baseline is called with the inputs, and there are none; give them beside `run`"
        )
    if baseline is not None:
        same = Asked(padding=padding, batch_norm=batch_norm, model=title, weights=weights)
        with warnings.catch_warnings():  # analog as it is, whatever its inputs look like
            warnings.simplefilter("ignore", DenseSpikesWarning)
            analog = count_network(baseline, inputs, same)
        asa = replace(analog.ssa, variant="asa", timesteps=1, batch=asa.batch, tokens=asa.tokens)
    settings: dict[str, object] = {
        "padding": padding,
        "batch_norm": batch_norm,
        "phase": "inference",
        "timesteps": counted.time.steps,
        "baseline": SAME_LAYERS if baseline is None else type(baseline).__name__,
        "assumed": _assumed(counted, baseline),
        "input_levels": input_levels,
        **_found(counted),
    }
    settings = {key: value for key, value in settings.items() if value is not None}
    return Run(
        "profile", asa, counted.ssa, profiles, settings, versions(), now(), dataflow=dataflow
    )


def _assumed(counted: Counted, baseline: nn.Module | None) -> str:
    """What the numbers rest on that nobody measured, where spikes end and where none are sent."""
    analog = SAME_LAYERS if baseline is None else f"{type(baseline).__name__}, as given"
    said = [f"the analog model is {analog}"]
    if counted.assumed:
        said.append(f"a step of {listed(counted.assumed)} is that of an LIF neuron")
    if counted.ends:
        places = [f"{where} ({operation})" for where, operation in counted.ends]
        said.append(f"spikes become analog values in {listed(places)}")
    silent = [
        x.name
        for x in counted.ssa.layers
        if x.tally.spikes == 0 < x.tally.slots and x.label.component == "neuron"
    ]
    if silent:
        said.append(f"{listed(silent)} sent no spike, so what takes their spikes adds nothing")
    return "; ".join(said)


def _found(counted: Counted) -> dict[str, object]:
    """What was seen of the network: where its spikes end, and what was assumed."""
    ends = [f"{where} ({operation})" for where, operation in counted.ends]
    return {
        "spikes_end": ends or None,
        "dynamics_assumed": list(counted.assumed) or None,
        "inferences": counted.time.inferences,
    }
