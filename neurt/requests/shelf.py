"""What may be asked of `hw`: the hardware profiles that are at hand. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from neurt.requests.base import Capacity, Flag, Request
from neurt.requests.hardware import Bits
from reports.hardware.cost_levels import Access

_PROFILE = "a name from the list, or a .toml file (FILE.toml:int8 for one of its precisions)"


class ListRequest(Request):
    """What is at hand."""

    measured: bool = False
    """measured systems in place of profiles: energy per token, with its boundary and its source"""


class ShowRequest(Request):
    """A hardware profile."""

    name: Annotated[str, Flag(positional=True)] = Field(description=_PROFILE)


class DiffRequest(Request):
    """Two hardware profiles."""

    a: Annotated[str, Flag(positional=True)] = Field(description=_PROFILE)
    b: Annotated[str, Flag(positional=True)] = Field(description=_PROFILE)


class NewRequest(Request):
    """A hardware profile to write."""

    name: Annotated[str, Flag(positional=True)]
    """its name"""
    extends: Annotated[str | None, Flag("NAME")] = Field(
        default=None, description=f"start from {_PROFILE}"
    )
    from_: Annotated[Path | None, Flag("FILE")] = None
    """a table of costs, a row for each action of a component, to make the prices of: a CSV with
    columns component (or name), action, energy, and maybe class, unit, bits (of an access),
    capacity, key (what it prices), source, evidence; or an energy reference table of Accelergy
    (.yaml)"""
    bits: Annotated[Mapping[str, Bits], Flag("MEMORY=BITS")] = Field(default_factory=dict)
    """bits of one access of a memory of that table, where it says none, as dram=64,shared_glb=64"""
    capacity: Annotated[Mapping[str, Capacity], Flag("MEMORY=SIZE")] = Field(default_factory=dict)
    """room in a memory of that table, all instances together, likewise, as shared_glb=128KiB"""
    precision: Annotated[str | None, Flag("FORMAT")] = None
    """number format of the arithmetic of that table, with its bits, as int8 or fp32"""
    out: Annotated[Path | None, Flag("FILE", "NAME.toml")] = None
    """the file"""
    force: bool = False
    """replace FILE if there is one"""

    @property
    def accesses(self) -> dict[str, Access]:
        """What is said of memories, by name."""
        levels = {*self.bits, *self.capacity}
        return {it: Access(self.bits.get(it), self.capacity.get(it)) for it in levels}

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if self.from_ is None:
            found["precision"] = "it is that of a table of costs; give --from FILE"
            found |= dict.fromkeys(
                ("bits", "capacity"), "it is of a memory of a table of costs; give --from FILE"
            )
        elif self.extends is not None:
            found["precision"] = "it is that of the profile that --extends names"
        return found


class ValidateRequest(Request):
    """A hardware profile to check."""

    file: Annotated[Path, Flag(positional=True)] = Field(description=_PROFILE)
