"""What may be asked of `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from energy.formulas import Attention, Conventions
from neurt.baselines.asked import parse_all
from neurt.requests.base import (
    AtLeast2,
    Calibrated,
    Conversion,
    Count,
    Flag,
    Output,
    RequestError,
    Text,
)
from neurt.requests.cluster import Clustered
from neurt.requests.hardware import Executed
from neurt.requests.layered import Layered
from neurt.requests.loaded import Compiled, Mapped, Seeded
from neurt.requests.objective import Aimed
from neurt.spiking.config import (
    SpikingConfig,
)


class Reading(Aimed, Output, Executed, Calibrated, Text, Compiled, Mapped, Seeded):
    """Which models read which text, and on which hardware the result is priced."""

    group: ClassVar[str] = "passes"

    hw: Annotated[tuple[str, ...], Flag("NAME", each=True)] = ("45nm",)
    """hardware profile, by name or .toml file; may be repeated"""
    max_tokens: AtLeast2 = 8192
    """read no more than the first N tokens"""
    window: Annotated[AtLeast2 | None, Flag(default="the positions of the model, at most 256")] = (
        None
    )
    """tokens per window"""
    stride: Annotated[Count | None, Flag(default="half a window")] = None
    """tokens from one window to the next"""
    batch: Count = 1
    """windows at a time; what they hold together must find room on the chip"""
    attention: Attention = Attention.FULL
    """count all query-key pairs, or the causal half"""
    baselines: Annotated[tuple[str, ...], Flag("NAME", "none")] = ()
    """twins of the analog model to measure too: w8a8, w4a16, zones[=FACTOR], teal[=SHARE],
    wina[=SHARE], twin[=BITS]; several numbers of one make a curve, as teal=0.25 teal=0.4"""

    @field_validator("baselines")
    @classmethod
    def _are_known(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(str, parse_all(words)))

    def windows(self, positions: int) -> tuple[int, int]:
        """Window and stride in tokens, for a model of that many positions."""
        window = self.window or min(positions, 256)
        return window, self.stride or window // 2

    @property
    def conventions(self) -> Conventions:
        """Choices that change a count."""
        return Conventions(self.attention)

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        reads_weights = [each for each in parse_all(self.baselines) if each.reads_weights]
        if self.device_map is not None and reads_weights:
            raise RequestError(
                f"baseline '{reads_weights[0]}' is made of the weights of each layer, and with "
                "--device-map some of them are not in memory; leave out one of the two"
            )


class EvaluateRequest(Layered, Reading, Clustered):
    """An analog model, which is converted, or a converted one, beside its analog one."""

    group: ClassVar[str] = "model"

    baseline: Annotated[
        Path | None,
        Flag(
            "DIR",
            "DIR/analog of --model DIR where there is one, else the analog model with the same "
            "parameters",
        ),
    ] = None
    """analog model that a converted one is compared with"""
    spiking: Conversion = SpikingConfig()
    windows_in_parallel: Annotated[
        Count | None, Field(exclude=True), Flag("N", "one process reads all", group="cluster")
    ] = None
    """read the windows in N parts side by side: in as many processes, or on --ray ADDRESS. Parts
    are kept in DIR/points, where the same command goes on if it was interrupted"""

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if self.windows_in_parallel is None:
            found["ray"] = "one process reads all windows; give --windows-in-parallel"
        return found

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        if self.stream and self.windows_in_parallel is not None:
            raise RequestError(
                "--stream passes all windows through one layer after the other, and "
                "--windows-in-parallel reads some of them elsewhere; leave out one of the two"
            )
        if self.stream and self.baselines:
            raise RequestError(
                f"--baselines {' '.join(self.baselines)} change the whole model while it reads, "
                "and --stream has one layer of it at a time; leave out one of the two"
            )
