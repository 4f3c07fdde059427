"""What may be asked of `evaluate`, and of `sweep`: a grid of conversions of one model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from energy.formulas import Attention, Conventions
from neurt.baselines.asked import fits, parse_all
from neurt.requests.base import (
    AtLeast2,
    Calibrated,
    Conversion,
    Count,
    Flag,
    Jobs,
    Output,
    RequestError,
    Text,
    named,
)
from neurt.requests.cluster import Clustered
from neurt.requests.hardware import Executed
from neurt.requests.layered import Layered
from neurt.requests.loaded import Compiled, Seeded
from neurt.requests.objective import Aimed
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


class Reading(Aimed, Output, Executed, Calibrated, Text, Compiled, Seeded):
    """Which models read which text, and on which hardware the result is priced."""

    group: ClassVar[str] = "passes"

    hw: Annotated[tuple[str, ...], Flag("NAME", each=True)] = ("45nm",)
    """hardware profile, by name or .toml file; may be repeated"""
    max_tokens: AtLeast2 = 8192
    """read no more than the first N tokens"""
    window: Annotated[AtLeast2 | None, Flag(default="the positions of the model, at most 256")] = (
        None
    )
    """tokens per window"""
    stride: Annotated[Count | None, Flag(default="half a window")] = None
    """tokens from one window to the next"""
    batch: Count = 1
    """windows at a time; what they hold together must find room on the chip"""
    attention: Attention = Attention.FULL
    """count all query-key pairs, or the causal half"""
    baselines: Annotated[tuple[str, ...], Flag("NAME", "none")] = ()
    """twins of the analog model to measure too: w8a8, w4a16, zones[=FACTOR], teal[=SHARE],
    wina[=SHARE], twin[=BITS]; several numbers of one make a curve, as teal=0.25 teal=0.4"""

    @field_validator("baselines")
    @classmethod
    def _are_known(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(str, parse_all(words)))

    def windows(self, positions: int) -> tuple[int, int]:
        """Window and stride in tokens, for a model of that many positions."""
        window = self.window or min(positions, 256)
        return window, self.stride or window // 2

    @property
    def conventions(self) -> Conventions:
        """Choices that change a count."""
        return Conventions(self.attention)


class EvaluateRequest(Layered, Reading, Clustered):
    """An analog model, which is converted, or a converted one, beside its analog one."""

    group: ClassVar[str] = "model"

    baseline: Annotated[
        Path | None,
        Flag(
            "DIR",
            "DIR/analog of --model DIR where there is one, else the analog model with the same "
            "parameters",
        ),
    ] = None
    """analog model that a converted one is compared with"""
    spiking: Conversion = SpikingConfig()
    windows_in_parallel: Annotated[
        Count | None, Field(exclude=True), Flag("N", "one process reads all", group="cluster")
    ] = None
    """read the windows in N parts side by side: in as many processes, or on --ray ADDRESS. Parts
    are kept in DIR/points, where the same command goes on if it was interrupted"""

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if self.windows_in_parallel is None:
            found["ray"] = "one process reads all windows; give --windows-in-parallel"
        return found

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        if self.stream and self.windows_in_parallel is not None:
            raise RequestError(
                "--stream passes all windows through one layer after the other, and "
                "--windows-in-parallel reads some of them elsewhere; leave out one of the two"
            )
        if self.stream and self.baselines:
            raise RequestError(
                f"--baselines {' '.join(self.baselines)} change the whole model while it reads, "
                "and --stream has one layer of it at a time; leave out one of the two"
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


class SweepRequest(Reading, Clustered):
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
