"""One line of a comparison: a run on one hardware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from energy import Estimate, Saving, saving
from energy.bill.estimate import ACCOUNTINGS
from energy.compare.sensitivity import Interval, interval
from reports.run.run import Run

#: Parts of the model that are compared; None is all of it.
BLOCKS = ("attention", "ffn", None)


#: How what was run is said in a list; the rest says itself.
_WORDS = {
    "weights": "weights {}",
    "T": "T = {}",
    "form": "form {}",
    "code": "code {}",
    "batch": "batch {}",
    "tokens": "{} tokens",
    "attention": "{} attention",
}


def words(about: Mapping[str, str]) -> str:
    """What was run, as a list."""
    return ", ".join(_WORDS.get(key, "{}").format(value) for key, value in about.items() if value)


class Part(NamedTuple):
    """One saving of one row.

    Attributes:
        saving: The saving.
        spread: Where it lies if the constants of the hardware are off; None where it has none.
    """

    saving: Saving
    spread: Interval | None


@dataclass(frozen=True)
class Row:
    """One run on one hardware.

    Attributes:
        name: What the run is called here.
        run: The run.
        asa: Bill of the analog model.
        ssa: Bill of the spiking model.
    """

    name: str
    run: Run
    asa: Estimate
    ssa: Estimate

    @cached_property
    def about(self) -> dict[str, str]:
        """What was run, by heading: what of it differs makes the row another one."""
        spiking = self.run.settings.get("spiking")
        chosen = spiking if isinstance(spiking, Mapping) else {}
        counts = self.ssa.counts
        return {
            "model": counts.model,
            "weights": counts.weights,
            "hardware": self.asa.profile.name,
            "T": str(counts.timesteps),
            # Version 0.1 stored them under the second name.
            "form": str(chosen.get("form", chosen.get("attention", ""))),
            "code": str(chosen.get("code", chosen.get("feedforward", ""))),
            "phase": self.run.ssa.phase,  # the sum of bills of several phases knows no more
            "batch": str(counts.batch),
            "tokens": f"{counts.tokens:,}",
            "attention": counts.attention,
            "dataflow": str(self.ssa.dataflow),
            "counts": "measured" if self.run.command == "profile" else "planned",
        }

    @cached_property
    def parts(self) -> dict[tuple[str, str | None], Part]:
        """Its savings, by accounting and block."""
        return {
            (accounting, block): Part(
                saving(self.asa, self.ssa, accounting, block=block),
                interval(self.asa, self.ssa, accounting, block),
            )
            for block in BLOCKS
            for accounting in ACCOUNTINGS
        }

    def per_token(self, pj: float | None) -> float | None:
        """A share of an energy for each token that the run takes in; None where unknown."""
        tokens = self.asa.counts.tokens
        return pj / tokens if pj is not None and tokens else None
