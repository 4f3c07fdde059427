"""What may be asked of `sweep`: a grid of conversions of one model, each evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from neurt.baselines.asked import fits, parse_all
from neurt.requests.base import Fitted, Flag, Jobs, named
from neurt.requests.cluster import Clustered
from neurt.requests.evaluate import EvaluateRequest, Reading
from neurt.spiking.config import (
    Calibrate,
    Code,
    Coders,
    DeadZone,
    Factor,
    Form,
    Resolution,
    SpikingConfig,
)

Steps = Annotated[int, Field(ge=1, le=64)]


def _of_model(given: dict[str, Any]) -> Path:
    # The same again, where the points are kept.
    return named("sweep-" + (Path(given.get("model", "")).name or "model"))


#: The codes of a grid unless others are given, in words.
CODES = "pow2 for softmax, signed_if for spikformer"


def forms_and_codes(forms: Sequence[Form], codes: Sequence[Code]) -> list[tuple[Form, Code]]:
    """Each form with each code; where none is given, with the one that it has by default."""
    return [(form, code) for form in forms for code in codes or (SpikingConfig(form=form).code,)]


#: Choices of a conversion that a sweep varies after the factor of all thresholds.
_OTHERS = ("attention_threshold", "product_threshold", "head_threshold", "resolution", "coders")


class SweepRequest(Reading, Fitted, Clustered):
    """Every combination of the given choices, each evaluated as `evaluate` does."""

    group: ClassVar[str] = "conversion"

    forms: tuple[Form, ...] = tuple(Form)
    """forms of the attention"""
    codes: Annotated[tuple[Code, ...], Flag(default=CODES)] = ()
    """codes of both blocks"""
    timesteps: Annotated[tuple[Steps, ...], Flag("T")] = (4,)
    """spiking time steps"""
    thresholds: Annotated[tuple[Factor, ...], Flag("X")] = (0.5, 1.0, 2.0, 3.0)
    """factors on calibrated thresholds"""
    attention_thresholds: Annotated[tuple[Factor, ...], Flag("X", "the same")] = ()
    """other factors for the attention block"""
    product_thresholds: Annotated[
        tuple[Factor, ...], Flag("X", "the factor of the attention block")
    ] = ()
    """other factors for the operands of the products of softmax attention"""
    resolutions: Annotated[tuple[Resolution, ...], Flag("X")] = (0.3, 1.0)
    """shares of the dead zone down to which the code pow2 gives digits"""
    coders: tuple[Coders, ...] = (Coders.INPUT,)
    """one coder for the input of a block, or one for each layer that reads it"""
    head: bool = False
    """code the input of the language-model head too"""
    head_thresholds: Annotated[tuple[Factor, ...], Flag("X", "the factor")] = ()
    """other factors for the input of the language-model head"""
    calibrate: tuple[Calibrate, ...] = (Calibrate.MSE,)
    """how a code finds its range"""
    dead_zones: tuple[DeadZone, ...] = (DeadZone.AUTO,)
    """dead zones of the code pow2 in softmax attention"""
    out: Annotated[Path, Flag("DIR", "runs/sweep-MODEL")] = Field(default_factory=_of_model)
    """output directory; points that are known there are not evaluated again"""
    jobs: Jobs = 1
    """processes side by side"""

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        codes = {code for _, code in self._coded}
        if (Form.SOFTMAX, Code.POW2) not in self._coded:
            found["dead_zones"] = "they are those of --codes pow2 in --forms softmax"
        if codes <= {Code.POW2, Code.EXACT}:
            found["calibrate"] = "the codes pow2 and exact have no range; give another of --codes"
        if Code.POW2 not in codes:
            found["resolutions"] = "a second zone is one of --codes pow2"
        if Form.SOFTMAX not in self.forms:
            found["product_thresholds"] = "they are those of --forms softmax"
        if not self.head:
            found["head_thresholds"] = "the head stays analog; give --head"
        if self.ray is not None:
            found["jobs"] = "a Ray cluster has its own; leave out --ray"
        return found

    @property
    def _coded(self) -> list[tuple[Form, Code]]:
        return forms_and_codes(self.forms, self.codes)

    @property
    def conversions(self) -> list[SpikingConfig]:
        """See `Aimed.conversions`."""
        return [point.spiking for point in self.points()]

    def points(self) -> list[EvaluateRequest]:
        """One request per combination, without those that differ in nothing that matters."""
        common = self.model_dump(include=set(Reading.model_fields))
        found: dict[str, EvaluateRequest] = {}
        for (form, code), steps, threshold, *others, calibrate, dead_zone in product(
            self._coded,
            self.timesteps,
            self.thresholds,
            self.attention_thresholds or (None,),
            self.product_thresholds or (None,),
            self.head_thresholds or (None,),
            self.resolutions,
            self.coders,
            self.calibrate,
            self.dead_zones,
        ):
            chooses = code is Code.POW2 and form is Form.SOFTMAX
            asked = SpikingConfig(
                form=form,
                code=code,
                timesteps=steps,
                dead_zone=dead_zone if chooses else DeadZone.OUTPUT,
                threshold=threshold,
                calibrate=calibrate,
                head=self.head,
                **dict(zip(_OTHERS, others, strict=True)),
            )
            # What changes nothing beside the others is as it is by default.
            idle = {*asked.idle} | ({"resolution"} if self.objective else set())
            spiking = SpikingConfig(**asked.model_dump(exclude=idle))
            read = common | {"baselines": self._baselines_of(spiking, first=not found)}
            found.setdefault(spiking.model_dump_json(), EvaluateRequest(**read, spiking=spiking))
        return list(found.values())

    def _baselines_of(self, spiking: SpikingConfig, *, first: bool) -> tuple[str, ...]:
        """Those of a point that it has, and with the first those of the analog model alone."""
        asked = parse_all(self.baselines)
        return tuple(
            str(each) for each in asked if (fits(each, spiking) if each.is_of_conversion else first)
        )
