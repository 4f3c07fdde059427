"""What one call of a layer or of an operation was counted as."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from energy.counts import Levels, Tally
from hwmodels import Op


class Call(NamedTuple):
    """One call: as it ran, and as it would be if no value were a spike."""

    tally: Tally  #: as it ran
    analog: Tally  #: every slot multiplied
    #: where both operands of a product are spikes: the other one streams
    other: Tally | None = None
    blank: bool = False  #: whether the only spikes were a state of zeros, which says nothing
    shape: tuple[int, ...] = ()  #: of the operand that streams
    tick: int = 0  #: calls of the neurons that are the clock, before this one
    part: tuple[int, int] = (0, 1)  #: which of how many equal parts of a tensor that operand is


@dataclass
class Row:
    """The calls of one row."""

    kind: str  #: the class of the layer, or what the operation is
    component: str  #: what it is in any network
    calls: list[Call] = field(default_factory=list)

    def settle(self) -> list[Call]:
        """The calls, where all of them say which operand streams, and what zeros were.

        A machine streams one of two operands of spikes, in all calls: the one with fewer
        accumulates. A state of zeros is one of spikes if later ones are, and analog otherwise.
        """
        spiking = any(call.tally.slots and not call.blank for call in self.calls)
        calls = [
            call if spiking or not call.blank else call._replace(tally=call.analog)
            for call in self.calls
        ]
        if all(call.other is not None for call in calls if not call.blank):
            first = sum(call.tally.accumulates for call in calls)
            second = sum((call.other or call.tally).accumulates for call in calls)
            if second < first:
                return [call._replace(tally=call.other or call.tally) for call in calls]
        return calls


class Streamed(NamedTuple):
    """The events of the operand that streams over the other one."""

    events: int
    accumulates: int  #: events times fan-out
    slots: int  #: entries
    levels: Levels
    channels: int  #: entries of one of its vectors


class Moved(NamedTuple):
    """What a product moves, each operand once."""

    weights: int = 0  #: values of weights
    vector: int = 0  #: values of a bias
    values: int = 0  #: entries of analog operands
    slots: int = 0  #: entries of operands that are spikes
    results: int = 0


def part_of(tensor: Tensor) -> tuple[int, int]:
    """Which of how many equal parts of a tensor a view is, such as one step of all."""
    own = tensor.numel()
    if tensor.layout is not torch.strided or not own or not tensor.is_contiguous():
        return 0, 1
    whole = tensor.untyped_storage().nbytes() // tensor.element_size()
    at = tensor.storage_offset()
    return (at // own, whole // own) if whole > own and whole % own == at % own == 0 else (0, 1)


def product_call(macs: int, moved: Moved, streamed: Streamed | None) -> Tally:
    """The counts of a product of matrices or of a convolution.

    Args:
        macs: Products that a machine blind to spikes would make.
        moved: Operands and results.
        streamed: The events, where an operand is of spikes; they take the place of all `macs`.
    """
    ops = {
        Op.MAC if streamed is None else streamed.levels.op: (
            macs if streamed is None else streamed.accumulates
        ),
        Op.WEIGHT_READ: moved.weights,
        Op.VECTOR_READ: moved.vector,
        Op.ACTIVATION_READ: moved.values,
        Op.SPIKE_READ: moved.slots,
        Op.ACTIVATION_WRITE: moved.results,
    }
    ops = {op: number for op, number in ops.items() if number}
    if streamed is None:
        return Tally(ops, dense_macs=macs)
    return Tally(
        ops,
        dense_macs=macs,
        spikes=streamed.events,
        slots=streamed.slots,
        levels=streamed.levels,
        channels=streamed.channels,
    )
