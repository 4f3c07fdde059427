"""How wide what a run stores is: as flags say, else its checkpoint, else the machine. No torch.

A machine widens what is narrower than its arithmetic, and converts what is wider to it. So a
checkpoint counts where it is narrower than the arithmetic of a profile: one in FP32 is taken as
INT8 on INT8 hardware.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar, cast

import numpy as np

from energy.bill.traffic import Bits
from energy.counts import Counts, LayerCount
from energy.counts.columns import Columns, whole
from hwmodels import HardwareProfile, Op
from hwmodels.machine import Operand
from hwmodels.pair import Machine, each_side
from neurt.loading.source import ModelSource
from neurt.loading.widths import UNSAID, CheckpointWidths, checkpoint_widths
from reports.kit.caveats import are_random

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
        said = {name: bits for name, bits in self._of_machine.items() if bits < profile.own_bits}
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
            by = "flag" if operand in self.flags else "checkpoint" if counts_here else "profile"
            found[operand] = {"bits": [whole(min(wide)), whole(max(wide))], "from": by}
        return found


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
