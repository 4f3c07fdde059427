"""How a model is converted. No torch here, so that a plan answers at once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from energy.counts import Levels


class Attention(StrEnum):
    """Forms of spike-based self-attention."""

    SPIKFORMER = "spikformer"  #: binary Q, K and V, no softmax, causal, normalised by length
    SOFTMAX = "softmax"  #: softmax on the accumulated scores; Q and the weights are events


class Code(StrEnum):
    """How an analog value becomes events over T time steps, for the input of a linear layer."""

    SIGNED_IF = "signed_if"  #: unit spikes of either sign
    BURST = "burst"  #: up to 7 unit spikes of either sign in one time step
    MULTI_THRESHOLD = "multi_threshold"  #: +-2^k thresholds, at most one event per step (ECMT)
    SAR = "sar"  #: sign and magnitude, one binary digit per time step, two ranges
    POW2 = "pow2"  #: the nearest +-2^k to what is left, until little is left
    EXACT = "exact"  #: analog values: a control without coding error, which saves nothing

    @property
    def kind(self) -> str:
        """Class of its coder, as the tables name it."""
        return _KINDS[self]

    @property
    def levels(self) -> Levels:
        """What its events may be."""
        return _LEVELS.get(self, Levels.POWER)

    @property
    def averages(self) -> bool:
        """Whether the value is the mean over time of the events; otherwise their sum."""
        return self in (Code.SIGNED_IF, Code.BURST, Code.MULTI_THRESHOLD)

    @property
    def scaled(self) -> bool:
        """Whether an event is worth a constant of its channel; otherwise its own value."""
        return self not in (Code.POW2, Code.EXACT)


_KINDS = {
    Code.SIGNED_IF: "SignedIF",
    Code.BURST: "Burst",
    Code.MULTI_THRESHOLD: "MultiThreshold",
    Code.SAR: "SuccessiveApproximation",
    Code.POW2: "PowerOfTwo",
    Code.EXACT: "Exact",
}
_LEVELS = {
    Code.SIGNED_IF: Levels.TERNARY,
    Code.BURST: Levels.BURST,
    Code.EXACT: Levels.ANALOG,
}

Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Quantile = Annotated[float, Field(gt=0, le=1)]


class KeyValue(StrEnum):
    """What the products of softmax attention find of K and V; Spikformer's are always spikes."""

    STORED = "stored"  #: analog, in the cache
    STREAMED = "streamed"  #: coded too, in the same time steps: a product of two streams


class DeadZone(StrEnum):
    """How wide the dead zones of the code `pow2` are, below which a value is silent."""

    OUTPUT = "output"  #: equally wide at the output of the layer behind, and in nats for Q
    LOSS = "loss"  #: where an accumulate that is saved costs the same loss in every channel


class SpikingConfig(BaseModel):
    """Choices of the conversion; frozen, and stored with the converted model.

    Attributes:
        timesteps: Time steps T per token.
        attention: Form of the attention.
        feedforward: Code of the inputs of both layers of the feed-forward block.
        attention_code: Code of the input of the Q, K, V projection, and, in the softmax form, of
            Q, of the attention weights and of the input of the output projection; None for the
            code of the feed-forward block.
        key_value: Whether softmax attention also codes K and V.
        threshold: Factor on the calibrated threshold of every coder of the feed-forward block:
            higher is sparser and coarser.
        attention_threshold: The same for the attention block; None for `threshold`.
        tau: Membrane time constant of the LIF neurons, in time steps.
        input_quantile: Calibrated threshold of the signed neurons that code analog inputs, as a
            quantile of |input| per channel; None for the threshold with the least squared error.
        attention_quantile: Calibrated threshold of the LIF neurons of Q, K, V and of the mixed
            values, as a quantile of |current| per channel.
        surrogate_alpha: Sharpness of the ATan surrogate gradient.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    timesteps: Annotated[int, Field(ge=1, le=64)] = 4
    attention: Attention = Attention.SPIKFORMER
    feedforward: Code = Code.SIGNED_IF
    attention_code: Code | None = None
    key_value: KeyValue = KeyValue.STORED
    dead_zone: DeadZone = DeadZone.OUTPUT
    threshold: Factor = 1.0
    attention_threshold: Factor | None = None
    tau: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 2.0
    input_quantile: Quantile | None = 0.99
    attention_quantile: Quantile = 0.6
    surrogate_alpha: Factor = 2.0

    @property
    def code_of_attention(self) -> Code:
        """Code of the inputs of the attention block."""
        return self.attention_code or self.feedforward

    @property
    def threshold_of_attention(self) -> float:
        """Factor on the thresholds of the attention block."""
        return self.threshold if self.attention_threshold is None else self.attention_threshold

    @property
    def conflict(self) -> str:
        """Choices that exclude each other, in one sentence; empty where there are none."""
        codes = {self.feedforward, self.code_of_attention}
        if self.dead_zone is not DeadZone.LOSS or (
            codes == {Code.POW2} and self.attention is Attention.SOFTMAX
        ):
            return ""
        return (
            f"dead zones by {DeadZone.LOSS} are those of the code pow2 in softmax attention; this "
            f"is {', '.join(sorted(codes))} in {self.attention} attention, for which dead zones by "
            f"{DeadZone.OUTPUT} are calibrated"
        )
