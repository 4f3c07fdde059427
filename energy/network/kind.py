"""What the neurons of a class do."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

from torch import Tensor, nn

from energy.counts import Levels
from energy.formulas.dynamics import DYNAMICS, Dynamics
from energy.network.spikes import Spikes


@dataclass(frozen=True)
class NeuronKind:
    """What the neurons of a class do."""

    levels: Levels = Levels.BINARY  #: what they send; `ANALOG` for those without a threshold
    dynamics: Dynamics = DYNAMICS["LIF"]  #: what a step of one of them is made of
    #: whether the first dimension of the input is time; None where only the run can tell
    multi_step: bool | None = None
    assumed: bool = False  #: whether nobody said what a step is made of, so that LIF was taken
    encodes: bool = False  #: whether it makes spikes of an input, and has no say in the time steps
    remembers: bool = True  #: whether a module keeps its state itself, and does not return it
    stepped: bool = False  #: whether a module says so itself, by `step_mode` ('s' or 'm')
    #: what a step is made of where a module says that its input does not decay (`decay_input`)
    undecayed: Dynamics | None = None
    rest: str = ""  #: method that brings it to rest
    unit: str = ""  #: attribute with the value of one spike
    most: str = ""  #: attribute with the largest number of them that is sent at once, none below 0

    def is_multi_step(self, module: nn.Module) -> bool | None:
        """Whether the first dimension of what this module takes is time."""
        mode = getattr(module, "step_mode", None)
        return mode == "m" if self.stepped and mode in ("s", "m") else self.multi_step

    def step(self, module: nn.Module) -> Dynamics:
        """What one step of a neuron of this module is made of."""
        whole = self.undecayed is not None and getattr(module, "decay_input", True) is False
        return self.undecayed if whole and self.undecayed is not None else self.dynamics

    def sends(self, module: nn.Module) -> Spikes | None:
        """What comes out of this module; None for analog values."""
        unit = getattr(module, self.unit, 1.0) if self.unit else 1.0
        if isinstance(unit, Tensor):
            if unit.numel() != 1:
                return None
            unit = 1.0 if unit.is_meta else float(unit)  # spikes without values, which are refused
        if self.most:
            return Spikes(0, int(attrgetter(self.most)(module)), float(unit))
        return Spikes.of(self.levels, float(unit))
