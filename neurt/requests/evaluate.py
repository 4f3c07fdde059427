"""What a user asked of `evaluate`: strings become types here. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from energy.formulas import Attention, Conventions
from hwmodels import Dataflow
from neurt.spiking.config import SpikingConfig


class EvaluateRequest(BaseModel):
    """Which models read which text, and on which hardware the result is priced.

    Attributes:
        model: See `source.resolve`: an analog model, which is converted, or a converted one.
        weights: `auto`, `pretrained` or `random`.
        seed: Seed of random weights.
        baseline: Directory of the analog model that a converted one is compared with; None for
            the directory `analog` inside the model's own if there is one, else for the analog
            model with the same parameters.
        hw: Names or paths of hardware profiles; none for `45nm`.
        text: Text to read; None for the model's default.
        detokenise: Undo the spacing of WikiText, in `text` and in `calibration`.
        calibration: Text to calibrate a conversion on; None for the model's default.
        calibration_tokens: Tokens of it.
        max_tokens: Longest part of the text that is read, in tokens from its start.
        window: Tokens per window; None for the positions of the model, at most 256.
        stride: Tokens from the start of a window to that of the next; None for half a window.
        batch: Windows side by side. What they hold together must find room on the chip, so it is
            a fact of the bill.
        attention: Which query-key pairs are counted.
        dataflow: How often operands of spiking layers move; None for what each profile says.
        spiking: Choices of the conversion; a converted model keeps its own.
        out: Output directory.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    weights: Literal["auto", "pretrained", "random"] = "auto"
    seed: int = 0
    baseline: Path | None = None
    hw: tuple[str, ...] = ("45nm",)
    text: Path | None = None
    detokenise: bool = False
    calibration: Path | None = None
    calibration_tokens: Annotated[int, Field(ge=2)] = 512
    max_tokens: Annotated[int, Field(ge=2)] = 8192
    window: Annotated[int, Field(ge=2)] | None = None
    stride: Annotated[int, Field(ge=1)] | None = None
    batch: Annotated[int, Field(ge=1)] = 1
    attention: Attention = Attention.FULL
    dataflow: Dataflow | None = None
    spiking: SpikingConfig = SpikingConfig()
    out: Path

    @field_validator("hw", mode="before")
    @classmethod
    def _default_hardware(cls, value: Any) -> Any:
        # A flag that may be repeated has no default of its own: argparse would add to it.
        return value or ("45nm",)

    def windows(self, positions: int) -> tuple[int, int]:
        """Window and stride in tokens, for a model of that many positions."""
        window = self.window or min(positions, 256)
        return window, self.stride or window // 2

    @property
    def conventions(self) -> Conventions:
        """Choices that change a count."""
        return Conventions(self.attention)
