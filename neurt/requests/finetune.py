"""What may be asked of `finetune`. No torch."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from neurt.requests.base import (
    MEASURED,
    Amount,
    AtLeast0,
    AtLeast2,
    Calibrated,
    Count,
    Flag,
    Weights,
)
from neurt.requests.training import CORPUS, Corpus, Trained, TrainingSettings
from neurt.spiking.config import SpikingConfig


class FinetuneRequest(Trained, Calibrated, Weights):
    """An analog model, which is converted, or a converted one, and how to train it."""

    group: ClassVar[str] = "training"

    text: Corpus = Field(description=f"{CORPUS}; every tenth document is held out")
    spiking: Annotated[SpikingConfig, Flag(only=(*MEASURED, "surrogate_alpha"))] = SpikingConfig()
    train: Literal["ssa", "thresholds", "all"] = "ssa"
    """the attention blocks and all thresholds, thresholds only, or everything"""
    layer_steps: AtLeast0 = 200
    """steps of stage 1, each attention block by itself; none if only thresholds are trained"""
    steps: AtLeast0 = 200
    """steps of stage 2, the whole model"""
    batch: Count = 4
    """windows per step, over all processes"""
    tokens: AtLeast2 = 256
    """tokens per window"""
    learning_rate: Annotated[Amount, Flag("RATE")] = 1e-3
    """after the warm-up; falls to a tenth"""
    warmup_steps: AtLeast0 = 20
    """steps in which the learning rate rises, in each stage; in a shorter one, all but its last"""
    clip: Annotated[Amount, Flag("NORM")] = 1.0
    """largest norm of all gradients"""
    seed: AtLeast0 = 0
    """of the windows that are drawn"""
    target_events_per_mac: Annotated[Amount | None, Flag("X")] = None
    """spend no more than X events per MAC of the attention block: sparser spikes are part of what
    stage 2 learns"""
    baseline: bool = True
    """give the analog model the training of stage 2, on the same windows"""
    held_out_tokens: AtLeast2 = 8192
    """held-out tokens that a stage is judged on"""
    save_every: Count = 50
    """steps between checkpoints"""

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if self.train == "thresholds" and self.layer_steps:
            found["layer_steps"] = "stage 1 trains attention blocks; give --train ssa or all"
        return found

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
