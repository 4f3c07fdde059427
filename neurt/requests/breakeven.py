"""What a user asked of `breakeven`. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from energy.formulas import Attention
from hwmodels import Dataflow
from neurt.closed_form.passes import Pass, decode, prefill
from neurt.spiking.config import SpikingConfig

Count = Annotated[int, Field(ge=1)]


class BreakEvenRequest(BaseModel):
    """What to compare, on which hardware.

    Attributes:
        hw: Names or paths of hardware profiles.
        model: See `source.resolve`; None for no model.
        shapes: Linear layers, each as inputs and outputs.
        run: A `counts.csv`, or a directory that holds one; None for no run.
        phase: `prefill` (whole sequences) or `decode` (one new token through a cache).
        seq_len: Tokens per sequence in prefill.
        context: Attended tokens in decode, the new one included.
        batch: Sequences side by side.
        attention: Which query-key pairs are counted.
        dataflow: How often operands move; None for that of each profile.
        spiking: Choices of the conversion; a run brings its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hw: tuple[str, ...]
    model: str | None = None
    shapes: tuple[tuple[Count, Count], ...] = ()
    run: Path | None = None
    phase: Literal["prefill", "decode"] = "prefill"
    seq_len: Count = 128
    context: Count = 128
    batch: Count = 1
    attention: Attention = Attention.FULL
    dataflow: Dataflow | None = None
    spiking: SpikingConfig = SpikingConfig()

    @property
    def what(self) -> Pass:
        """The pass to count."""
        if self.phase == "decode":
            return decode(self.context, batch=self.batch)
        return prefill(self.seq_len, batch=self.batch)
