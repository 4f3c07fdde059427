"""What was counted in one layer: whole numbers, and what the layer is in the architecture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from energy.counts.levels import Levels
from hwmodels import Op


@dataclass(frozen=True, slots=True)
class Label:
    """What a layer is in the architecture."""

    #: `embedding`, `attention`, `ffn`, `head`, or `other` where nobody could say
    block: str = "other"
    #: `qkv`, `scores`, `softmax`, `mix`, `proj`, `ffn_up`, `activation`, `ffn_down`, `neuron`,
    #: `norm`, `embedding`, `lm_head`, or the layer's class where nobody could say
    component: str = ""
    depth: int | None = None  #: index of the transformer layer; None outside of one

    @property
    def is_scan(self) -> bool:
        """Whether it is a recurrence, whose cache is a state in the width of accumulators."""
        return self.component.rpartition(".")[2] == "scan"

    def within(self, block: str | None, component: str | None = None) -> bool:
        """Whether it is in a block and has a component; None is any."""
        return block in (None, self.block) and component in (None, self.component)


#: What of a tally is known only if somebody looked which rows of stored operands events need.
LOOKED = ("touched_weights", "active_weights", "touched_kv")


class Tally(NamedTuple):
    """The counts of one call of one layer; tallies add.

    A named tuple and a plain dict, since one is made for each call of each layer while the model
    runs. What is counted is whole; mean-rate counts read from a file may have a fraction.
    """

    ops: Mapping[Op, float] = MappingProxyType({})  #: number of each operation; a missing one is 0
    dense_macs: float = 0  #: multiply-accumulates that a machine blind to spikes would do
    #: non-zero entries of the event operand (synapses) or of the output (neurons)
    spikes: float = 0
    slots: float = 0  #: entries of that tensor, so that spike rate = spikes / slots
    #: those of the MACs whose activation is zero; None where nobody looked
    zero_macs: float | None = None
    #: what its spikes may be, in the cache too; None where it has none
    levels: Levels | None = None
    channels: int = 0  #: entries of a vector of its spikes; 0 where nobody said
    #: values of the rows of its weight matrix (of its input channels) that an event needs, of any
    #: token of the call, in any time step. None where nobody looked; so are the next two
    touched_weights: float | None = None
    #: the same of each token by itself, added up
    active_weights: float | None = None
    #: entries, or slots, of the rows of K or V in the cache that an event needs
    touched_kv: float | None = None

    @property
    def spike_rate(self) -> float | None:
        """Spikes per slot; None without events."""
        return self.spikes / self.slots if self.slots else None

    @property
    def accumulates(self) -> float:
        """Events that were added to an accumulator, with a payload or without."""
        return self.ops.get(Op.AC, 0) + self.ops.get(Op.SHIFT_AC, 0)

    @property
    def kv_read(self) -> float:
        """Entries, or slots, of K or V that are read from the cache."""
        return self.ops.get(Op.KV_READ, 0) + self.ops.get(Op.KV_SPIKE_READ, 0)

    @property
    def looked(self) -> tuple[float | None, float | None, float | None]:
        """What is known only if somebody looked, in the order of `LOOKED`."""
        return self.touched_weights, self.active_weights, self.touched_kv

    def seen(
        self,
        touched_weights: float | None = None,
        active_weights: float | None = None,
        touched_kv: float | None = None,
    ) -> Tally:
        """The same where somebody found this; see `LOOKED`."""
        return self._replace(
            touched_weights=touched_weights, active_weights=active_weights, touched_kv=touched_kv
        )

    @staticmethod
    def total(tallies: Iterable[Tally]) -> Tally:
        """Sum of tallies; what is touched is known if somebody looked at each of them."""
        ops: dict[Op, float] = {}
        dense_macs: float = 0
        spikes: float = 0
        slots: float = 0
        zero_macs: float | None = None
        levels: Levels | None = None
        channels = 0
        touched, active, kv = [], [], []
        for tally in tallies:
            for op, amount in tally.ops.items():
                ops[op] = ops.get(op, 0) + amount
            dense_macs += tally.dense_macs
            spikes += tally.spikes
            slots += tally.slots
            if tally.zero_macs is not None:
                zero_macs = (zero_macs or 0) + tally.zero_macs
            levels = levels or tally.levels
            channels = max(channels, tally.channels)
            if tally.ops.get(Op.WEIGHT_READ):
                touched.append(tally.touched_weights)
                active.append(tally.active_weights)
            if tally.kv_read:
                kv.append(tally.touched_kv)
        return Tally(
            {op: n for op, n in ops.items() if n},
            dense_macs,
            spikes,
            slots,
            zero_macs,
            levels,
            channels,
            _summed(touched),
            _summed(active),
            _summed(kv),
        )


def _summed(parts: Sequence[float | None]) -> float | None:
    """Their sum; None where one of them is not known, or there are none."""
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None


@dataclass(frozen=True, slots=True)
class LayerCount:
    """Everything counted in one layer."""

    name: str  #: dotted name of the module
    kind: str  #: class of the module
    label: Label = Label()  #: what it is in the architecture
    calls: float = 0  #: how often it ran; 0 is information
    tally: Tally = Tally()  # noqa: RUF009 - immutable
    #: bits of an entry of its weight matrix, and of its biases or rows of a table, where the
    #: checkpoint says so; None for those of the machine
    weight_bits: float | None = None
    vector_bits: float | None = None

    @property
    def ops(self) -> defaultdict[Op, float]:
        """Number of each operation."""
        return defaultdict(int, self.tally.ops)

    @property
    def spike_rate(self) -> float | None:
        """Spikes per slot; None for a layer without events."""
        return self.tally.spike_rate

    def with_ops(self, ops: Mapping[Op, float]) -> LayerCount:
        """The same row with other numbers of operations; a zero is left out."""
        tally = self.tally._replace(ops={op: amount for op, amount in ops.items() if amount})
        return replace(self, tally=tally)
