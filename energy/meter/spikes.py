"""Warns where spikes were counted as dense products: networks of other libraries.

A dense layer counts one MAC per input and output, whatever it is given. Behind spiking neurons that
is not what a spiking network does, so a pass in which that happened says so. It is noticed by what
arrives (nothing but -1, 0 and 1), or else by neurons of a library that is known here, whose spikes
may arrive pooled or normalised.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from energy.counts import Levels
from energy.meter.awaited import wholes
from energy.meter.events import EventError, count_events
from energy.meter.rules import tally_call
from hwmodels.errors import Caution

#: Where the classes of the neurons of other libraries are; subclasses elsewhere are neurons too.
_NEURONS = (
    "snntorch._neurons.",
    "spikingjelly.activation_based.neuron.",
    "spikingjelly.clock_driven.neuron.",
    "norse.torch.module.snn.",
    "sinabs.layers.lif.",
    "sinabs.layers.alif.",
    "lava.lib.dl.slayer.neuron.",
    "bindsnet.network.nodes.",
)
_SAMPLE = 4096  # inputs of a call that are looked at on an accelerator
_LOOK = 64  # inputs that tell nearly every analog layer from one that takes spikes
_ADVICE = (
    'count it by events: multiply with energy.MatMul("left"), or register a rule with '
    "energy.tally_call.register"
)


class DenseSpikesWarning(Caution):
    """A layer took spikes, and was counted as dense MACs."""


class Arrivals:
    """What arrived at one dense layer: nothing but spikes so far, or something else."""

    __slots__ = ("_name", "_slots", "_spikes", "_strangers", "analog")

    def __init__(self, name: str) -> None:
        self._name, self._spikes, self._slots, self._strangers = name, 0, 0, 0
        #: Something else than a spike arrived, so nothing more is looked at.
        self.analog = False

    def see(self, inputs: Tensor) -> None:
        """Look at the inputs of one call, at most those of one row where they are analog."""
        if not inputs.numel() or inputs.is_meta:
            return
        if inputs.device.type != "cpu":
            self._sample(inputs.detach())
            return
        row = inputs.detach()[(0,) * (inputs.dim() - 1)][:_LOOK]
        if not bool(((row == 0) | (row.abs() == 1)).all()):
            self.analog = True
            return
        try:
            self._spikes += count_events(inputs.detach(), Levels.TERNARY, self._name)
        except EventError:
            self.analog = True
        self._slots += inputs.numel()

    def _sample(self, inputs: Tensor) -> None:
        """Look at some inputs of a call, evenly spread, and wait for no answer."""
        step = max(1, inputs.numel() // _SAMPLE)
        sample = inputs.reshape(-1)[::step]
        events = sample != 0
        found = torch.stack([events.sum(), (events & (sample.abs() != 1)).sum()])
        spikes, strangers = wholes(found)
        self._spikes, self._strangers = self._spikes + spikes, self._strangers + strangers
        self._slots += sample.numel()

    @property
    def are_spikes(self) -> bool:
        """Whether only spikes arrived, in some slots: what never changes says nothing."""
        only_spikes = not self.analog and self._strangers == 0
        return only_spikes and 0 < self._spikes < self._slots


def arrivals(layer: nn.Module, name: str) -> Arrivals | None:
    """A watch over what arrives at a layer that is counted as dense; None for other layers."""
    dense = {tally_call.dispatch(kind) for kind in (nn.Linear, Conv1D)}
    return Arrivals(name) if tally_call.dispatch(type(layer)) in dense else None


def warn_of_spikes(
    modules: Iterable[tuple[str, nn.Module]], watched: Mapping[str, Arrivals]
) -> None:
    """Warn (DenseSpikesWarning) of the first dense layer that took spikes, or the first neuron."""
    fed = [name for name, arrived in watched.items() if arrived.are_spikes]
    if fed:
        others = f" (and {len(fed) - 1:,} more)" if len(fed) > 1 else ""
        said = f"layer '{fed[0]}'{others} took nothing but 0, 1 and -1, and was counted as dense "
        warnings.warn(f"{said}MACs; if these are spikes, {_ADVICE}", DenseSpikesWarning, 4)
        return
    for name, module in modules:
        if (library := _library(type(module))) is not None:
            said = f"layer '{name}' is a neuron of {library} ({type(module).__name__}), and what "
            said += f"takes its spikes was counted as dense MACs; {_ADVICE}"
            warnings.warn(said, DenseSpikesWarning, 4)
            return


def _library(kind: type[nn.Module]) -> str | None:
    homes = (f"{base.__module__}." for base in kind.__mro__)
    return next((home.partition(".")[0] for home in homes if home.startswith(_NEURONS)), None)
