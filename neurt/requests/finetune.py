"""What a user asked to fine-tune. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from neurt.requests.training import Count, Rate, TrainingSettings
from neurt.spiking.config import SpikingConfig


class FinetuneRequest(BaseModel):
    """A model to convert, and how to train its spiking version.

    Attributes:
        model: See `source.resolve`: an analog model, which is converted, or a converted one.
        weights: `auto`, `pretrained` or `random`.
        text: See `corpus.read_corpus`; every tenth document is held out.
        spiking: Choices of the conversion; those of a converted model stay.
        detokenise: Undo the spacing of WikiText, in `text` and in `calibration`.
        calibration: Text to calibrate on; None for the model's default.
        calibration_tokens: Tokens of it.
        train: `ssa`: the attention blocks and all thresholds; `thresholds`; or `all`. Of the
            analog model the same, but for thresholds.
        layer_steps: Steps of stage 1, each attention block by itself; none if only thresholds
            are trained.
        steps: Steps of stage 2, the whole model.
        batch: Windows per step, over all processes.
        tokens: Tokens per window.
        learning_rate: Of both stages.
        warmup_steps: Steps in which the learning rate rises, in each stage; in a stage of no more
            steps than these, all but its last.
        clip: Largest norm of all gradients.
        seed: Decides which windows each step takes.
        target_events_per_mac: Events per MAC of the attention block that may be spent in stage 2.
        baseline: Also give the analog model the training of stage 2, on the same windows.
        held_out_tokens: Tokens of the held-out documents that each stage is judged on.
        save_every: Steps between checkpoints.
        save_dtype: Of the matrices in the model file.
        out: Where the model goes.
        resume: Continue the training in `out`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    weights: Literal["auto", "pretrained", "random"] = "auto"
    text: str
    spiking: SpikingConfig = SpikingConfig()
    detokenise: bool = False
    calibration: Path | None = None
    calibration_tokens: Annotated[int, Field(ge=2)] = 512
    train: Literal["ssa", "thresholds", "all"] = "ssa"
    layer_steps: Annotated[int, Field(ge=0)] = 200
    steps: Annotated[int, Field(ge=0)] = 200
    batch: Count = 4
    tokens: Annotated[int, Field(ge=2)] = 256
    learning_rate: Rate = 1e-3
    warmup_steps: Annotated[int, Field(ge=0)] = 20
    clip: Rate = 1.0
    seed: Annotated[int, Field(ge=0)] = 0
    target_events_per_mac: Rate | None = None
    baseline: bool = True
    held_out_tokens: Annotated[int, Field(ge=2)] = 8192
    save_every: Count = 50
    save_dtype: Literal["float16", "float32"] = "float32"
    out: Path
    resume: bool = False

    def settings(self, steps: int) -> TrainingSettings:
        """What the training loop needs for a stage of so many steps."""
        return TrainingSettings(
            steps=steps,
            batch=self.batch,
            tokens=self.tokens,
            learning_rate=self.learning_rate,
            warmup_steps=min(self.warmup_steps, steps - 1),
            weight_decay=0.0,  # it would pull a converted model away from what was converted
            clip=self.clip,
            seed=self.seed,
            save_every=self.save_every,
        )
