"""What a token costs at several batches and contexts, on one hardware, at both bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hwmodels.pair import Machine


class Bill(NamedTuple):
    """Both models at one bound, in picojoules per token; None where a MAC or an AC has no price."""

    asa_pj: float | None
    ssa_pj: float | None = None

    @property
    def saving(self) -> float | None:
        """The share of the analog model's energy that the spiking one saves."""
        if self.asa_pj is None or self.ssa_pj is None or not self.asa_pj:
            return None
        return 1 - self.ssa_pj / self.asa_pj


class Cell(NamedTuple):
    """One batch and context."""

    batch: int
    #: attended tokens in decode, tokens of a sequence in prefill, of prompt and answer in a request
    context: int
    bills: Mapping[str, Bill]  #: by bound
    unpriced: tuple[str, ...] = ()  #: operations that were counted and have no price


@dataclass(frozen=True)
class SizeGrid:
    """One model on one hardware."""

    profile: Machine
    dataflow: str
    phase: str  #: `prefill`, `decode` or a whole request, as `request 64+32`
    title: str  #: the model, in one line for tables and pictures
    cells: tuple[Cell, ...]  #: by batch, then by context
    model: str
    weights: str
    timesteps: int | None = None  #: of the spiking model; None where it is not planned
    spike_rate: float | None = None  #: assumed, likewise

    def axis(self, name: str) -> tuple[int, ...]:
        """The batches, or the contexts."""
        return tuple(dict.fromkeys(getattr(cell, name) for cell in self.cells))

    @property
    def token(self) -> str:
        """What an energy is for: each new token, of a request each that it generates."""
        return "generated token" if self.phase.startswith("request") else "token"

    @property
    def has_spikes(self) -> bool:
        """Whether there is a spiking model."""
        return self.timesteps is not None

    @property
    def unpriced(self) -> tuple[str, ...]:
        """What has no price in any cell."""
        return tuple(dict.fromkeys(op for cell in self.cells for op in cell.unpriced))
