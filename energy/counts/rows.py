"""The rows of a table of counts: each cell checked, each fault with its line and column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from energy.counts.layer import LOOKED, Label, LayerCount, Tally
from energy.counts.levels import Levels
from energy.counts.values import in_values
from energy.numerals import MAX_NUMBER, MAX_TIMESTEPS
from energy.sheet import Sheet
from hwmodels import Op
from hwmodels.ops import IN_BYTES
from hwmodels.plain import quoted

#: Limits of what a run is described by, lowest and highest.
_LIMITS = {
    "batch": (1, 10**9),
    "tokens": (0, MAX_NUMBER),
    "timesteps": (1, MAX_TIMESTEPS),
    "value_bytes": (1, 16),
    "channels": (0, MAX_NUMBER),
    "depth": (0, 10**6),
}
#: Digits of a whole number that is below the largest (`MAX_NUMBER`).
_DIGITS = 30
#: Bits of the widest value.
MAX_BITS = 64
_PHASE = re.compile(r"(prefill|inference|decode(@\d+(-\d+)?)?|request( \d+\+\d+)?)?", re.ASCII)

#: Columns that describe a run, beside its variant; and those with a number beside the operations.
ABOUT = (
    "model",
    "weights",
    "phase",
    "batch",
    "tokens",
    "timesteps",
    "attention",
    "value_bytes",
    "value_bits",
)
_NUMBERS = "calls", "dense_macs", "spikes", "slots", "zero_macs", *LOOKED

#: Variant and phase.
Key = tuple[str, str]


class Group(NamedTuple):
    """The rows of one variant and phase."""

    about: dict[str, Any]  #: the fields of `Counts` that they repeat
    layers: Sequence[LayerCount]
    lines: Sequence[int]  #: where they stand


class Reader:
    """Makes layers of rows; what many rows repeat is read once."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.at = {column: i for i, column in enumerate(sheet.header)}
        self.ops = [(self.at[op], op) for op in Op if op in self.at]
        #: Traffic of tables of version 0.1, and of others: in bytes.
        self.bytes = [(self.at[name], op) for name, op in IN_BYTES.items() if name in self.at]
        self.numbers = [(self.at[x], x) for x in _NUMBERS if x in self.at]
        self.where = [self.at[x] for x in ("block", "component", "depth") if x in self.at]
        self.name, self.kind = self.at["layer"], self.at.get("kind")
        self.labels: dict[tuple[str, ...], Label] = {}
        self.about = [self.at[x] for x in ("variant", *ABOUT) if x in self.at]
        self.runs: dict[tuple[str, ...], tuple[Key, dict[str, Any]]] = {}

    def read(self) -> dict[Key, Group]:
        """The rows of each variant and phase."""
        groups: dict[Key, Group] = {}
        rows: dict[Key, tuple[list[LayerCount], list[int]]] = {}
        for line, row in self.sheet.rows:
            key, fields = self.run_of(line, row)
            group = groups.get(key)
            if group is None:
                rows[key] = [], []
                group = groups[key] = Group(fields, *rows[key])
            elif group.about is not fields and group.about != fields:
                raise self.sheet.fault(
                    line,
                    " describes another run than the rows above it of the same variant and phase; "
                    "give each run a 'variant'",
                )
            layers, lines = rows[key]
            layers.append(self._layer(line, row))
            lines.append(line)
        return groups

    def run_of(self, line: int, row: Sequence[str]) -> tuple[Key, dict[str, Any]]:
        """Variant and phase of a row, and the fields of `Counts` that all rows of them repeat."""
        described = tuple(row[i] for i in self.about)
        if described not in self.runs:
            self.runs[described] = self._about(line, row)
        return self.runs[described]

    def _layer(self, line: int, row: Sequence[str]) -> LayerCount:
        ops: dict[Op, float] = {}
        given = False
        for i, op in self.ops:
            text = row[i].strip()
            if text.isdigit() and text.isascii() and len(text) <= _DIGITS:
                value: float = int(text)
            elif text:
                value = self.sheet.number(line, op.value, text, suffixes=op.buffer is None)
            else:
                continue
            given = True
            if value:
                ops[op] = value
        moved = self._bytes(line, row)
        if not (given or moved):
            raise self.sheet.fault(
                line, " has no number of any operation; write 0, or leave the row out"
            )
        label = self.label_of(line, row)
        calls, tally = 0.0, Tally(ops)
        if self.numbers:
            numbers: dict[str, Any] = {
                column: self.sheet.number(line, column, text)
                for i, column in self.numbers
                if (text := row[i].strip())
            }
            calls = numbers.pop("calls", 0)
            tally = Tally(ops, **numbers)
            self._check(line, tally)
        tally = tally._replace(
            levels=self._levels(line, row), channels=self._index(line, row, "channels") or 0
        )
        if moved:
            tally = in_values(tally, moved, self._index(line, row, "value_bytes"))
        kind = row[self.kind] if self.kind is not None else ""
        weight_bits, vector_bits = (
            self._bits(line, row, x) for x in ("weight_bits", "vector_bits")
        )
        return LayerCount(row[self.name], kind, label, calls, tally, weight_bits, vector_bits)

    def _bytes(self, line: int, row: Sequence[str]) -> dict[Op, float]:
        """Bytes that a row moves, by operation."""
        return {
            op: self.sheet.number(line, self.sheet.header[i], text, suffixes=False)
            for i, op in self.bytes
            if (text := row[i].strip())
        }

    def _levels(self, line: int, row: Sequence[str]) -> Levels | None:
        text = self._word(row, "levels")
        if text and text not in [*Levels]:
            raise self.sheet.fault(
                line,
                f", column 'levels' (= {quoted(text, 40)}) must be one of {', '.join(Levels)}, or "
                "empty",
            )
        return Levels(text) if text else None

    def _bits(self, line: int, row: Sequence[str], column: str) -> float | None:
        """A width in bits, where the table says one."""
        if not (text := self._word(row, column)):
            return None
        bits = self.sheet.number(line, column, text, suffixes=False)
        if not 0 < bits <= MAX_BITS:
            raise self.sheet.fault(
                line, f", column '{column}' (= {quoted(text, 40)}) must be above 0 and at most 64"
            )
        return bits

    def label_of(self, line: int, row: Sequence[str]) -> Label:
        """What the layer of a row is in the architecture."""
        where = tuple(row[i] for i in self.where)
        if where not in self.labels:
            self.labels[where] = self._label(line, row)
        return self.labels[where]

    def _label(self, line: int, row: Sequence[str]) -> Label:
        block, component = (row[self.at[x]] if x in self.at else "" for x in ("block", "component"))
        return Label(block or "other", component, self._index(line, row, "depth"))

    def _check(self, line: int, tally: Tally) -> None:
        """Refuse a part above its whole: zeros, what is touched, spikes."""
        for part, whole, most in (
            ("zero_macs", "column 'mac'", tally.ops.get(Op.MAC, 0)),
            ("touched_weights", f"column '{Op.WEIGHT_READ}'", tally.ops.get(Op.WEIGHT_READ, 0)),
            ("active_weights", "column 'dense_macs'", tally.dense_macs),
            ("touched_kv", "what is read of the cache", tally.kv_read),
        ):
            if (value := getattr(tally, part)) is not None and value > most:
                raise self.sheet.fault(
                    line, f", column '{part}' (= {value}) must not exceed {whole} (= {most})"
                )
        if tally.spikes > tally.slots:
            slots = f"must not exceed column 'slots' (= {tally.slots})" if tally.slots else ""
            raise self.sheet.fault(
                line,
                f", column 'spikes' (= {tally.spikes}) {slots or 'needs a column slots'}: the "
                "entries, over all time steps, that may hold a spike",
            )

    def _about(self, line: int, row: Sequence[str]) -> tuple[Key, dict[str, Any]]:
        """The fields of `Counts` that every row of a run repeats."""
        phase = self._word(row, "phase")
        if not _PHASE.fullmatch(phase):
            raise self.sheet.fault(
                line,
                f", column 'phase' (= {quoted(phase, 40)}) must be prefill, decode, decode@N (N "
                "attended tokens), request, inference, or empty",
            )
        words: dict[str, str] = {x: row[self.at[x]] for x in ("model", "weights") if x in self.at}
        words = words | {"phase": phase, "attention": self._attention(line, row)}
        about: dict[str, Any] = {key: word for key, word in words.items() if word}
        for column in ("batch", "tokens", "timesteps"):
            if (value := self._index(line, row, column)) is not None:
                about[column] = value
        about["value_bits"] = self._bits(line, row, "value_bits")
        value_bytes = self._index(line, row, "value_bytes")  # checked where nothing moves, too
        if self.bytes and value_bytes is None:
            about["value_bits"] = 8.0  # the bytes that move, whatever the hardware
        variant = row[self.at["variant"]] if "variant" in self.at else ""
        return (variant, phase), about

    def _word(self, row: Sequence[str], column: str) -> str:
        return row[self.at[column]].strip() if column in self.at else ""

    def _attention(self, line: int, row: Sequence[str]) -> str:
        attention = self._word(row, "attention")
        if attention not in ("", "full", "causal"):
            raise self.sheet.fault(
                line,
                f", column 'attention' (= {quoted(attention, 40)}) must be full, causal, or empty",
            )
        return attention

    def _index(self, line: int, row: Sequence[str], column: str) -> int | None:
        if not (text := self._word(row, column)):
            return None
        lowest, highest = _LIMITS[column]
        whole = text.isascii() and text.isdigit() and len(text) <= 40
        if whole and lowest <= (value := int(text)) <= highest:
            return value
        raise self.sheet.fault(
            line,
            f", column '{column}' (= {quoted(text, 40)}) must be an integer from {lowest} to "
            f"{highest:,}",
        )
