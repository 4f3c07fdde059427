"""What was counted: integers per layer, and the table they are stored in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from energy.counts.columns import EXACT, Columns, Floats, Rows, total, with_ops
from energy.counts.layer import LOOKED, LayerCount, Tally
from energy.table import Column, Table, at, attributes
from energy.words import integer, number, unit_of
from hwmodels import Op
from hwmodels.plain import several

if TYPE_CHECKING:
    from pandas import DataFrame


class Scope(NamedTuple):
    """A part of a model: a block, or a component of one, or all of it."""

    name: str
    block: str | None = None
    component: str | None = None


@dataclass(frozen=True)
class Counts:
    """The counts of one variant of a model over one or more forward passes."""

    variant: str  #: `asa` for the analog baseline, `ssa` for its spiking conversion
    layers: Sequence[LayerCount]  #: one record per counted layer, in the order of the model
    model: str = ""  #: what was run
    weights: str = ""  #: where its weights came from, for example `random(seed=0)`
    phase: str = "prefill"  #: `prefill`, `decode` with its context, or `inference` of any network
    batch: int = 1  #: sequences side by side
    tokens: int = 0  #: tokens processed, over batch and windows; samples of an inference
    timesteps: int = 1  #: spiking time steps; 1 for an analog model
    attention: str = "full"  #: `full` or `causal`: which query-key pairs are counted
    #: bits of each value that moves, where a table counts bytes and says no width (8); None for
    #: those of the machine
    value_bits: float | None = None
    #: element-wise operations outside every counted layer, by name
    uncounted: Mapping[str, int] = field(default_factory=dict)

    def total(self, *ops: Op) -> float:
        """Sum of the given operations over all layers."""
        return sum(map(self._total, ops))

    def _total(self, op: Op) -> float:
        numbers = self.columns.ops.get(op)
        if numbers is None:
            return 0
        if op not in self._totals:
            exact = numbers.max(initial=0.0) <= EXACT
            self._totals[op] = (
                total(numbers) if exact else sum(x.tally.ops.get(op, 0) for x in self.layers)
            )
        return self._totals[op]

    @cached_property
    def _totals(self) -> dict[Op, float]:
        """What `total` has summed."""
        return {}

    @cached_property
    def columns(self) -> Columns:
        """The numbers of all layers as arrays."""
        return self.layers.columns if isinstance(self.layers, Rows) else Columns.of(self.layers)

    def with_ops(self, ops: Mapping[Op, Floats]) -> Counts:
        """The same layers with other numbers of some operations, as columns."""
        return replace(self, layers=with_ops(self.layers, self.columns, ops))

    @property
    def dense_macs(self) -> float:
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

    @property
    def weights_per_token(self) -> float | None:
        """Share of the weights of layers with events that one token needs; None where unknown."""
        rows = [
            x.tally for x in self.layers if x.tally.slots and x.tally.active_weights is not None
        ]
        whole = sum(tally.dense_macs for tally in rows)
        active = sum(tally.active_weights or 0 for tally in rows)
        return active * self.timesteps / whole if whole else None

    @property
    def spike_rate(self) -> float | None:
        """Spikes per slot over all layers with events; None without any."""
        slots = sum(layer.tally.slots for layer in self.layers)
        return sum(layer.tally.spikes for layer in self.layers) / slots if slots else None

    def only(self, *, block: str | None = None, component: str | None = None) -> Counts:
        """The layers of one block or component."""
        inside = tuple(x for x in self.layers if x.label.within(block, component))
        return replace(self, layers=inside)

    def layer(self, name: str) -> LayerCount:
        """The record of one layer.

        Raises:
            KeyError: If there is no such layer.
        """
        return {layer.name: layer for layer in reversed(self.layers)}[name]

    def table(self) -> Table[CountRow]:
        """One row per layer: `counts.csv`, with the spike rate after the slots."""
        columns = list(COUNT_COLUMNS)
        after = [column.name for column in columns].index("slots") + 1
        columns.insert(after, Column("spike_rate", at("layer.spike_rate"), dtype="float64"))
        return Table(tuple(columns), [CountRow(self, layer) for layer in self.layers])

    def to_frame(self) -> DataFrame:
        """`table` as a data frame; what is unknown is missing."""
        return self.table().to_frame()

    @property
    def title(self) -> str:
        """What was run, in one line."""
        about = [self.variant.upper(), self.model, self.weights and f"weights {self.weights}"]
        about += [f"T = {self.timesteps}", self.phase, several(self.tokens, unit_of(self.phase))]
        return ", ".join(word for word in about if word)

    def scopes(self) -> Iterator[Scope]:
        """Blocks after their components, in the order of the model, and the model."""
        labels = dict.fromkeys((x.block, x.component) for x in self.columns.labels.all)
        for block in dict.fromkeys(block for block, _ in labels):
            inside = [component for at, component in labels if at == block]
            for component in inside:
                yield Scope(f"{block} / {component}" if component else block, block, component)
            if len(inside) > 1:
                yield Scope(block, block)
        yield Scope("model")

    def _repr_html_(self) -> str:
        parts = [
            (scope.name, self.only(block=scope.block, component=scope.component))
            for scope in self.scopes()
        ]
        return Table(_PART_COLUMNS, parts, self.title).to_html()

    def __repr__(self) -> str:
        """What it is, in one line."""
        return f"<counts of {self.variant}, {self.model}: {several(len(self.layers), 'layer')}>"

    def difference(self, other: Counts, *also: str) -> str:
        """Why two passes are not of one model, counted in the same way; empty if they are.

        Fields that are named must be the same too.
        """
        for name in (*also, "timesteps", "attention", "value_bits", "zeros_measured"):
            ours, theirs = getattr(self, name), getattr(other, name)
            if ours != theirs:
                return f"{name} {ours!r} and {theirs!r}"
        same = [x.name for x in self.layers] == [x.name for x in other.layers]
        return "" if same else "different layers"

    def __add__(self, other: Counts) -> Counts:
        """Counts of two passes of the same model.

        Raises:
            ValueError: If the two are not of the same model, counted in the same way.
        """
        if difference := self.difference(other, "variant", "phase"):
            raise ValueError(f"counts with {difference} do not add")
        return replace(
            self,
            tokens=self.tokens + other.tokens,
            uncounted=dict(Counter(self.uncounted) + Counter(other.uncounted)),
            layers=tuple(
                replace(a, calls=a.calls + b.calls, tally=Tally.total((a.tally, b.tally)))
                for a, b in zip(self.layers, other.layers, strict=True)
            ),
        )


class About(TypedDict, total=False):
    """Fields of `Counts` that no counter can know: what was run."""

    model: str
    weights: str
    batch: int
    timesteps: int


class CountRow(NamedTuple):
    """A row of a table of counts."""

    counts: Counts
    layer: LayerCount


def _count(op: Op) -> Column[CountRow]:
    return Column(op.value, lambda row: row.layer.tally.ops.get(op, 0))


#: Columns of `counts.csv`.
COUNT_COLUMNS: tuple[Column[CountRow], ...] = (
    *attributes("counts", "variant"),
    Column("layer", at("layer.name")),
    *attributes("layer", "kind"),
    *attributes("layer.label", "block", "component"),
    Column("depth", at("layer.label.depth"), dtype="Int64"),
    *attributes("layer", "calls"),
    *attributes("layer.tally", "dense_macs"),
    Column("zero_macs", at("layer.tally.zero_macs"), dtype="Int64"),
    *(Column(name, at(f"layer.tally.{name}"), dtype="float64") for name in LOOKED),
    *(_count(op) for op in Op if op.is_counted),
    *attributes("layer.tally", "spikes", "slots"),
    Column("levels", lambda row: row.layer.tally.levels or ""),
    *attributes("layer.tally", "channels"),
    Column("weight_bits", at("layer.weight_bits"), dtype="float64"),
    Column("vector_bits", at("layer.vector_bits"), dtype="float64"),
    *attributes("counts", "phase", "batch", "tokens", "timesteps", "attention"),
    Column("value_bits", at("counts.value_bits"), dtype="float64"),
    *attributes("counts", "model", "weights"),
)

_PART_COLUMNS: tuple[Column[tuple[str, Counts]], ...] = (
    Column("part", lambda part: part[0], "part", words=True),
    Column("layers", lambda part: len(part[1].layers), "layers"),
    Column("macs", lambda part: part[1].total(Op.MAC), "MACs", integer),
    Column("acs", lambda part: part[1].total(Op.AC, Op.SHIFT_AC), "ACs", integer),
    Column("updates", lambda part: part[1].total(Op.NEURON_UPDATE), "neuron updates", integer),
    Column("spike_rate", lambda part: part[1].spike_rate, "spike rate", partial(number, digits=4)),
)
