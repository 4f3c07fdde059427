"""What a user asked of `sweep`: a grid of conversions of one model. No torch."""

from __future__ import annotations

from itertools import product
from typing import Annotated

from pydantic import Field

from neurt.requests.evaluate import EvaluateRequest
from neurt.spiking.config import Calibrate, Code, DeadZone, Factor, Form, SpikingConfig

Steps = Annotated[int, Field(ge=1, le=64)]


class SweepRequest(EvaluateRequest):
    """Every combination of the given choices, each evaluated as `evaluate` does.

    Attributes:
        forms: Forms of the attention.
        codes: Codes of both blocks.
        timesteps: Time steps.
        thresholds: Factors on the thresholds of the feed-forward block.
        attention_thresholds: Factors on those of the attention block; none for the same.
        calibrate: `quantile`, `mse`, or both.
        dead_zones: How wide those of `pow2` in softmax attention are; the others have one way.
        jobs: Processes side by side on this machine.
        ray: Address of a Ray cluster to run on instead; `local` starts one here.
    """

    forms: tuple[Form, ...] = tuple(Form)
    codes: tuple[Code, ...] = (
        Code.SIGNED_IF,
        Code.BURST,
        Code.MULTI_THRESHOLD,
        Code.SAR,
        Code.POW2,
    )
    timesteps: tuple[Steps, ...] = (1, 2, 4, 8, 16)
    thresholds: tuple[Factor, ...] = (0.5, 1.0, 2.0)
    attention_thresholds: tuple[Factor, ...] = ()
    calibrate: tuple[Calibrate, ...] = (Calibrate.MSE,)
    dead_zones: tuple[DeadZone, ...] = (DeadZone.OUTPUT,)
    jobs: Annotated[int, Field(ge=1)] = 1
    ray: str | None = None

    def points(self) -> list[EvaluateRequest]:
        """One request per combination, without those that differ in nothing that matters."""
        common = self.model_dump(include=set(EvaluateRequest.model_fields) - {"spiking"})
        found: dict[str, EvaluateRequest] = {}
        for form, code, steps, threshold, of_attention, calibrate, dead_zone in product(
            self.forms,
            self.codes,
            self.timesteps,
            self.thresholds,
            self.attention_thresholds or (None,),
            self.calibrate,
            self.dead_zones,
        ):
            chooses = code is Code.POW2 and form is Form.SOFTMAX
            fixed = code is Code.EXACT  # it has neither thresholds nor a range
            spiking = SpikingConfig(
                form=form,
                code=code,
                timesteps=steps,
                dead_zone=dead_zone if chooses else DeadZone.OUTPUT,
                threshold=1.0 if fixed else threshold,
                attention_threshold=None if fixed else of_attention,
                # The greedy code needs no range either.
                calibrate=Calibrate.QUANTILE if code in (Code.POW2, Code.EXACT) else calibrate,
            )
            found.setdefault(spiking.model_dump_json(), EvaluateRequest(**common, spiking=spiking))
        return list(found.values())
