"""What was counted: integers per layer, and the table they are stored in."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from hwmodels import Op

#: Columns of `counts.csv`, in order; frozen by a test.
COUNT_COLUMNS = (
    "variant",
    "layer",
    "kind",
    "block",
    "component",
    "depth",
    "calls",
    "dense_macs",
    *(op.value for op in Op),
    "spikes",
    "slots",
    "phase",
    "batch",
    "tokens",
    "timesteps",
    "attention",
    "value_bytes",
    "model",
    "weights",
)


class CountsError(ValueError):
    """A table of counts that cannot be read."""


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
    """

    ops: Mapping[Op, int] = MappingProxyType({})
    dense_macs: int = 0
    spikes: int = 0
    slots: int = 0

    @staticmethod
    def total(tallies: Iterable[Tally]) -> Tally:
        """Sum of tallies."""
        ops: Counter[Op] = Counter()
        dense_macs = spikes = slots = 0
        for tally in tallies:
            ops.update(tally.ops)
            dense_macs += tally.dense_macs
            spikes += tally.spikes
            slots += tally.slots
        return Tally({op: n for op, n in ops.items() if n}, dense_macs, spikes, slots)


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
    def events_per_mac(self) -> float | None:
        """Accumulates per analog multiply-accumulate replaced; None where no layer takes events.

        The dense work of an event layer includes its time steps, so it replaces
        `dense_macs / timesteps` multiply-accumulates of the analog layer.
        """
        replaced = sum(layer.tally.dense_macs for layer in self.layers if layer.tally.slots)
        return self.total(Op.AC) * self.timesteps / replaced if replaced else None

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

    def __add__(self, other: Counts) -> Counts:
        """Counts of two passes of the same model.

        Raises:
            ValueError: If the two do not list the same layers.
        """
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

    def rows(self) -> list[dict[str, object]]:
        """One flat row per layer, with the columns of `COUNT_COLUMNS`."""
        return [
            {
                "variant": self.variant,
                "layer": layer.name,
                "kind": layer.kind,
                "block": layer.label.block,
                "component": layer.label.component,
                "depth": "" if layer.label.depth is None else layer.label.depth,
                "calls": layer.calls,
                "dense_macs": layer.tally.dense_macs,
                **{op.value: layer.tally.ops.get(op, 0) for op in Op},
                "spikes": layer.tally.spikes,
                "slots": layer.tally.slots,
                "phase": self.phase,
                "batch": self.batch,
                "tokens": self.tokens,
                "timesteps": self.timesteps,
                "attention": self.attention,
                "value_bytes": self.value_bytes,
                "model": self.model,
                "weights": self.weights,
            }
            for layer in self.layers
        ]


def to_csv(variants: Iterable[Counts]) -> str:
    """The counts of several variants as the text of one `counts.csv`."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COUNT_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for counts in variants:
        writer.writerows(counts.rows())
    return out.getvalue()


def read_csv(path: Path) -> list[Counts]:
    """Read counts back, one `Counts` per variant, in the order of the file.

    Counts from elsewhere are welcome: `layer` and one column named after an `Op` are enough, and a
    mean-rate count may have a fraction. Other columns are taken where they are known and left
    alone where they are not.

    Args:
        path: A CSV file with a header.

    Raises:
        CountsError: If the file cannot be read, lacks a column, or has a value that is not a
            finite number >= 0; names line and column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CountsError(f"counts '{path}' is not UTF-8 text at byte {error.start}") from error
    except OSError as error:
        raise CountsError(f"counts '{path}' cannot be read: {error.strerror or error}") from error
    try:
        return _parse(csv.DictReader(io.StringIO(text)), path)
    except csv.Error as error:
        raise CountsError(f"counts '{path}' are not valid CSV: {error}") from error


def _parse(reader: csv.DictReader[str], path: Path) -> list[Counts]:
    header = reader.fieldnames or []
    counted = [op for op in Op if op.value in header]
    if "layer" not in header or not counted:
        raise CountsError(
            f"counts '{path}' need the column 'layer' and at least one of "
            f"{', '.join(op.value for op in Op)}; the header is: {', '.join(header) or 'empty'}"
        )
    layers: dict[str, list[LayerCount]] = {}
    about: dict[str, dict[str, Any]] = {}
    for row in reader:
        where = f"counts '{path}', line {reader.line_num}"
        if None in row or None in row.values():
            raise CountsError(f"{where} has not the {len(header)} columns of the header")
        variant = row.get("variant", "")
        layers.setdefault(variant, []).append(_parse_layer(row, counted, where))
        described = _parse_about(row, where)
        if about.setdefault(variant, described) != described:
            raise CountsError(
                f"{where} describes another run than the rows above it; give each run a 'variant'"
            )
    if not layers:
        raise CountsError(f"counts '{path}' have a header but no rows")
    return [Counts(variant, tuple(layers[variant]), **about[variant]) for variant in layers]


def _index(row: Mapping[str, str], column: str, where: str, minimum: int) -> int | None:
    text = row.get(column, "").strip()
    if not text:
        return None
    if not text.isdecimal() or int(text) < minimum:
        raise CountsError(
            f"{where}, column '{column}' (= {text!r}) must be an integer, at least {minimum}"
        )
    return int(text)


def _parse_layer(row: Mapping[str, str], counted: Iterable[Op], where: str) -> LayerCount:
    def number(column: str) -> int:
        text = row.get(column, "").strip()
        if not text:
            return 0
        try:
            return int(text)
        except ValueError:
            pass
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise CountsError(f"{where}, column '{column}' (= {text!r}) must be a number")
        # A mean-rate count from elsewhere may be fractional; our own never is.
        return int(value) if value.is_integer() else value  # type: ignore[return-value]

    def positive(column: str) -> int:
        if (value := number(column)) < 0:
            raise CountsError(f"{where}, column '{column}' (= {value}) must not be negative")
        return value

    return LayerCount(
        name=row["layer"],
        kind=row.get("kind", ""),
        label=Label(
            row.get("block") or "other",
            row.get("component", ""),
            _index(row, "depth", where, 0),
        ),
        calls=positive("calls"),
        tally=Tally(
            {op: value for op in counted if (value := positive(op.value))},
            positive("dense_macs"),
            positive("spikes"),
            positive("slots"),
        ),
    )


def _parse_about(row: Mapping[str, str], where: str) -> dict[str, Any]:
    """The fields of `Counts` that every row of a run repeats."""
    about: dict[str, Any] = {
        key: row[key] for key in ("model", "weights", "phase", "attention") if row.get(key)
    }
    for key, minimum in (("batch", 1), ("tokens", 0), ("timesteps", 1), ("value_bytes", 1)):
        if (value := _index(row, key, where, minimum)) is not None:
            about[key] = value
    return about
