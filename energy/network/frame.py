"""The modules that are running, and what rows are called that ran in them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from torch import nn

from energy.network.kind import NeuronKind


@dataclass
class Frame:
    """A module that is running."""

    name: str
    module: nn.Module
    kind: NeuronKind | None = None  #: if it is a neuron
    inside: Frame | None = None  #: the outermost neuron that is running, itself or around it
    shape: tuple[int, ...] = ()  #: of what it was given
    pause: object = None  #: the guard inside of which no operation is seen
    ran: Counter[str] = field(default_factory=Counter)  #: operations so far, by name

    def row(self, operation: str) -> str:
        """What the row of one operation more is called."""
        self.ran[operation] += 1
        times = self.ran[operation]
        alone = not self.module._modules and sum(self.ran.values()) == 1
        if alone and self.name:
            return self.name
        words = [self.name, operation, str(times) if times > 1 else ""]
        return ".".join(word for word in words if word)
