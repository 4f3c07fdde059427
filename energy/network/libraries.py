"""The neurons of snnTorch, SpikingJelly and Norse, by the names of their classes.

Nothing of these libraries is imported: a class is known by where it was defined and what it is
called, and its subclasses with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from energy.counts import Levels
from energy.formulas.dynamics import DYNAMICS
from energy.network.kind import NeuronKind

_TERNARY, _ANALOG = Levels.TERNARY, Levels.ANALOG

#: Dynamics by class; levels beside them where spikes are not binary.
_SNNTORCH: Mapping[str, str] = {
    "Leaky": "leaky",
    "RLeaky": "leaky",
    "Lapicque": "leaky",
    "Synaptic": "synaptic",
    "RSynaptic": "synaptic",
    "Alpha": "alpha",
    "SLSTM": "LSTM",
    "SConv2dLSTM": "LSTM",
    "LeakyParallel": "threshold",
}
#: `CUBALIFNode` and the ILC neurons decay first and add the input whole, as snnTorch does; those of
#: Norse add it to the current, and move the membrane by a share of the difference.
_SPIKINGJELLY: Mapping[str, str | tuple[str, Levels]] = {
    "IFNode": "IF",
    "SimpleIFNode": "IF",
    "HalfThresholdIFNode": "IF",
    "LIFNode": "LIF",
    "SimpleLIFNode": "LIF",
    "ParametricLIFNode": "LIF",
    "KLIFNode": "KLIF",
    "CUBALIFNode": "synaptic",
    "QIFNode": "quadratic",
    "EIFNode": "exponential",
    "AdaptBaseNode": "adaptive",
    "IzhikevichNode": "izhikevich",
    "MaskedPSN": "threshold",
    "SlidingPSN": "threshold",
    "TernaryIFNode": ("IF", _TERNARY),
    "TernaryLIFNode": ("LIF", _TERNARY),
    "LIAFNode": ("LIF", _ANALOG),
    "NonSpikingIFNode": ("analog IF", _ANALOG),
    "NonSpikingLIFNode": ("analog LIF", _ANALOG),
}
#: Those that take all time steps at once, and no other way.
_MULTI_STEP: Mapping[str, str] = {
    "PSN": "threshold",
    "ILCIFNode": "IF",
    "ILCLIFNode": "leaky",
    "ILCCUBALIFNode": "synaptic",
}
#: What those of SpikingJelly do whose input does not decay (`decay_input=False`).
_UNDECAYED: Mapping[str, str] = {"LIF": "leaky", "KLIF": "whole KLIF"}
#: Bases whose other subclasses are spiking neurons of which nobody here read the equation.
_SPIKINGJELLY_BASES = (
    "BaseNode",
    "SimpleBaseNode",
    "MPBNBaseNode",
    "GatedLIFNode",
    "ActivationAwareIFNode",
    "STBIFNode",
)
_MULTI_STEP_BASES = ("ILCBaseNode", "NoisyBaseNode")
_NORSE: Mapping[str, str | tuple[str, Levels]] = {
    "IAF": "IF",
    "LIF": "current",
    "LIFBox": "LIF",
    "LIFRefrac": "refractory",
    "LIFEx": "exponential current",
    "LIFAdEx": "adaptive exponential",
    "LIFAdExRefrac": "adaptive exponential",
    "LSNN": "threshold-adaptive",
    "Izhikevich": "izhikevich",
    "LI": ("analog current", _ANALOG),
    "LILinear": ("analog current", _ANALOG),
    "LIBox": ("analog LIF", _ANALOG),
}
_NORSE_ENDS = ("Cell", "Recurrent", "RecurrentCell")


class _Library(NamedTuple):
    """Where the neurons of a library are defined."""

    neurons: str  #: the module of their classes, or the start of its name
    kinds: Mapping[str, NeuronKind]  #: by the name of the class


def _kinds(
    table: Mapping[str, str | tuple[str, Levels]], base: NeuronKind
) -> dict[str, NeuronKind]:
    found = {}
    for name, said in table.items():
        dynamics, levels = (said, Levels.BINARY) if isinstance(said, str) else said
        found[name] = _of(base, dynamics, levels)
    return found


def _of(base: NeuronKind, dynamics: str, levels: Levels = Levels.BINARY) -> NeuronKind:
    undecayed = _UNDECAYED.get(dynamics) if base.stepped else None
    kind = replace(base, levels=levels, dynamics=DYNAMICS[dynamics])
    return replace(kind, undecayed=None if undecayed is None else DYNAMICS[undecayed])


def _norse() -> dict[str, NeuronKind]:
    whole, cells = NeuronKind(multi_step=True), NeuronKind(multi_step=False, remembers=False)
    found = _kinds(_NORSE, whole)
    for name, said in _NORSE.items():
        for end in _NORSE_ENDS:
            base = cells if end.endswith("Cell") else whole
            found |= {f"{name}{end}": kind for kind in _kinds({name: said}, base).values()}
    return found


_STEPS = NeuronKind(stepped=True, rest="reset")
_ENCODER = NeuronKind(encodes=True)
_GRADED = NeuronKind(multi_step=False, rest="reset_mem", unit="graded_spikes_factor")
_ASSUMED = replace(_STEPS, assumed=True)
_LIBRARIES = (
    _Library(
        "snntorch._neurons.",
        _kinds(_SNNTORCH, _GRADED)
        | {
            "LeakyParallel": replace(_of(_GRADED, "threshold"), multi_step=True, rest=""),
            "SpikingNeuron": replace(_GRADED, assumed=True),
        },
    ),
    _Library(
        "spikingjelly.activation_based.neuron.",
        _kinds(_SPIKINGJELLY, _STEPS)
        | {"ILIFNode": replace(_of(_STEPS, "leaky"), most="surrogate_function.max_spike_count")}
        | _kinds(_MULTI_STEP, replace(_STEPS, multi_step=True))
        | dict.fromkeys(_SPIKINGJELLY_BASES, _ASSUMED)
        | dict.fromkeys(_MULTI_STEP_BASES, replace(_ASSUMED, multi_step=True)),
    ),
    _Library(
        "spikingjelly.activation_based.encoding",
        {"PoissonEncoder": _of(_ENCODER, "encoder"), "LatencyEncoder": _of(_ENCODER, "encoder")},
    ),
    _Library("norse.torch.module.", _norse()),
    _Library(
        "norse.torch.module.encode",
        {
            "PoissonEncoder": _of(_ENCODER, "encoder"),
            "PoissonEncoderStep": _of(_ENCODER, "encoder"),
            "SignedPoissonEncoder": _of(_ENCODER, "encoder", _TERNARY),
            "SpikeLatencyEncoder": _of(_ENCODER, "encoder"),
            "ConstantCurrentLIFEncoder": _of(_ENCODER, "LIF"),
            "SpikeLatencyLIFEncoder": _of(_ENCODER, "LIF"),
        },
    ),
)


@lru_cache(maxsize=4096)
def known(kind: type) -> NeuronKind | None:
    """What the modules of a class of one of the libraries are, if it is one of their neurons."""
    home = f"{kind.__module__}."
    for library in _LIBRARIES:
        if home.startswith(library.neurons) and kind.__name__ in library.kinds:
            return library.kinds[kind.__name__]
    return None
