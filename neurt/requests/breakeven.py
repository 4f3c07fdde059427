"""What may be asked of `breakeven`. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from neurt.closed_form.passes import Pass as Work
from neurt.closed_form.passes import decode, prefill
from neurt.requests.base import Fitted, Flag, Forced, Output, Pass, PlannedConversion, dated
from neurt.requests.hardware import Executed
from neurt.spiking.config import SpikingConfig

#: Inputs or outputs of a layer beyond which a shape is taken for a slip.
_WIDEST = 10_000_000


def _shape(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    sizes = text.lower().split("x")
    if len(sizes) != 2 or not all(size.isdecimal() and len(size) < 20 for size in sizes):
        raise ValueError(f"must be inputs x outputs, as in 768x3072, not {text!r}")
    fan_in, fan_out = (int(size) for size in sizes)
    if not (0 < fan_in <= _WIDEST and 0 < fan_out <= _WIDEST):
        raise ValueError(f"sizes must be 1 to {_WIDEST:,}, not {text}")
    return fan_in, fan_out


Size = Annotated[int, Field(ge=1)]
Shape = Annotated[tuple[Size, Size], BeforeValidator(_shape)]


class BreakEvenRequest(Output, Fitted, Forced, Executed, Pass):
    """The spike rates at which spikes stop saving energy, of a model, of layers, of a run."""

    group: ClassVar[str] = "model"

    model: Annotated[str | None, Flag(default="gpt2-small, unless a shape or a run is given")] = (
        None
    )
    """a model of which the sizes are known"""
    shapes: Annotated[tuple[Shape, ...], Flag("INxOUT")] = ()
    """linear layers with their coder, for example 768x3072"""
    run: Annotated[Path | None, Flag("DIR")] = None
    """a directory of `profile`, or its counts.csv: each layer is marked below or above (its own
    time steps, phase and code count)"""
    spiking: PlannedConversion = SpikingConfig()
    out: Annotated[Path, Flag("DIR", "runs/TIME-breakeven")] = Field(
        default_factory=lambda: dated("breakeven")
    )
    """output directory"""

    @property
    def what(self) -> Work:
        """The pass to count."""
        if self.phase == "decode":
            return decode(self.context, batch=self.batch)
        return prefill(self.seq_len, batch=self.batch)

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if self.run is not None and self.model is None and not self.shapes:
            own = "a run has its own; give --model or --shapes beside --run"
            found |= dict.fromkeys((*Pass.model_fields, *SpikingConfig.model_fields), own)
        return found
