"""What a user asked for: the one place where strings become types. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from energy.formulas import Attention, Conventions
from hwmodels import Dataflow
from neurt.closed_form.passes import PlanError, Stage, decode, prefill, whole_request
from neurt.spiking.config import SpikingConfig

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class PassRequest(BaseModel):
    """Which forward passes of which model on which hardware.

    Attributes:
        model: See `source.resolve`.
        hw: Names or paths of hardware profiles.
        phase: `prefill` (whole sequences) or `decode` (one new token through a cache); None for
            prefill, or for the whole request that `prompt` and `generate` describe.
        seq_len: Tokens per sequence in prefill.
        context: Attended tokens in decode, the new one included.
        prompt: Tokens of the prompt of a whole request.
        generate: New tokens of a whole request.
        batch: Sequences side by side.
        windows: How many such passes or requests, over consecutive text.
        attention: Which query-key pairs are counted.
        coincidences: Count only events that meet a spike on the other side.
        spiking: Choices of the conversion.
        dataflow: How often operands of spiking layers move; None for what each profile says.
        mixed: Also compare an ANN at the precision of the profile with an INT8 SNN, labelled as
            not comparable.
        latency_s: Seconds that all of it takes, for both variants, from which static energy
            follows; empty to take it from the throughput of the profile, if that has one.
        out: Output directory.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    hw: tuple[str, ...]
    phase: Literal["prefill", "decode"] | None = None
    seq_len: Count = 128
    context: Count = 128
    prompt: Count | None = None
    generate: Count | None = None
    batch: Count = 1
    windows: Count = 1
    attention: Attention = Attention.FULL
    coincidences: bool = False
    spiking: SpikingConfig = SpikingConfig()
    dataflow: Dataflow | None = None
    mixed: bool = False
    latency_s: Mapping[Literal["asa", "ssa"], Seconds] = Field(default_factory=dict)
    out: Path

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The passes to count, in the order in which they run.

        Raises:
            PlanError: If the parts of the request contradict each other.
        """
        if self.latency_s and len(self.hw) > 1:
            raise PlanError(
                f"--latency is that of one chip, but --hw names {', '.join(self.hw)}; give one --hw"
            )
        if len(self.latency_s) == 1:
            [variant] = self.latency_s
            raise PlanError(
                f"--latency is given for {variant} alone, so static energy would be on one side of "
                "the saving; give asa=SECONDS and ssa=SECONDS"
            )
        many = {"batch": self.batch, "repeats": self.windows}
        if self.prompt is None and self.generate is None:
            if self.phase == "decode":
                return (Stage("decode", (decode(self.context, **many),)),)
            return (Stage("prefill", (prefill(self.seq_len, **many),)),)
        if self.prompt is None or self.generate is None:
            missing = "--prompt" if self.prompt is None else "--generate"
            raise PlanError(f"a request has a --prompt and a --generate; {missing} is missing")
        if self.phase is not None:
            raise PlanError(
                f"--phase {self.phase} is one pass, --prompt with --generate a whole request; give "
                "one of the two"
            )
        return whole_request(self.prompt, self.generate, **many)

    @property
    def phase_name(self) -> str:
        """What all of it is called in the tables."""
        if self.prompt is not None:
            return f"request {self.prompt}+{self.generate}"
        return self.stages[0].phase

    @property
    def conventions(self) -> Conventions:
        """Choices that change a count."""
        return Conventions(self.attention, self.coincidences)


class ProfileRequest(PassRequest):
    """A measured run.

    Attributes:
        weights: `auto`, `pretrained` or `random`.
        seed: Seed of random weights.
        text: Text to run on; None for the packaged passage.
        detokenise: Undo the spacing of WikiText, in `text` and in `calibration`.
        calibration: Text to calibrate a conversion on; None for the model's default.
        calibration_tokens: Tokens of it.
        verify: Also compare every row with fvcore and with the plan.
        zeros: Also count the multiply-accumulates of dense layers whose activation is zero.
    """

    weights: Literal["auto", "pretrained", "random"] = "auto"
    seed: int = 0
    text: Path | None = None
    detokenise: bool = False
    calibration: Path | None = None
    calibration_tokens: Annotated[int, Field(ge=2)] = 512
    verify: bool = False
    zeros: bool = False

    @property
    def conventions(self) -> Conventions:
        """Choices that change a count."""
        return Conventions(self.attention, self.coincidences, self.zeros)


class PlanRequest(PassRequest):
    """A closed form at an assumed spike rate.

    Attributes:
        spike_rate: Spikes per slot, everywhere.
    """

    spike_rate: Annotated[float, Field(ge=0, le=1)] = 0.2
