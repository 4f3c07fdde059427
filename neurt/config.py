"""How a model is converted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class SpikingConfig(BaseModel):
    """Choices of the conversion; frozen, and stored with the converted model.

    Attributes:
        timesteps: Time steps T per token.
        attention: `spikformer`: binary Q, K, V without softmax, causal, normalised by the number
            of attended tokens.
        feedforward: `signed_if`: signed integrate-and-fire neurons before each of the two layers.
        tau: Membrane time constant of the LIF neurons, in time steps.
        input_quantile: Calibrated threshold of the signed neurons that code analog inputs, as a
            quantile of |input| per channel.
        attention_quantile: Calibrated threshold of the LIF neurons of Q, K, V and of the mixed
            values, as a quantile of |current| per channel.
        surrogate_alpha: Sharpness of the ATan surrogate gradient.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    timesteps: Annotated[int, Field(ge=1, le=64)] = 4
    attention: Literal["spikformer"] = "spikformer"
    feedforward: Literal["signed_if"] = "signed_if"
    tau: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 2.0
    input_quantile: Annotated[float, Field(gt=0, le=1)] = 0.99
    attention_quantile: Annotated[float, Field(gt=0, le=1)] = 0.6
    surrogate_alpha: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 2.0
