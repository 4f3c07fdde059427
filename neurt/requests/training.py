"""What a user asked to train. No torch here."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hwmodels.errors import UserError

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class TrainingSettings(BaseModel):
    """Choices of a training, all of which decide its result, but for `save_every`.

    Attributes:
        steps: Optimiser steps.
        batch: Windows per step, over all processes.
        tokens: Tokens per window.
        learning_rate: After the warm-up.
        schedule: After the warm-up: `cosine` falls to a tenth at the last step.
        warmup_steps: Steps in which the learning rate rises linearly.
        weight_decay: Of AdamW, for parameters of two or more dimensions.
        clip: Largest Euclidean norm of all gradients.
        seed: Decides which windows each step takes, and dropout.
        save_every: Steps between checkpoints.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: Count
    batch: Count
    tokens: Annotated[int, Field(ge=2)]
    learning_rate: Rate
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    clip: Rate = 1.0
    seed: Annotated[int, Field(ge=0)] = 0
    save_every: Count = 100


class RequestError(UserError, ValueError):
    """A request whose parts do not fit each other."""


class PretrainRequest(TrainingSettings):
    """A GPT-2 from scratch, and how to train it.

    Attributes:
        text: See `corpus.read_corpus`.
        layers: Transformer layers.
        width: Model width.
        heads: Attention heads.
        vocabulary: Entries of the tokenizer and the embedding.
        positions: Longest sequence of the model.
        save_dtype: Of the weights in the model file.
        out: Where the model goes; its last part is the model's name.
        resume: Continue the training in `out`.
    """

    text: str
    layers: Count = 4
    width: Count = 128
    heads: Count = 4
    vocabulary: Count = 4096
    positions: Count = 256
    steps: Count = 2000
    batch: Count = 8
    tokens: Annotated[int, Field(ge=2)] = 256
    learning_rate: Rate = 3e-3
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    save_dtype: Literal["float16", "float32"] = "float32"
    out: Path
    resume: bool = False

    @property
    def settings(self) -> TrainingSettings:
        """What the training loop needs of it."""
        return TrainingSettings(**self.model_dump(include=set(TrainingSettings.model_fields)))

    @property
    def command(self) -> str:
        """The command that asks for the same model, every choice written out."""
        choices = self.model_dump(exclude={"schedule", "resume"}) | {"out": self.out.resolve().name}
        flags = [
            f"--{name.replace('_', '-')} {shlex.quote(str(value))}"
            for name, value in choices.items()
        ]
        return " ".join(["neurt-energy pretrain", *flags])

    def check(self) -> None:
        """Make sure that the parts fit each other.

        Raises:
            RequestError: If they do not.
        """
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
