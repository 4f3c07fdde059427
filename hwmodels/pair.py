"""A pair of machines that stands where one stands: one runs the analog model, one the spiking."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hwmodels.catalog import load_profile
from hwmodels.machine import Fusion
from hwmodels.profile import HardwareProfile, ProfileError

#: What all that is made of a pair is called.
COMPARISON = "a comparison of two machines"


@dataclass(frozen=True)
class TwoMachines:
    """One machine for the analog model (ASA), and another one for the spiking model (SSA).

    Technology, precision and what a price has inside it differ too, so that a saving across two
    machines is not what spikes save.

    Raises:
        ProfileError: If they are one machine, are at two bounds of what moves between products,
            or one has the prices of a whole chip.
    """

    asa: HardwareProfile  #: the machine of the analog model
    ssa: HardwareProfile  #: the machine of the spiking model

    def __post_init__(self) -> None:
        """Make sure that it is a pair."""
        if self.asa.name == self.ssa.name:
            raise ProfileError(
                f"'{self.asa.name}' on both sides is one machine; give it as hardware alone"
            )
        if whole := [it.name for it in (self.asa, self.ssa) if it.whole_chip]:
            raise ProfileError(
                f"'{whole[0]}' has the prices of a whole chip, which runs no spiking model; give "
                "two machines that price operations"
            )
        if self.asa.fusion is not self.ssa.fusion:
            raise ProfileError(
                f"'{self.asa.name}' is {self.asa.fusion} and '{self.ssa.name}' {self.ssa.fusion}: "
                "the bound is of the comparison, and both need the same one; `two_machines` takes "
                "that of the first"
            )

    @property
    def name(self) -> str:
        """Both names, as in tables and files."""
        return f"ASA on {self.asa.name}, SSA on {self.ssa.name}"

    @property
    def title(self) -> str:
        """Both in one line for tables and pictures."""
        return f"ASA on {self.asa.title}; SSA on {self.ssa.title}: {COMPARISON}"

    @property
    def fusion(self) -> Fusion:
        """The bound of both; tables have both bounds."""
        return self.asa.fusion


#: What counts are priced on.
Machine = HardwareProfile | TwoMachines


def two_machines(asa: str | HardwareProfile, ssa: str | HardwareProfile) -> TwoMachines:
    """The analog model on one machine against the spiking one on another.

    It is given wherever hardware is. Both are at the bound of the first, for a bound belongs to a
    comparison: tables have both of them.

    Args:
        asa: The machine of the analog model, by name, file or profile.
        ssa: That of the spiking model, likewise.

    Raises:
        ProfileError: If one cannot be loaded, both are one machine, or one prices a whole chip.
    """
    first, second = (x if isinstance(x, HardwareProfile) else load_profile(x) for x in (asa, ssa))
    return TwoMachines(first, second.model_copy(update={"fusion": first.fusion}))


def beside(asa: HardwareProfile, ssa: HardwareProfile) -> Machine:
    """The machine on which two bills stand: one, or two of them."""
    return asa if asa.name == ssa.name else two_machines(asa, ssa)


def side_of(machine: Machine, variant: str) -> HardwareProfile:
    """The machine that runs a variant: `ssa`, the spiking model, or any other."""
    if isinstance(machine, HardwareProfile):
        return machine
    return machine.ssa if variant == "ssa" else machine.asa


def sides(machine: Machine) -> tuple[HardwareProfile, ...]:
    """The one profile, or both."""
    if isinstance(machine, HardwareProfile):
        return (machine,)
    return (machine.asa, machine.ssa)


def each_side(machine: Machine, change: Callable[[HardwareProfile], HardwareProfile]) -> Machine:
    """The machine with a change of the profile, or of both."""
    if isinstance(machine, HardwareProfile):
        return change(machine)
    return TwoMachines(change(machine.asa), change(machine.ssa))


def machines_of(
    hw: str | Machine | Iterable[str | Machine],
) -> tuple[Machine, ...]:
    """Hardware by name, file, profile or pair, one or several, as what counts are priced on.

    Raises:
        ProfileError: If one cannot be loaded.
    """
    given = (hw,) if isinstance(hw, str | HardwareProfile | TwoMachines) else tuple(hw)
    return tuple(
        it if isinstance(it, HardwareProfile | TwoMachines) else load_profile(it) for it in given
    )


def recorded(machine: Machine) -> dict[str, Any]:
    """What a record holds of it: `profile`, or `machines` with that of `asa` and of `ssa`."""
    dumped = [it.model_dump(mode="json", exclude_none=True) for it in sides(machine)]
    if isinstance(machine, HardwareProfile):
        return {"profile": dumped[0]}
    return {"machines": dict(zip(("asa", "ssa"), dumped, strict=True))}
