"""How far the savings of a run can be trusted: what was asked, and its files."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from energy import Estimate
from energy.bill.estimate import ACCOUNTINGS
from energy.compare.ranges import UncertainConstant
from energy.compare.sensitivity import SAMPLES, Sensitivity, SensitivityError, Swing, sensitivity
from reports.kit.files import prepare_directory, slugs, write_text
from reports.kit.pictures import Pictures, draw

#: Blocks whose saving is looked at; None is the whole model.
BLOCKS = ("attention", "ffn", None)

#: Constants shown one by one in a table or picture.
SHOWN = 10

INDEPENDENT = "constants drawn independently, log-uniform"

#: Columns of `sensitivity.csv`; frozen by a test.
SENSITIVITY_COLUMNS = (
    "hw",
    "block",
    "accounting",
    "constant",
    "value",
    "unit",
    "evidence",
    "low_factor",
    "high_factor",
    "range_from",
    "asa_pj",
    "ssa_pj",
    "saving_at_low",
    "saving_at_high",
    "span",
    "saving",
    "saving_p5",
    "saving_p50",
    "saving_p95",
    "cheaper_share",
    "samples",
    "seed",
    "unpriced",
    "dataflow",
    "timesteps",
    "phase",
    "tokens",
    "attention",
    "model",
    "weights",
    "source",
)


@dataclass(frozen=True)
class Study:
    """The savings of one model on one hardware, with what moves them.

    Attributes:
        asa: Bill of the analog variant.
        ssa: Bill of the spiking variant.
        samples: Draws of all constants.
        seed: Of the draws.
    """

    asa: Estimate
    ssa: Estimate
    samples: int = SAMPLES
    seed: int = 0

    @cached_property
    def blocks(self) -> tuple[str | None, ...]:
        """Those of `BLOCKS` that have layers."""
        present = {
            layer.label.block for layer in (*self.asa.counts.layers, *self.ssa.counts.layers)
        }
        return tuple(block for block in BLOCKS if block is None or block in present)

    @cached_property
    def found(self) -> Mapping[tuple[str | None, str], Sensitivity]:
        """By block and accounting.

        Raises:
            SensitivityError: If `samples` or `seed` is out of range.
        """
        how = {"samples": self.samples, "seed": self.seed}
        return {
            (block, accounting): sensitivity(self.asa, self.ssa, accounting, block=block, **how)
            for block in self.blocks
            for accounting in ACCOUNTINGS
        }

    def of(self, block: str | None) -> dict[str, Sensitivity]:
        """What was found for one block, by accounting; only savings that exist.

        Raises:
            SensitivityError: If no layer is of that block.
        """
        if block not in self.blocks:
            raise SensitivityError(f"no layer belongs to the block '{block}'; choose --block model")
        found = {accounting: self.found[block, accounting] for accounting in ACCOUNTINGS}
        return {accounting: one for accounting, one in found.items() if one.interval is not None}

    @property
    def title(self) -> str:
        """What was priced, in one line for tables and pictures."""
        asa, steps = self.asa.counts, self.ssa.counts.timesteps
        words = [asa.model, asa.weights and f"weights {asa.weights}", f"T = {steps}", asa.phase]
        tokens = f"{asa.tokens:,} token{'s' if asa.tokens > 1 else ''}" if asa.tokens else ""
        words += [tokens, f"{asa.attention} attention"]
        return ", ".join(word for word in words if word)


def part_name(block: str | None) -> str:
    """A block in words."""
    return "model" if block is None else f"{block} block"


def value_text(constant: UncertainConstant, factor: float = 1.0) -> str:
    """The value of a constant or of a multiple; of a memory level from cheapest to dearest."""
    return " to ".join(f"{value * factor:.4g}" for value in constant.values)


def range_text(constant: UncertainConstant) -> str:
    """The range of a constant in its unit; of a memory level as factors."""
    if len(constant.values) > 1:
        return f"x {constant.low:.3g} to {constant.high:.3g}"
    return " to ".join(value_text(constant, factor) for factor in (constant.low, constant.high))


def _rows(study: Study) -> list[dict[str, object]]:
    counts = study.ssa.counts
    rows: list[dict[str, object]] = []
    for (block, accounting), found in study.found.items():
        spread = found.interval
        about: dict[str, object] = {
            "hw": study.asa.profile.name,
            "block": block or "total",
            "accounting": accounting,
            "saving": found.nominal.saving,
            "saving_p5": spread and spread.low,
            "saving_p50": spread and spread.median,
            "saving_p95": spread and spread.high,
            "cheaper_share": spread and spread.cheaper,
            "samples": study.samples,
            "seed": study.seed,
            "unpriced": " ".join(op.value for op in found.nominal.unpriced),
            "dataflow": study.ssa.dataflow,
            "timesteps": counts.timesteps,
            "phase": counts.phase,
            "tokens": counts.tokens,
            "attention": counts.attention,
            "model": counts.model,
            "weights": counts.weights,
        }
        # A saving that does not exist is a row of its own, with what has no price.
        rows += [about | _swing_cells(swing) for swing in found.swings] or [about]
    return rows


def _swing_cells(swing: Swing) -> dict[str, object]:
    constant = swing.constant
    return {
        "hw": constant.hw,
        "constant": constant.name,
        "value": value_text(constant),
        "unit": constant.unit,
        "evidence": constant.evidence.value,
        "low_factor": constant.low,
        "high_factor": constant.high,
        "range_from": constant.origin.value,
        "asa_pj": swing.asa_pj,
        "ssa_pj": swing.ssa_pj,
        "saving_at_low": swing.at_low,
        "saving_at_high": swing.at_high,
        "span": swing.span,
        "source": constant.source,
    }


def write_sensitivity(
    studies: Sequence[Study],
    directory: Path,
    block: str | None = "attention",
    *,
    pictures: Pictures = Pictures.ALL,
) -> list[Path]:
    """Write `sensitivity.csv` and, for each hardware, `tornado_HW.png` and `.svg`.

    Args:
        studies: One per hardware.
        directory: Where to; made if need be.
        block: What the pictures show; the table has all blocks. Without a saving no picture.
        pictures: The formats of the pictures.

    Returns:
        The files.

    Raises:
        OutputError: If they cannot be written.
        SensitivityError: If no layer is of that block.
    """
    shown = [study for study in studies if study.of(block)]
    prepare_directory(directory)
    text = io.StringIO()
    table = csv.DictWriter(text, SENSITIVITY_COLUMNS, lineterminator="\n")
    table.writeheader()
    for study in studies:
        table.writerows(_rows(study))
    files = [write_text(directory / "sensitivity.csv", text.getvalue())]
    if pictures is not Pictures.NONE:
        from reports.sensitivity.picture import tornado

        names = slugs(study.asa.profile.name for study in shown)
        for study, hw in zip(shown, names, strict=True):
            files += draw(partial(tornado, study, block), directory / f"tornado_{hw}", pictures)
    return files
