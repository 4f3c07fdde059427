"""The modules that are running."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from energy.network.kind import NeuronKind
from energy.network.whole import Whole


@dataclass
class Frame:
    """A module that is running."""

    name: str
    module: nn.Module
    kind: NeuronKind | None = None  #: if it is a neuron
    inside: Frame | None = None  #: the outermost neuron that is running, itself or around it
    shape: tuple[int, ...] = ()  #: of what it was given
    pause: object = None  #: the guard inside of which no operation is seen
    whole: Whole | None = None  #: what is known of a layer that is one operation
