"""What was counted: integers per layer, and the table they are stored in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from hwmodels import Op

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Label:
    """What a layer is in the architecture.

    Attributes:
        block: `embedding`, `attention`, `ffn`, `head`, or `other` where nobody could say.
        component: `qkv`, `scores`, `softmax`, `mix`, `proj`, `ffn_up`, `activation`, `ffn_down`,
            `neuron`, `norm`, `embedding`, `lm_head`, or the layer's class where nobody could say.
        depth: Index of the transformer layer; None outside of one.
    """

    block: str = "other"
    component: str = ""
    depth: int | None = None


class Tally(NamedTuple):
    """The counts of one call of one layer; tallies add.

    A named tuple and a plain dict, since one is made for each call of each layer while the model
    runs.

    Attributes:
        ops: Number of each operation; a missing one is 0.
        dense_macs: Multiply-accumulates that a machine blind to spikes would do.
        spikes: Non-zero entries of the event operand (synapses) or of the output (neurons).
        slots: Entries of that tensor, so that spike rate = spikes / slots.
        zero_macs: Those of the MACs whose activation is zero; None where nobody looked.
    """

    ops: Mapping[Op, int] = MappingProxyType({})
    dense_macs: int = 0
    spikes: int = 0
    slots: int = 0
    zero_macs: int | None = None

    @staticmethod
    def total(tallies: Iterable[Tally]) -> Tally:
        """Sum of tallies."""
        ops: Counter[Op] = Counter()
        dense_macs = spikes = slots = 0
        zero_macs: int | None = None
        for tally in tallies:
            ops.update(tally.ops)
            dense_macs += tally.dense_macs
            spikes += tally.spikes
            slots += tally.slots
            if tally.zero_macs is not None:
                zero_macs = (zero_macs or 0) + tally.zero_macs
        return Tally({op: n for op, n in ops.items() if n}, dense_macs, spikes, slots, zero_macs)


@dataclass(frozen=True)
class LayerCount:
    """Everything counted in one layer.

    Attributes:
        name: Dotted name of the module.
        kind: Class of the module.
        label: What it is in the architecture.
        calls: How often it ran; 0 is information.
        tally: Its counts.
    """

    name: str
    kind: str
    label: Label = Label()
    calls: int = 0
    tally: Tally = Tally()  # noqa: RUF009 - immutable

    @property
    def ops(self) -> Counter[Op]:
        """Number of each operation."""
        return Counter(self.tally.ops)

    @property
    def spike_rate(self) -> float | None:
        """Spikes per slot; None for a layer without events."""
        return self.tally.spikes / self.tally.slots if self.tally.slots else None


@dataclass(frozen=True)
class Counts:
    """The counts of one variant of a model over one or more forward passes.

    Attributes:
        variant: `asa` for the analog baseline, `ssa` for its spiking conversion.
        layers: One record per counted layer, in the order of the model.
        model: What was run.
        weights: Where its weights came from, for example `random(seed=0)`.
        phase: `prefill` or `decode`, with the context for the latter.
        batch: Sequences side by side.
        tokens: Tokens processed, over batch and windows.
        timesteps: Spiking time steps; 1 for an analog model.
        attention: `full` or `causal`: which query-key pairs are counted.
        value_bytes: Width of one analog value in the model that ran.
        uncounted: Element-wise operations outside every counted layer, by name.
    """

    variant: str
    layers: tuple[LayerCount, ...]
    model: str = ""
    weights: str = ""
    phase: str = "prefill"
    batch: int = 1
    tokens: int = 0
    timesteps: int = 1
    attention: str = "full"
    value_bytes: int = 4
    uncounted: Mapping[str, int] = field(default_factory=dict)

    def total(self, *ops: Op) -> int:
        """Sum of the given operations over all layers."""
        return sum(layer.tally.ops.get(op, 0) for layer in self.layers for op in ops)

    @property
    def dense_macs(self) -> int:
        """Multiply-accumulates that a machine blind to spikes would do."""
        return sum(layer.tally.dense_macs for layer in self.layers)

    @property
    def zeros_measured(self) -> bool:
        """Whether multiply-accumulates with a zero activation were counted."""
        return any(layer.tally.zero_macs is not None for layer in self.layers)

    @property
    def events_per_mac(self) -> float | None:
        """Accumulates per analog multiply-accumulate replaced; None where no layer takes events.

        The dense work of an event layer includes its time steps, so it replaces
        `dense_macs / timesteps` multiply-accumulates of the analog layer.
        """
        replaced = sum(layer.tally.dense_macs for layer in self.layers if layer.tally.slots)
        events = self.total(Op.AC, Op.SHIFT_AC)
        return events * self.timesteps / replaced if replaced else None

    def only(self, *, block: str | None = None, component: str | None = None) -> Counts:
        """The layers of one block or component."""
        return replace(
            self,
            layers=tuple(
                layer
                for layer in self.layers
                if (block is None or layer.label.block == block)
                and (component is None or layer.label.component == component)
            ),
        )

    def layer(self, name: str) -> LayerCount:
        """The record of one layer.

        Raises:
            KeyError: If there is no such layer.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def to_frame(self) -> DataFrame:
        """One row per layer; see `energy.frames.counts_frame`."""
        from energy.frames import counts_frame

        return counts_frame(self)

    def _repr_html_(self) -> str:
        from energy.frames import counts_html

        return counts_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(f"<counts of {self.variant}, {self.model}: {len(self.layers)} layers>")

    def __add__(self, other: Counts) -> Counts:
        """Counts of two passes of the same model.

        Raises:
            ValueError: If the two are not of the same model, counted in the same way.
        """
        alike = ("variant", "phase", "timesteps", "attention", "value_bytes", "zeros_measured")
        for field_name in alike:
            ours, theirs = getattr(self, field_name), getattr(other, field_name)
            if ours != theirs:
                raise ValueError(f"counts with {field_name} {ours!r} and {theirs!r} do not add")
        if [layer.name for layer in self.layers] != [layer.name for layer in other.layers]:
            raise ValueError("counts of models with different layers do not add")
        return replace(
            self,
            tokens=self.tokens + other.tokens,
            uncounted=dict(Counter(self.uncounted) + Counter(other.uncounted)),
            layers=tuple(
                replace(a, calls=a.calls + b.calls, tally=Tally.total((a.tally, b.tally)))
                for a, b in zip(self.layers, other.layers, strict=True)
            ),
        )
