"""What may be asked of `finetune`. No torch."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from neurt.requests.base import (
    MEASURED,
    Amount,
    AtLeast0,
    AtLeast2,
    Calibrated,
    Count,
    Flag,
    RequestError,
    Seed,
)
from neurt.requests.loaded import Compiled, PlacedTraining, Weights
from neurt.requests.objective import Aimed
from neurt.requests.training import CORPUS, Corpus, Trained, TrainingSettings
from neurt.spiking.config import SpikingConfig


class Part(StrEnum):
    """Parameters that can be trained."""

    THRESHOLDS = "thresholds"  #: dead zones and firing thresholds
    NORMS = "norms"  #: weights and biases of the norms
    BIASES = "biases"  #: of the linear layers in the blocks
    #: those in the attention blocks alone
    ATTENTION_THRESHOLDS = "attention_thresholds"
    ATTENTION = "attention"  #: weights and biases of the attention blocks
    BLOCKS = "blocks"  #: of the attention and the feed-forward blocks
    ALL = "all"  #: embeddings and the head, too


def _each_once(parts: Any) -> Any:
    """One word stands for itself; the order says nothing."""
    parts = (parts,) if isinstance(parts, str) else parts
    return tuple(part for part in Part if part in parts) if {*parts} <= {*Part} else parts


class FinetuneRequest(Aimed, Trained, Calibrated, Compiled, PlacedTraining, Weights):
    """An analog model, which is converted, or a converted one, and how to train it."""

    group: ClassVar[str] = "training"

    text: Corpus = Field(description=f"{CORPUS}; every tenth document is held out")
    spiking: Annotated[SpikingConfig, Flag(only=(*MEASURED, "surrogate_alpha"))] = SpikingConfig()
    train: Annotated[tuple[Part, ...], BeforeValidator(_each_once), Field(min_length=1)] = (
        Part.THRESHOLDS,
        Part.ATTENTION,
    )
    """what learns in stage 2: dead zones and other thresholds, norms, biases of the linear layers,
    thresholds in the attention blocks alone, their weights, those of all blocks, or everything"""
    layer_steps: AtLeast0 = 200
    """steps of stage 1, each attention block by itself; none where attention is not trained"""
    steps: AtLeast0 = 200
    """steps of stage 2, the whole model"""
    batch: Count = 4
    """windows per step, over all processes"""
    tokens: AtLeast2 = 256
    """tokens per window"""
    learning_rate: Annotated[
        Amount | None, Flag("RATE", "0.001; 0.0001 where blocks or all are trained")
    ] = None
    """after the warm-up; falls to a tenth"""
    layer_learning_rate: Annotated[Amount | None, Flag("RATE", "that of stage 2")] = None
    """of stage 1"""
    baseline_learning_rate: Annotated[Amount | None, Flag("RATE", "that of stage 2")] = None
    """of the analog model beside stage 2: what is good for binary spikes is too high for it"""
    threshold_learning_rate: Annotated[Amount | None, Flag("RATE", "that of the others")] = None
    """of the logarithms of thresholds"""
    warmup_steps: AtLeast0 = 20
    """steps in which the learning rate rises, in each stage; in a shorter one, all but its last"""
    clip: Annotated[Amount, Flag("NORM")] = 1.0
    """largest norm of all gradients"""
    seed: Seed = 0
    """of the windows that are drawn"""
    target_events_per_mac: Annotated[Amount | None, Flag("X")] = None
    """spend no more than X events per MAC of the attention block: sparser spikes are part of what
    stage 2 learns"""
    target_active_rate: Annotated[
        float | None, Field(gt=0, le=1, allow_inf_nan=False), Flag("SHARE")
    ] = None
    """let a token fetch no more than so much of the weights of the blocks: rows of input channels
    with an event, which thresholds learn to be fewer in stage 2"""
    kl_temperature: Amount = 2.0
    """what logits are divided by where stage 2 compares them with those of the analog model"""
    cross_entropy_weight: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] = 1.0
    """weight of the text in the loss of stage 2, beside the analog model; 0 to learn from that
    alone"""
    own_tokens: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    """tokens of text that the analog model writes before stage 2, in windows of --tokens, to learn
    from beside --text"""
    own_share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.5
    """share of the windows of stage 2 that are drawn from it"""
    baseline: bool = True
    """give the analog model the training of stage 2, on the same windows"""
    held_out: Annotated[Path | None, Flag("FILE")] = None
    """UTF-8 text of another kind that each stage is judged on, too"""
    held_out_tokens: AtLeast2 = 8192
    """held-out tokens of each text that a stage is judged on"""
    save_every: Count = 50
    """steps between checkpoints"""

    @property
    def trains_attention(self) -> bool:
        """Whether the attention blocks learn."""
        return bool({Part.ATTENTION, Part.BLOCKS, Part.ALL} & {*self.train})

    @property
    def trains_thresholds(self) -> bool:
        """Whether dead zones and other thresholds learn."""
        thresholds = {Part.THRESHOLDS, Part.ATTENTION_THRESHOLDS, Part.ALL}
        return bool(thresholds & {*self.train})

    @property
    def trains_weights(self) -> bool:
        """Whether more than thresholds learns."""
        return bool({*self.train} - {Part.THRESHOLDS, Part.ATTENTION_THRESHOLDS})

    @property
    def rate(self) -> float:
        """The learning rate after the warm-up."""
        large = {Part.BLOCKS, Part.ALL} & {*self.train}
        return self.learning_rate or (1e-4 if large else 1e-3)

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if not self.trains_attention:
            found["layer_steps"] = (
                "stage 1 trains attention blocks; give --train attention, blocks or all"
            )
        if not self.trains_thresholds:
            fixed = "thresholds are not trained; add thresholds to --train"
            found |= dict.fromkeys(
                ("threshold_learning_rate", "target_events_per_mac", "target_active_rate"), fixed
            )
        if not (self.trains_attention and self.layer_steps):
            found["layer_learning_rate"] = "there is no stage 1; give --layer-steps"
        if not (self.baseline and self.steps and self.trains_weights and self.cross_entropy_weight):
            found["baseline_learning_rate"] = "the analog model is not trained; see --baseline"
        if not self.steps:
            found["own_tokens"] = "it is read in stage 2; give --steps"
        if not self.own_tokens:
            found["own_share"] = "the model writes no text; give --own-tokens"
        if not self.cross_entropy_weight:
            found["baseline"] = "it learns from the text, which --cross-entropy-weight 0 leaves out"
        return found

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        if 0 < self.own_tokens < self.tokens:
            raise RequestError(
                f"--own-tokens (= {self.own_tokens}) is less than a window of --tokens "
                f"(= {self.tokens}); raise it"
            )

    def settings(self, steps: int, rate: float | None = None) -> TrainingSettings:
        """What the training loop needs for a stage of so many steps, maybe at its own rate."""
        return TrainingSettings(
            steps=steps,
            batch=self.batch,
            tokens=self.tokens,
            learning_rate=rate or self.rate,
            warmup_steps=min(self.warmup_steps, steps - 1),
            weight_decay=0.0,  # it would pull a converted model away from what was converted
            clip=self.clip,
            seed=self.seed,
            save_every=self.save_every,
        )
