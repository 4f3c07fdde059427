"""What the card of a model says of its energy: per token, with all that it depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from energy import Estimate
from energy.compare.energy_range import energy_range
from hwmodels.errors import UserError
from reports.kit.caveats import NOT_MODELLED
from reports.kit.parts import BOUNDS

#: Joules in a kilowatt-hour.
JOULES_PER_KWH = 3.6e6
#: Tokens whose emissions are stated together: those of one are a fraction of a milligram.
MILLION = 1e6


#: The interval of a bill.
DRAWS = "5 to 95 % of draws of all constants of the hardware"


class CardError(UserError, ValueError):
    """A card that would say nothing."""


class Entry(NamedTuple):
    """The energy per token of one variant, in one phase, on one hardware, at one bound."""

    hardware: str  #: name of the profile
    variant: str  #: `analog` or `spiking`
    phase: str  #: `prefill`, `decode` or `request`
    bound: str  #: what moves between products, `fused` or `unfused`; or that all is inside
    dataflow: str | None  #: how often operands move; None where it is in the prices
    j_per_token: float | None  #: joules; None where it is unpriced
    low_j: float | None  #: the ends of its interval; None where nobody knows them
    high_j: float | None
    weakest: str | None  #: the weakest grade of evidence that carries 1 % of the energy or more
    grades: Mapping[str, float]  #: share of the energy by grade
    unpriced: tuple[str, ...]  #: operations that were counted and have no price, so are missing
    interval: str = DRAWS  #: what the interval is
    leans: str = ""  #: why it lies to one side of the energy, in words; empty where it does not

    @property
    def token(self) -> str:
        """Among which tokens the energy is shared."""
        return "token of the prompt" if self.phase == "prefill" else "generated token"


def entries_of(bill: Estimate, variant: str, phase: str, tokens: int) -> Iterator[Entry]:
    """The entries of one bill, a bound each.

    Args:
        bill: Over the whole batch.
        variant: Which model it is.
        phase: What was run.
        tokens: For each sequence of the batch, those that its energy is shared by.
    """
    shared = bill.counts.batch * tokens
    for bound in BOUNDS:
        side = bill.under(bound)
        found = energy_range(side, bound)
        yield Entry(
            bill.profile.name,
            variant,
            phase,
            bound,
            str(side.dataflow),
            _joules(None if found is None else found.nominal_pj, shared),
            _joules(None if found is None else found.low_pj, shared),
            _joules(None if found is None else found.high_pj, shared),
            None if found is None else found.weakest.value,
            {} if found is None else {str(grade): x for grade, x in found.grades.items()},
            tuple(op.value for op in side.unpriced),
            leans="" if found is None else found.leans,
        )


def _joules(pj: float | None, tokens: int) -> float | None:
    return None if pj is None else pj / tokens / 1e12


@dataclass(frozen=True)
class Card:
    """All entries of one model, and what they have in common.

    Raises:
        CardError: If nothing in it has a price.
    """

    model: str
    weights: str  #: where they come from
    command: str  #: `count` or `profile` (measured counts), `plan` (closed form)
    version: str  #: of neurt-energy
    created: str  #: when, in ISO format
    conditions: Mapping[str, Any]  #: batch, lengths, attention and so on, by name
    widths: Mapping[str, str]  #: bits of operands in words, by hardware
    entries: tuple[Entry, ...]
    carbon_g_per_kwh: float | None = None  #: grams of CO2 equivalent per kilowatt-hour, as given
    notes: tuple[str, ...] = ()  #: what a reader must know, a sentence each
    not_modelled: tuple[str, ...] = NOT_MODELLED  #: what is in no energy of it

    def __post_init__(self) -> None:
        """Refuse a card without any energy."""
        if all(entry.j_per_token is None for entry in self.entries):
            names = ", ".join(dict.fromkeys(entry.hardware for entry in self.entries))
            raise CardError(
                f"--card states energy, but {names} has no price of what was counted; give a --hw "
                "that has one, such as 45nm, or leave out --card"
            )

    def grams_per_million(self, j_per_token: float | None) -> float | None:
        """Grams of CO2 equivalent of a million tokens; None without intensity or price."""
        if self.carbon_g_per_kwh is None or j_per_token is None:
            return None
        return MILLION * j_per_token / JOULES_PER_KWH * self.carbon_g_per_kwh
