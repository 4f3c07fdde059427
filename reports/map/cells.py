"""Which of three models costs least on the whole bill, cell by cell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hwmodels import HardwareProfile

#: The models that are compared, by name, and what people read. Of two that cost the same, the first
#: costs least.
CONTENDERS = {
    "dense": "dense analog",
    "zones": "analog with zones",
    "spiking": "spiking",
}
#: The runner-up is close if the winner saves less of its bill.
CLOSE = 0.01
#: A saving from here on is said in whole percent.
_ROUND = 0.0995


@dataclass(frozen=True)
class Bill:
    """The whole bills of the three models in one place, in picojoules per token."""

    #: by model, what each part costs; a part that a model does not have is missing
    parts_pj: Mapping[str, Mapping[str, float]]

    def pj(self, contender: str) -> float:
        """The whole bill of one of them."""
        return math.fsum(self.parts_pj[contender].values())

    @property
    def ranked(self) -> list[str]:
        """The models, the one that costs least first."""
        return sorted(CONTENDERS, key=self.pj)

    @property
    def winner(self) -> str:
        """The one that costs least."""
        return self.ranked[0]

    @property
    def runner_up(self) -> str:
        """The one that costs least beside it."""
        return self.ranked[1]

    @property
    def saving(self) -> float:
        """Share of the bill of the dense model that the winner saves."""
        return self.less(self.winner, "dense")

    @property
    def margin(self) -> float:
        """Share of the bill of the runner-up that the winner saves."""
        return self.less(self.winner, self.runner_up)

    def less(self, contender: str, other: str) -> float:
        """Share of the bill of another that one of them saves."""
        return 1 - self.pj(contender) / self.pj(other)

    @property
    def is_close(self) -> bool:
        """Whether the runner-up costs hardly more: prices are not known so well."""
        return self.margin < CLOSE

    @property
    def saved_text(self) -> str:
        """What the winner saves of the dense bill, in percent."""
        digits = 0 if self.saving >= _ROUND else 1
        least = 10.0**-digits
        saved = 100 * self.saving
        return f"{saved:.{digits}f}" if saved >= least / 2 else f"<{least:g}"

    @property
    def decides(self) -> str:
        """The part of the bill in which the winner is furthest below the runner-up."""
        return max(self._ahead, key=self._ahead.__getitem__)

    @property
    def decides_pj(self) -> float:
        """By how much it is."""
        return max(self._ahead.values())

    @property
    def _ahead(self) -> dict[str, float]:
        """What the winner costs less than the runner-up, by part."""
        ours, theirs = (self.parts_pj[one] for one in self.ranked[:2])
        return {part: theirs.get(part, 0) - ours.get(part, 0) for part in {**theirs, **ours}}


class Cell(NamedTuple):
    """The three models in one place of the map, at both bounds of what moves between products."""

    batch: int  #: sequences side by side
    context: int  #: attended tokens of each of them, the new ones included
    weight_bits: float  #: bits of an entry of a weight matrix
    #: capacity of the memory level nearest to the weights; None where there is but one
    sram_bytes: int | None
    fused: Bill
    unfused: Bill

    @property
    def bounds_agree(self) -> bool:
        """Whether the same model costs least at both bounds."""
        return self.fused.winner == self.unfused.winner


@dataclass(frozen=True)
class EnergyMap:
    """The map of one model on one piece of hardware."""

    profile: HardwareProfile  #: the hardware, as asked for but for what the axes say
    cells: tuple[Cell, ...]  #: by weight bits, SRAM, batch and context, in the order asked for
    phase: str  #: `decode` or `prefill`
    dataflow: str  #: how often operands move
    model: str  #: its name
    weights: str  #: where its weights came from
    timesteps: int  #: time steps of the spiking model
    conversion: str  #: form of its attention, and its codes
    spike_rates: str  #: where the spike rates are from
    active_rates: str  #: where the shares of values that are not silent are from
    unpriced: tuple[str, ...] = ()  #: operations without a price, which are in no bill

    def axis(self, field: str) -> list[Any]:
        """The different values of a field of the cells, in the order asked for."""
        return list(dict.fromkeys(getattr(cell, field) for cell in self.cells))

    def won(self, contender: str) -> list[Cell]:
        """The cells in which a model costs least at the fused bound."""
        return [cell for cell in self.cells if cell.fused.winner == contender]

    @property
    def title(self) -> str:
        """The model and its conversion, in one line."""
        return (
            f"{self.model}, weights {self.weights}, {self.phase}, T = {self.timesteps}, "
            f"{self.conversion}\nspike rates {self.spike_rates}, active rates {self.active_rates}"
        )
