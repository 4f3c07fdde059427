"""What may be chosen of a conversion, by name. No torch."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from energy.counts import Levels


class Form(StrEnum):
    """Forms of spike-based self-attention."""

    SPIKFORMER = "spikformer"  #: binary Q, K and V, no softmax, causal, normalised by length
    SOFTMAX = "softmax"  #: softmax on the accumulated scores; Q and the weights are events


class Code(StrEnum):
    """How an analog value becomes events over T time steps, for the input of a linear layer."""

    kind: str  #: class of its coder, as the tables name it
    levels: Levels  #: what its events may be
    averages: bool  #: whether the value is the mean over time of the events; otherwise their sum
    scaled: bool  #: whether an event is worth a constant of its channel; otherwise its own value

    def __new__(
        cls, value: str, kind: str, levels: Levels, averages: bool = False, scaled: bool = False
    ) -> Code:
        """A code by its name, with what follows from it."""
        code = str.__new__(cls, value)
        code._value_, code.kind, code.levels = value, kind, levels
        code.averages, code.scaled = averages, scaled
        return code

    #: unit spikes of either sign
    SIGNED_IF = "signed_if", "SignedIF", Levels.TERNARY, True, True
    #: up to 7 unit spikes of either sign in one time step
    BURST = "burst", "Burst", Levels.BURST, True, True
    #: +-2^k thresholds, at most one event per step (ECMT)
    MULTI_THRESHOLD = "multi_threshold", "MultiThreshold", Levels.POWER, True, True
    #: sign and magnitude, one binary digit per time step, two ranges
    SAR = "sar", "SuccessiveApproximation", Levels.POWER, False, True
    #: the nearest +-2^k to what is left, until little is left
    POW2 = "pow2", "PowerOfTwo", Levels.POWER
    #: analog values: a control without coding error, which saves nothing
    EXACT = "exact", "Exact", Levels.ANALOG


#: Factors beyond these are taken for slips.
Factor = Annotated[float, Field(ge=1e-6, le=1e6, allow_inf_nan=False)]
Quantile = Annotated[float, Field(gt=0, le=1)]


def _not_above(resolution: float) -> float:
    if resolution > 1:
        raise ValueError("the second zone cannot be above the first; give a share of it")
    return resolution


Resolution = Annotated[float, Field(gt=0), AfterValidator(_not_above)]


class Coded(StrEnum):
    """What a coder codes, which decides its code, its factor and its second zone."""

    FEEDFORWARD = "feedforward"  #: inputs of the linear layers of the feed-forward block
    ATTENTION = "attention"  #: inputs of the linear layers of attention
    PRODUCT = "product"  #: operands of the products of attention
    HEAD = "head"  #: the input of the language-model head


class Coders(StrEnum):
    """How many coders the input of a block has."""

    INPUT = "input"  #: one, for all linear layers that read it
    LAYER = "layer"  #: one for each linear layer, with zones for what it makes of each channel


class KeyValue(StrEnum):
    """What the products of softmax attention find of K and V; Spikformer's are always spikes."""

    STORED = "stored"  #: analog, in the cache
    STREAMED = "streamed"  #: coded too, in the same time steps: a product of two streams


class DeadZone(StrEnum):
    """How wide the dead zones of the code `pow2` are, below which a value is silent."""

    AUTO = "auto"  #: by loss where weights are trained and the other choices allow it, else output
    OUTPUT = "output"  #: equally wide at the output of the layer behind, and in nats for Q
    LOSS = "loss"  #: where an accumulate that is saved costs the same loss in every channel


class Calibrate(StrEnum):
    """How a code finds its range."""

    QUANTILE = "quantile"  #: a quantile of |input| per channel
    MSE = "mse"  #: the threshold with the least squared error
