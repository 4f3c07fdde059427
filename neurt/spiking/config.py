"""How a model is converted. No torch here, so that a plan answers at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hwmodels.errors import UserError
from hwmodels.plain import quoted
from neurt.spiking.choices import (
    Calibrate,
    Code,
    Coded,
    Coders,
    DeadZone,
    Factor,
    Form,
    KeyValue,
    Quantile,
    Resolution,
)

__all__ = [
    "Calibrate",
    "Code",
    "Coded",
    "Coders",
    "DeadZone",
    "Factor",
    "Form",
    "KeyValue",
    "Resolution",
    "SpikingConfig",
    "SpikingConfigError",
    "stored_choices",
]


_OF_ATTENTION = (Coded.ATTENTION, Coded.PRODUCT)

#: What version 0.1 called the fields, in stored models and runs.
_OLD_NAMES = {"attention": "form", "feedforward": "code", "attention_quantile": "lif_quantile"}
#: What a field that they do not hold was then, wherever the default is another one now.
_OLD_DEFAULTS = {
    "form": Form.SPIKFORMER,
    "code": Code.SIGNED_IF,
    "dead_zone": DeadZone.OUTPUT,
    "resolution": 1.0,
}


class SpikingConfigError(UserError, ValueError):
    """Choices of a conversion that cannot be what a model was converted with."""


class SpikingConfig(BaseModel):
    """Choices of the conversion; frozen, and stored with the converted model."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    timesteps: Annotated[int, Field(ge=1, le=64)] = 4
    """spiking time steps T per token, 1 to 64"""
    form: Form = Form.SOFTMAX
    """spike-based attention: softmax with events on Q and on the weights, or binary Q, K, V without
    softmax, as the paper has it"""
    code: Code = Code.POW2
    """how analog inputs of linear layers become events; the spikformer form has signed_if unless
    another is given"""
    attention_code: Code | None = None
    """another code for the attention block: the input of the Q, K, V projection, and in the softmax
    form Q, the weights and the input of the output projection"""
    key_value: KeyValue = KeyValue.STORED
    """softmax attention finds K and V stored as analog values, or streams their events too"""
    dead_zone: DeadZone = DeadZone.AUTO
    """below which values of the code pow2 are silent: equally wide at the output of the layer
    behind, or where an accumulate saved costs the same loss everywhere, measured by gradients;
    auto: by loss where weights are trained, by output where they are random"""
    threshold: Factor = 1.0
    """factor on calibrated thresholds: higher is sparser and coarser"""
    attention_threshold: Factor | None = None
    """another factor for the attention block"""
    product_threshold: Factor | None = None
    """another factor for the operands of the products of softmax attention: Q and the weights, and
    K and V where they are streamed; else that of the attention block"""
    resolution: Resolution = 0.3
    """share of the dead zone down to which the code pow2 gives the digits of a value that is not
    silent, above 0 and at most 1; for inputs of linear layers"""
    coders: Coders = Coders.INPUT
    """one coder for all layers that read the input of a block, or one for each layer that is a
    module of its own: Q, K and V, gate and up"""
    head: bool = False
    """code the input of the language-model head too"""
    head_threshold: Factor | None = None
    """another factor for the input of the language-model head"""
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
    """sharpness of the ATan surrogate gradient, in units of the threshold"""

    @model_validator(mode="before")
    @classmethod
    def _code_of_spikformer(cls, given: Any) -> Any:
        # Untrained, its currents cost less so: +55 % perplexity of gpt2-nano, +59 % with `pow2`.
        if isinstance(given, Mapping) and given.get("form") == Form.SPIKFORMER:
            return {"code": Code.SIGNED_IF, **given}
        return given

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

    def code_of(self, coded: Coded) -> Code:
        """Code of the coders of so much."""
        return self.code_of_attention if coded in _OF_ATTENTION else self.code

    def threshold_of(self, coded: Coded) -> float:
        """Factor on their thresholds."""
        own = {
            Coded.FEEDFORWARD: (),
            Coded.ATTENTION: (self.attention_threshold,),
            Coded.PRODUCT: (self.product_threshold, self.attention_threshold),
            Coded.HEAD: (self.head_threshold,),
        }
        return next((x for x in own[coded] if x is not None), self.threshold)

    def resolution_of(self, coded: Coded) -> float:
        """Where their digits end, as a share of the dead zone; 1 where it is the dead zone."""
        zones = self.code_of(coded) is Code.POW2 and self.timesteps > 1  # else no digit follows
        return self.resolution if zones and coded is not Coded.PRODUCT else 1.0

    @property
    def _knows_loss(self) -> bool:
        """Whether dead zones can be found by loss."""
        return {self.code, self.code_of_attention} == {Code.POW2} and self.form is Form.SOFTMAX

    def resolved(self, *, trained: bool) -> SpikingConfig:
        """The same with the dead zones that `auto` means for weights that are trained, or not."""
        if self.dead_zone is not DeadZone.AUTO:
            return self
        meant = DeadZone.LOSS if trained and self._knows_loss else DeadZone.OUTPUT
        return self.model_copy(update={"dead_zone": meant})

    @property
    def conflict(self) -> str:
        """Choices that exclude each other, in one sentence; empty where there are none."""
        codes = {self.code, self.code_of_attention}
        if self.dead_zone is not DeadZone.LOSS or self._knows_loss:
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
        if not self.head:
            found["head_threshold"] = "the head stays analog; give --head"
        if self.timesteps == 1:
            found["resolution"] = "in one time step there are no further digits; give --timesteps"
        if Code.POW2 not in codes:
            found["resolution"] = "a second zone is one of --code pow2"
        if self.form is Form.SOFTMAX:
            lif = "LIF neurons are those of --form spikformer"
            found |= {"lif_quantile": lif, "tau": lif}
        else:
            found["key_value"] = (
                "K and V of --form spikformer are spikes always; give --form softmax"
            )
            found["product_threshold"] = (
                "Q, K and V of --form spikformer are spikes of LIF neurons; give --form softmax"
            )
        if Code.POW2 not in codes and self.dead_zone is not DeadZone.LOSS:  # `conflict` refuses it
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
            found["product_threshold"] = f"{exact}attention-code"
        return found


def stored_choices(stored: object) -> SpikingConfig:
    """The choices that a model or a run was stored with, under the names of version 0.1 too.

    One that is missing is what was the default when it was stored, and not what is now.

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
    known = _OLD_DEFAULTS | {_OLD_NAMES.get(name, name): value for name, value in stored.items()}
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
