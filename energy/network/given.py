"""An operation that ran, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from energy.counts import Tally
from energy.network.arrive import Events
from energy.network.provenance import Origin, spikes_of
from energy.network.spikes import Spikes
from hwmodels import Op

Look = Callable[[Tensor], Origin]


class Work(NamedTuple):
    """What an operation costs."""

    component: str  #: what it is in a network
    tally: Tally  #: as it ran
    analog: Tally  #: of analog values


class Given(NamedTuple):
    """An operation that ran."""

    name: str
    args: Sequence[Any]
    words: Mapping[str, Any]
    out: Tensor
    look: Look
    where: str  #: for errors
    events: Events

    def spikes(self, at: int) -> Spikes | None:
        """What is known of an operand that holds spikes."""
        value = self.args[at] if at < len(self.args) else None
        return spikes_of(self.look(value)) if isinstance(value, Tensor) else None


def free(given: Given) -> Tally:
    """Spikes that become spikes: slots that are read and written."""
    slots = sum(x.numel() for x in given.args[:2] if isinstance(x, Tensor))
    return Tally({Op.SPIKE_READ: slots, Op.SPIKE_WRITE: given.out.numel()})
