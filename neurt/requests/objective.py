"""What dead zones by loss are to spare: the part of a request that says so. No torch."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, ClassVar

from hwmodels import HardwareProfile, load_profile
from neurt.requests.base import Count, Flag, Request, RequestError
from neurt.spiking.config import Code, DeadZone, Form, SpikingConfig


class Objective(StrEnum):
    """What silence and coarse digits are to save."""

    EVENTS = "events"  #: accumulates: a value is silent where its events cost more than it is worth
    BYTES = "bytes"  #: weights that are fetched: the digits of what is fetched cost nothing
    ENERGY = "energy"  #: both, at the prices of a hardware


class Aimed(Request):
    """A conversion whose second zone follows from what it is to spare."""

    group: ClassVar[str] = "conversion"

    objective: Objective | None = None
    """what dead zones by loss are to spare, which decides the resolution: accumulates, weights that
    are fetched, or energy"""
    objective_hw: Annotated[str | None, Flag("NAME", "--hw")] = None
    """hardware whose energy it is"""
    objective_tokens: Annotated[Count | None, Flag("N", "those of a pass of profile, else 1")] = (
        None
    )
    """tokens that share a fetch of weights: in decode, the sequences side by side"""

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if self.objective is not Objective.ENERGY:
            prices = "only energy has prices; give --objective energy"
            found |= {"objective_hw": prices, "objective_tokens": prices}
        if self.objective is not None:
            decided = "--objective decides it; leave out one of the two"
            found |= {"resolution": decided, "resolutions": decided}
        return found

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        if self.objective is None:
            return
        for chosen in self.conversions:
            if fault := _fault(chosen):
                raise RequestError(f"--objective {self.objective}: {fault}")
        if self.objective is Objective.ENERGY:
            self._named_hardware()

    @property
    def conversions(self) -> list[SpikingConfig]:
        """The conversions that are aimed."""
        spiking: SpikingConfig = self.spiking  # type: ignore[attr-defined]
        return [spiking]

    def objective_profile(self) -> HardwareProfile:
        """The hardware whose energy is to be spared, stored as this request says.

        Raises:
            RequestError: If no hardware is named, or more than one.
        """
        name = self._named_hardware()
        hw: tuple[str, ...] = getattr(self, "hw", ())
        loaded: Callable[[tuple[str, ...]], dict[str, HardwareProfile]] | None = getattr(
            self, "loaded", None
        )
        # Constants are set of the hardware that counts are priced on.
        known = loaded(hw) if loaded is not None and name in hw else {}
        profile = known.get(name) or load_profile(name)
        changed: Callable[[HardwareProfile], HardwareProfile] | None = getattr(
            self, "changed", None
        )
        return profile if changed is None else changed(profile)

    @property
    def sharing(self) -> int:
        """Tokens that share a fetch of weights."""
        return self.objective_tokens or 1

    def _named_hardware(self) -> str:
        own = (self.objective_hw,) if self.objective_hw is not None else getattr(self, "hw", ())
        named: tuple[str, ...] = tuple(dict.fromkeys(own))
        if len(named) != 1:
            given = f"--hw names {', '.join(named)}" if named else "no hardware is named"
            raise RequestError(
                f"--objective energy has the prices of one hardware, and {given}; give "
                "--objective-hw"
            )
        return named[0]


def _fault(chosen: SpikingConfig) -> str:
    """Why a conversion has no zones that prices could decide; empty where it has."""
    if {chosen.code, chosen.code_of_attention} != {Code.POW2} or chosen.form is not Form.SOFTMAX:
        return "zones by prices are those of the code pow2 in softmax attention; choose both"
    if chosen.dead_zone is DeadZone.OUTPUT:
        return f"dead zones by {chosen.dead_zone} know no loss; choose those by {DeadZone.LOSS}"
    return ""
