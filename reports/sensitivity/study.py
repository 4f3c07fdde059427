"""How far the savings of a run can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from energy import Estimate
from energy.bill.layer import ACCOUNTINGS
from energy.compare.ranges import UncertainConstant
from energy.compare.sensitivity import SAMPLES, Sensitivity, SensitivityError, sensitivity
from energy.words import unit_of
from hwmodels.plain import several
from reports.kit.parts import BLOCKS

#: Constants shown one by one in a table or picture.
SHOWN = 10

INDEPENDENT = "constants drawn independently, log-uniform"


@dataclass(frozen=True)
class Study:
    """The savings of one model on one hardware, with what moves them."""

    asa: Estimate  #: bill of the analog variant
    ssa: Estimate  #: bill of the spiking variant
    samples: int = SAMPLES  #: draws of all constants
    seed: int = 0  #: of the draws

    @cached_property
    def blocks(self) -> tuple[str | None, ...]:
        """Those of `BLOCKS` that have layers."""
        present = {
            layer.label.block for layer in (*self.asa.counts.layers, *self.ssa.counts.layers)
        }
        return tuple(block for block in BLOCKS if block is None or block in present)

    @cached_property
    def results(self) -> Mapping[tuple[str | None, str], Sensitivity]:
        """By block and accounting."""
        return {
            (block, accounting): sensitivity(
                self.asa, self.ssa, accounting, block=block, samples=self.samples, seed=self.seed
            )
            for block in self.blocks
            for accounting in ACCOUNTINGS
        }

    def of(self, block: str | None) -> dict[str, Sensitivity]:
        """The results for one block by accounting, of savings that exist.

        Raises:
            SensitivityError: If no layer is of that block.
        """
        if block not in self.blocks:
            raise SensitivityError(f"no layer belongs to the block '{block}'; choose --block model")
        results = {accounting: self.results[block, accounting] for accounting in ACCOUNTINGS}
        return {accounting: x for accounting, x in results.items() if x.interval is not None}

    @property
    def title(self) -> str:
        """What was priced, in one line for tables and pictures."""
        asa, steps = self.asa.counts, self.ssa.counts.timesteps
        words = [asa.model, asa.weights and f"weights {asa.weights}", f"T = {steps}", asa.phase]
        unit = unit_of(asa.phase)
        words += [several(asa.tokens, unit) if asa.tokens else ""]
        words += [f"{asa.attention} attention" if unit == "token" else ""]
        return ", ".join(word for word in words if word)


def part_name(block: str | None) -> str:
    """A block in words."""
    return "model" if block is None else f"{block} block"


def value_text(constant: UncertainConstant, factor: float = 1.0) -> str:
    """The value of a constant or of a multiple; of a memory level from cheapest to dearest."""
    if constant.ways:
        return constant.ways[round(factor)]
    return " to ".join(f"{value * factor:.4g}" for value in constant.values)


def range_text(constant: UncertainConstant) -> str:
    """The range of a constant in its unit; of a memory level as factors."""
    if constant.ways:
        return " or ".join(constant.ways)
    if len(constant.values) > 1:
        return f"x {constant.low:.3g} to {constant.high:.3g}"
    return " to ".join(value_text(constant, factor) for factor in (constant.low, constant.high))
