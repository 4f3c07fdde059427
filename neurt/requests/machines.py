"""The part of requests that puts both models on machines of their own. No torch."""

from __future__ import annotations

from typing import Annotated, ClassVar

from hwmodels.pair import Machine, two_machines
from neurt.requests.base import Flag, RequestError
from neurt.requests.hardware import Hardware


class Paired(Hardware):
    """Hardware for both models, or one machine for each."""

    group: ClassVar[str] = "hardware"

    hw: Annotated[tuple[str, ...], Flag("NAME", "needed, unless two machines are", each=True)] = ()
    """hardware profile, by name or .toml file; may be repeated"""
    asa_hw: Annotated[str | None, Flag("NAME")] = None
    """a comparison of two machines: the one that runs the analog model (asa)"""
    ssa_hw: Annotated[str | None, Flag("NAME")] = None
    """and the one that runs the spiking model (ssa)"""

    @property
    def is_pair(self) -> bool:
        """Whether each model has a machine of its own."""
        return self.asa_hw is not None or self.ssa_hw is not None

    @property
    def names(self) -> tuple[str, ...]:
        """See `Hardware`."""
        return tuple(it for it in (self.asa_hw, self.ssa_hw) if it is not None) or self.hw

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        if self.hw and self.is_pair:
            raise RequestError("--hw prices both sides, --asa-hw and --ssa-hw one each; give one")
        if self.is_pair and None in (self.asa_hw, self.ssa_hw):
            missing = "--ssa-hw" if self.asa_hw else "--asa-hw"
            raise RequestError(f"a comparison of two machines needs {missing} too")
        # A point of a grid says that it has none: prices decide no count.
        if "hw" not in self.model_fields_set and not self.is_pair:
            raise RequestError("the following arguments are required: --hw")
        if self.is_pair and self.asa_hw == self.ssa_hw:
            raise RequestError(f"{self.asa_hw} on both sides is one machine; give it as --hw")
        if self.is_pair and getattr(self, "mixed", False):
            raise RequestError(
                "--mixed is of two precisions of one machine, and --asa-hw and --ssa-hw are two; "
                "leave it out"
            )

    def machines(self) -> tuple[Machine, ...]:
        """What counts are priced on: the profiles, or the two as a pair; errors as of `profiles`.

        Raises:
            RequestError: If both are one machine, or one has the prices of a whole chip.
        """
        found = self.profiles()
        if not self.is_pair:
            return found
        if len(found) < 2:
            raise RequestError(f"{self.asa_hw} and {self.ssa_hw} are one machine; give it as --hw")
        return (two_machines(*found),)

    def check_single(self, why: str) -> None:
        """Raise RequestError if two machines are given where there is one side alone."""
        if self.is_pair:
            raise RequestError(f"{why}, so that one machine runs all there is; give it as --hw")
