"""Runs side by side: a row for each run on each of its hardware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from energy import Estimate, Saving, saving
from energy.bill.both import dataflow_of, machine_of
from energy.bill.layer import ACCOUNTINGS
from energy.compare.sensitivity import Interval, sensitivity
from energy.words import unit_of
from reports.kit.caveats import OF_TWO_MACHINES
from reports.kit.parts import BLOCKS, SHOWN, SHOWN_OF_NETWORKS
from reports.run.run import Run

#: How a field of a run is written in a list; those that are missing stand for themselves.
_WORDS = {
    "weights": "weights {}",
    "T": "T = {}",
    "device": "on {}",
    "precision": "run in {}",
    "form": "form {}",
    "code": "code {}",
    "batch": "batch {}",
    "tokens": "{} tokens",
    "attention": "{} attention",
    "baseline": "against {}",
}


def words(about: Mapping[str, str]) -> str:
    """Fields of a run as a list."""
    said = (_WORDS.get(key, "{}").format(value) for key, value in about.items() if value)
    return ", ".join("1 token" if text == "1 tokens" else text for text in said)


class Part(NamedTuple):
    """One saving of one row."""

    saving: Saving  #: the saving
    #: where it lies if the constants of the hardware are off; None where it has none
    spread: Interval | None


@dataclass(frozen=True)
class Row:
    """One run on one hardware."""

    name: str  #: what the run is called here
    run: Run  #: the run
    asa: Estimate  #: bill of the analog model
    ssa: Estimate  #: bill of the spiking model

    @cached_property
    def about(self) -> dict[str, str]:
        """Fields that say what was run, by heading; those that differ tell the rows apart."""
        settings = self.run.settings
        spiking = settings.get("spiking")
        chosen = spiking if isinstance(spiking, Mapping) else {}
        counts = self.ssa.counts
        return {
            "model": counts.model,
            "weights": counts.weights,
            "hardware": machine_of(self.asa, self.ssa).name,
            "T": str(counts.timesteps),
            # Version 0.1 stored them under the second name.
            "form": str(chosen.get("form", chosen.get("attention", ""))),
            "code": str(chosen.get("code", chosen.get("feedforward", ""))),
            "phase": self.run.ssa.phase,  # the sum of bills of several phases knows no more
            "batch": str(counts.batch),
            # A network takes samples, which the batch counts, and need not have attention.
            "tokens": f"{counts.tokens:,}" if self.takes == "token" else "",
            "attention": counts.attention if self.takes == "token" else "",
            # What stands behind a comma explains it.
            "baseline": str(settings.get("baseline") or "").partition(",")[0],
            "dataflow": dataflow_of(self.asa, self.ssa),
            # Spikes follow from values, which another device or precision makes slightly others.
            "device": str(settings.get("device_name") or settings.get("device") or ""),
            "precision": str(settings.get("dtype") or ""),
            "counts": "measured"
            if self.run.command == "profile"
            else f"planned at spike rate {self.run.settings['spike_rate']}",
        }

    @property
    def takes(self) -> str:
        """What the run takes in: `token`, or `sample` of an inference of any network."""
        return unit_of(self.asa.counts.phase)

    @cached_property
    def parts(self) -> dict[tuple[str, str | None], Part]:
        """Its savings, by accounting and block."""
        return {
            (accounting, block): Part(
                saving(self.asa, self.ssa, accounting, block=block),
                sensitivity(self.asa, self.ssa, accounting, block=block).interval,
            )
            for block in BLOCKS
            for accounting in ACCOUNTINGS
        }

    def per_token(self, pj: float | None) -> float | None:
        """A share of an energy for each token that the run takes in; None where unknown."""
        tokens = self.asa.counts.tokens
        return pj / tokens if pj is not None and tokens else None


@dataclass(frozen=True)
class Rows:
    """Runs side by side."""

    runs: Mapping[str, Run]  #: by the name that each has in tables and pictures

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Each run on each of its hardware."""
        return tuple(
            Row(name, run, *pair)
            for name, run in self.runs.items()
            for pair in run.estimates.values()
        )

    @cached_property
    def same(self) -> dict[str, str]:
        """Fields that are the same in all rows."""
        first, *others = (row.about for row in self.rows)
        return {
            key: value
            for key, value in first.items()
            if all(about[key] == value for about in others)
        }

    @property
    def unit(self) -> str:
        """What the runs take in: tokens, samples of an inference of any network, or both."""
        return " or ".join(dict.fromkeys(row.takes for row in self.rows))

    @property
    def shown(self) -> tuple[tuple[str, str, str | None], ...]:
        """The savings that are shown: of attention too, if any of the models has a block of it."""
        blocks = (row.ssa.counts.only(block="attention") for row in self.rows)
        return SHOWN if any(block.layers for block in blocks) else SHOWN_OF_NETWORKS

    @property
    def caution(self) -> str:
        """What a saving across two machines is not, where a row has one; else empty."""
        return OF_TWO_MACHINES if any(run.is_of_two for run in self.runs.values()) else ""

    @property
    def same_text(self) -> str:
        """Fields that are the same in all rows, as a list."""
        return words(self.same)

    def differing(self, row: Row) -> str:
        """Fields that tell a row from others, as a list."""
        return words({key: value for key, value in row.about.items() if key not in self.same})
