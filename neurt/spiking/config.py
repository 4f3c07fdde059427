"""How a model is converted. No torch here, so that a plan answers at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from energy.counts import Levels
from hwmodels.errors import UserError
from hwmodels.plain import quoted


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


class KeyValue(StrEnum):
    """What the products of softmax attention find of K and V; Spikformer's are always spikes."""

    STORED = "stored"  #: analog, in the cache
    STREAMED = "streamed"  #: coded too, in the same time steps: a product of two streams


class DeadZone(StrEnum):
    """How wide the dead zones of the code `pow2` are, below which a value is silent."""

    OUTPUT = "output"  #: equally wide at the output of the layer behind, and in nats for Q
    LOSS = "loss"  #: where an accumulate that is saved costs the same loss in every channel


class Calibrate(StrEnum):
    """How a code finds its range."""

    QUANTILE = "quantile"  #: a quantile of |input| per channel
    MSE = "mse"  #: the threshold with the least squared error


#: What version 0.1 called the fields, in stored models and runs.
_OLD_NAMES = {"attention": "form", "feedforward": "code", "attention_quantile": "lif_quantile"}


class SpikingConfigError(UserError, ValueError):
    """Choices of a conversion that cannot be what a model was converted with."""


class SpikingConfig(BaseModel):
    """Choices of the conversion; frozen, and stored with the converted model."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    timesteps: Annotated[int, Field(ge=1, le=64)] = 4
    """spiking time steps T per token, 1 to 64"""
    form: Form = Form.SPIKFORMER
    """spike-based attention: binary Q, K, V without softmax, or softmax with events on Q and on the
    weights"""
    code: Code = Code.SIGNED_IF
    """how analog inputs of linear layers become events"""
    attention_code: Code | None = None
    """another code for the attention block: the input of the Q, K, V projection, and in the softmax
    form Q, the weights and the input of the output projection"""
    key_value: KeyValue = KeyValue.STORED
    """softmax attention finds K and V stored as analog values, or streams their events too"""
    dead_zone: DeadZone = DeadZone.OUTPUT
    """below which values of the code pow2 are silent: equally wide at the output of the layer
    behind, or where an accumulate saved costs the same loss everywhere, measured by gradients"""
    threshold: Factor = 1.0
    """factor on calibrated thresholds: higher is sparser and coarser"""
    attention_threshold: Factor | None = None
    """another factor for the attention block"""
    tau: Annotated[float, Field(gt=1, le=1e6, allow_inf_nan=False)] = 2.0
    """membrane time constant of the LIF neurons, in time steps"""
    calibrate: Calibrate = Calibrate.QUANTILE
    """range of a code: a quantile of its input, or the least squared error"""
    input_quantile: Quantile = 0.99
    """that quantile, of |input| per channel"""
    lif_quantile: Quantile = 0.6
    """where the LIF neurons of Spikformer attention have their thresholds, as a quantile of
    |current| per channel: higher is sparser"""
    surrogate_alpha: Factor = 2.0
    """sharpness of the ATan surrogate gradient"""

    @model_validator(mode="before")
    @classmethod
    def _refuse_old_names(cls, given: Any) -> Any:
        for old in _OLD_NAMES.keys() & given.keys() if isinstance(given, Mapping) else ():
            raise ValueError(f"'{old}' is called '{_OLD_NAMES[old]}' since version 0.2")
        return given

    @property
    def code_of_attention(self) -> Code:
        """Code of the inputs of the attention block."""
        return self.attention_code or self.code

    @property
    def threshold_of_attention(self) -> float:
        """Factor on the thresholds of the attention block."""
        return self.threshold if self.attention_threshold is None else self.attention_threshold

    @property
    def conflict(self) -> str:
        """Choices that exclude each other, in one sentence; empty where there are none."""
        codes = {self.code, self.code_of_attention}
        if self.dead_zone is not DeadZone.LOSS or (
            codes == {Code.POW2} and self.form is Form.SOFTMAX
        ):
            return ""
        return (
            f"dead zones by {DeadZone.LOSS} are those of the code pow2 in softmax attention; this "
            f"is {', '.join(sorted(codes))} in {self.form} attention, for which dead zones by "
            f"{DeadZone.OUTPUT} are calibrated"
        )

    @property
    def idle(self) -> dict[str, str]:
        """Choices that change nothing beside the others: why, and what to give instead."""
        codes = {self.code, self.code_of_attention}
        found: dict[str, str] = {}
        if self.form is Form.SOFTMAX:
            lif = "LIF neurons are those of --form spikformer"
            found |= {"lif_quantile": lif, "tau": lif}
        else:
            found["key_value"] = (
                "K and V of --form spikformer are spikes always; give --form softmax"
            )
        if Code.POW2 not in codes and self.dead_zone == "output":  # `conflict` refuses the other
            found["dead_zone"] = "dead zones are those of --code pow2"
        if codes <= {Code.POW2, Code.EXACT}:
            found["calibrate"] = found["input_quantile"] = (
                f"the code {self.code} has no range to calibrate; give another --code"
            )
        elif self.calibrate != "quantile":
            found["input_quantile"] = "--calibrate mse takes no quantile; give --calibrate quantile"
        exact = "the code exact has no thresholds; give another --"
        if codes == {Code.EXACT}:
            found["threshold"] = f"{exact}code"
        if self.code_of_attention is Code.EXACT:
            found["attention_threshold"] = f"{exact}attention-code"
        return found


def stored_choices(stored: object) -> SpikingConfig:
    """The choices that a model or a run was stored with, under the names of version 0.1 too.

    Raises:
        SpikingConfigError: If they are no object, one has the wrong type (a number in quotation
            marks) or is out of range, or one is there under both names.
    """
    if isinstance(stored, SpikingConfig):
        return stored
    if not isinstance(stored, Mapping):
        raise SpikingConfigError(f"'spiking' (= {quoted(stored)}) must be an object")
    for old in sorted(_OLD_NAMES.keys() & stored.keys()):
        if _OLD_NAMES[old] in stored:
            raise SpikingConfigError(
                f"'spiking' has '{_OLD_NAMES[old]}', and '{old}', its name in version 0.1; keep one"
            )
    known = {_OLD_NAMES.get(name, name): value for name, value in stored.items()}
    if "input_quantile" in known and known["input_quantile"] is None:
        known |= {"calibrate": Calibrate.MSE, "input_quantile": 0.99}
    try:
        return SpikingConfig.model_validate_json(json.dumps(known), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, ("spiking", *first["loc"])))
        raise SpikingConfigError(
            f"'{key}' (= {quoted(first['input'])}) is no choice of a conversion: {first['msg']}"
        ) from error
