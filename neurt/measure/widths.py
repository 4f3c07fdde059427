"""How wide what a run stores is: as flags say, else its checkpoint, else the machine. No torch.

A machine widens what is narrower than its arithmetic, and converts what is wider to it. So a
checkpoint counts where it is narrower than the arithmetic of a profile: one in FP32 is taken as
INT8 on INT8 hardware.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from energy.bill.traffic import Bits
from energy.counts import Counts, LayerCount
from energy.counts.columns import Columns, whole
from energy.sheet import Say
from hwmodels import HardwareProfile, Op
from hwmodels.machine import Operand
from hwmodels.pair import Machine, each_side
from neurt.loading.source import ModelSource
from neurt.loading.widths import UNSAID, CheckpointWidths, checkpoint_widths
from reports.kit.caveats import are_random
from reports.kit.widths import widths_in_words
from reports.run.record import read_record

AnyMachine = TypeVar("AnyMachine", bound=Machine)

#: Operands of which a checkpoint may say the width, and what reads them.
_READ: dict[Operand, Op] = {
    "weights": Op.WEIGHT_READ,
    "activations": Op.ACTIVATION_READ,
    "kv": Op.KV_READ,
}


@dataclass(frozen=True)
class StoredWidths:
    """Widths that replace those of a machine: by flags, and of a checkpoint where no flag is."""

    flags: Mapping[Operand, float] = field(default_factory=dict)  #: bits by operand
    checkpoint: CheckpointWidths = UNSAID  #: what the checkpoint says
    #: bits by operand, by the flags of the run that is read, where no flag is given now
    earlier: Mapping[Operand, float] = field(default_factory=dict)

    def rows(self, counts: Counts) -> Counts:
        """Counts whose rows say the bits of the checkpoint, and none where a flag is given.

        What rows say already stays where the checkpoint says nothing.
        """
        if self.checkpoint is UNSAID and not self._replaces(counts.columns):
            return counts
        return replace(counts, layers=tuple(map(self._row, counts.layers)))

    def _replaces(self, rows: Columns) -> bool:
        """Whether a flag stands for what rows say."""
        said = {"weights": rows.weight_bits, "vectors": rows.vector_bits}
        return any(not np.isnan(said[x]).all() for x in said.keys() & self.flags.keys())

    def _row(self, row: LayerCount) -> LayerCount:
        weights, vectors = self.checkpoint.of_row(row)
        weights = row.weight_bits if weights is None else weights
        vectors = row.vector_bits if vectors is None else vectors
        weights = None if "weights" in self.flags else weights
        vectors = None if "vectors" in self.flags else vectors
        if (weights, vectors) == (row.weight_bits, row.vector_bits):
            return row
        return replace(row, weight_bits=weights, vector_bits=vectors)

    def machine(self, profile: HardwareProfile) -> HardwareProfile:
        """A profile, changed by the flags already, with activations and cache as the checkpoint."""
        own = profile.own_bits
        said = {name: bits for name, bits in self._of_machine.items() if bits < own}
        # Sums may be wider than the arithmetic.
        said |= {x: n for x, n in self._earlier.items() if n <= own or x == "accumulators"}
        if not said:
            return profile
        return profile.model_copy(update={"widths": profile.widths.model_copy(update=said)})

    def machines(self, profiles: Iterable[AnyMachine]) -> tuple[AnyMachine, ...]:
        """Several of them, or pairs."""
        # The change of a profile is a profile, and that of a pair a pair.
        return tuple(cast(AnyMachine, each_side(it, self.machine)) for it in profiles)

    @cached_property
    def _of_machine(self) -> dict[str, float]:
        """Bits that the checkpoint says of a machine, beside the flags."""
        said = {"activations": self.checkpoint.activations, "kv": self.checkpoint.kv}
        return {name: bits for name, bits in said.items() if bits and name not in self.flags}

    @cached_property
    def _earlier(self) -> dict[str, float]:
        """Bits by the flags of the run that is read, beside those of now."""
        said = {name: bits for name, bits in self.earlier.items() if name not in self.flags}
        return {x: int(n) if x == "accumulators" else n for x, n in said.items()}

    def used(self, counts: Counts, profile: HardwareProfile) -> dict[str, dict[str, object]]:
        """Lowest and highest bits of each operand that is read, and who says so, for a record.

        Args:
            counts: With the rows of `rows`.
            profile: That of `machine`.
        """
        bits = Bits(profile, profile.dataflow.rules, counts.value_bits)
        rows = counts.columns
        found: dict[str, dict[str, object]] = {}
        for operand, op in _READ.items():
            reading = rows.op(op) > 0
            if not reading.any():
                continue
            wide = np.broadcast_to(bits.of(rows, op), len(rows))[reading].tolist()
            said = rows.weight_bits[reading] if operand == "weights" else rows.weight_bits[:0]
            own = said[said > 0].tolist()
            own += [x for name, x in self._of_machine.items() if name == operand]
            counts_here = min(own, default=profile.own_bits) < profile.own_bits
            flags = {*self.flags, *self.earlier}
            by = "flag" if operand in flags else "checkpoint" if counts_here else "profile"
            found[operand] = {"bits": [whole(min(wide)), whole(max(wide))], "from": by}
        return found

    def tell(self, counts: Counts, profile: HardwareProfile, say: Say) -> None:
        """Say the widths of `used` where a checkpoint or the flags of a run decide any."""
        used = self.used(counts, profile)
        if self._earlier or any(width["from"] == "checkpoint" for width in used.values()):
            say(f"widths on {profile.name}: {widths_in_words(used)}")


def stored_widths(
    source: ModelSource, weights: str, flags: Mapping[Operand, float]
) -> StoredWidths:
    """Widths of a model with weights of some origin, as reports call it; random ones have none.

    Raises:
        ModelError: If the checkpoint is quantised in a way that is not known here, and no flag
            says how wide its weights are.
    """
    if are_random(weights):
        return StoredWidths(flags)
    return StoredWidths(flags, checkpoint_widths(source, weights_known="weights" in flags))


def recorded_widths(run: Path, flags: Mapping[Operand, float]) -> StoredWidths:
    """Widths of a run that is read: by flags, else by its own flags, else those of its checkpoint.

    A table beside no `run.json` says those of its rows alone.

    Args:
        run: The directory of a run, or a table of counts.
        flags: Those of now.

    Raises:
        RunError: If `run.json` cannot be read.
    """
    if not run.is_dir():
        return StoredWidths(flags)
    settings = read_record(run).settings
    used: Iterable[Mapping[str, Any]] = settings.get("widths_used", {}).values()
    said = {
        operand: min(width["bits"])
        for machine in used
        for operand, width in machine.items()
        if width["from"] == "checkpoint"
    }
    checkpoint = CheckpointWidths(activations=said.get("activations"), kv=said.get("kv"))
    return StoredWidths(flags, checkpoint, settings.get("widths", {}))
