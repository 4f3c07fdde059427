"""What may be asked of `evaluate`. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from energy.formulas import Attention, Conventions
from neurt.requests.base import (
    AtLeast2,
    Calibrated,
    Conversion,
    Count,
    Executed,
    Flag,
    Output,
    Seeded,
    Text,
)
from neurt.spiking.config import SpikingConfig


class Reading(Output, Executed, Calibrated, Text, Seeded):
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

    def windows(self, positions: int) -> tuple[int, int]:
        """Window and stride in tokens, for a model of that many positions."""
        window = self.window or min(positions, 256)
        return window, self.stride or window // 2

    @property
    def conventions(self) -> Conventions:
        """Choices that change a count."""
        return Conventions(self.attention)


class EvaluateRequest(Reading):
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
