"""What a user asked for: the one place where strings become types. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from energy.formulas import Attention, Conventions
from neurt.config import SpikingConfig
from neurt.passes import Pass, decode, prefill

Count = Annotated[int, Field(ge=1)]


class PassRequest(BaseModel):
    """Which forward pass of which model on which hardware.

    Attributes:
        model: See `source.resolve`.
        hw: Names or paths of hardware profiles.
        phase: `prefill` (whole sequences) or `decode` (one new token through a cache).
        seq_len: Tokens per sequence in prefill.
        context: Attended tokens in decode, the new one included.
        batch: Sequences side by side.
        windows: How many such passes, over consecutive text.
        attention: Which query-key pairs are counted.
        coincidences: Count only events that meet a spike on the other side.
        spiking: Choices of the conversion.
        out: Output directory.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    hw: tuple[str, ...]
    phase: Literal["prefill", "decode"] = "prefill"
    seq_len: Count = 128
    context: Count = 128
    batch: Count = 1
    windows: Count = 1
    attention: Attention = Attention.FULL
    coincidences: bool = False
    spiking: SpikingConfig = SpikingConfig()
    out: Path

    @property
    def what(self) -> Pass:
        """The pass to count."""
        if self.phase == "decode":
            return decode(self.context, batch=self.batch, repeats=self.windows)
        return prefill(self.seq_len, batch=self.batch, repeats=self.windows)

    @property
    def conventions(self) -> Conventions:
        """Choices that change a count."""
        return Conventions(self.attention, self.coincidences)


class ProfileRequest(PassRequest):
    """A measured run.

    Attributes:
        weights: `auto`, `pretrained` or `random`.
        seed: Seed of random weights.
        text: Text to run on; None for the packaged passage.
        verify: Also compare every row with fvcore and with the plan.
    """

    weights: Literal["auto", "pretrained", "random"] = "auto"
    seed: int = 0
    text: Path | None = None
    verify: bool = False


class PlanRequest(PassRequest):
    """A closed form at an assumed spike rate.

    Attributes:
        spike_rate: Spikes per slot, everywhere.
    """

    spike_rate: Annotated[float, Field(ge=0, le=1)] = 0.2
