"""What may be asked of `profile`, `plan` and `count`. No torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from energy.formulas import Conventions, Mla
from hwmodels import HardwareProfile, Op
from neurt.closed_form.passes import PlanError, Stage, decode, prefill, whole_request
from neurt.requests.base import (
    Calibrated,
    Conversion,
    Count,
    Flag,
    Kept,
    Model,
    Pass,
    PlannedConversion,
    Reported,
    RequestError,
    Text,
    dated,
)
from neurt.requests.hardware import Bound, Compared, Hardware
from neurt.requests.layered import Layered
from neurt.requests.loaded import Compiled, Mapped, Seeded
from neurt.requests.machines import Paired
from neurt.requests.networks import ComparedNIR, CountedNIR
from neurt.requests.objective import Aimed
from neurt.requests.sizes import OneSize, Swept
from neurt.spiking.config import SpikingConfig


class Passes(Pass):
    """Passes over a text."""

    context: Annotated[OneSize, Flag("N", sizes=True)] = 128
    """attended tokens in decode, the new one included"""
    batch: Annotated[OneSize, Flag("N", sizes=True)] = 1
    """sequences side by side"""
    windows: Count = 1
    """passes or requests over the text"""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The passes to count, in the order in which they run."""
        if self.phase == "decode":
            only = decode(self.context, batch=self.batch, repeats=self.windows)
            return (Stage("decode", (only,)),)
        only = prefill(self.seq_len, batch=self.batch, repeats=self.windows)
        return (Stage("prefill", (only,)),)

    @property
    def conventions(self) -> Conventions:
        """Choices that change a count."""
        return Conventions(
            self.attention, getattr(self, "coincidences", False), getattr(self, "zeros", False)
        )


class PassRequest(Paired, Reported, Compared, Passes, Model):
    """Which forward passes of which model on which hardware."""

    group: ClassVar[str] = "passes"

    prompt: Annotated[Count | None, Flag("N")] = None
    """a whole request instead of one pass: tokens of its prompt"""
    generate: Annotated[Count | None, Flag("N")] = None
    """and new tokens, of which the prefill gives the first"""
    spiking: Conversion = SpikingConfig()

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        _ = self.stages

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The passes to count, in the order in which they run.

        Raises:
            PlanError: If the parts of the request contradict each other.
        """
        if self.prompt is None and self.generate is None:
            return super().stages
        if self.prompt is None or self.generate is None:
            missing = "--prompt" if self.prompt is None else "--generate"
            raise PlanError(f"a request has a --prompt and a --generate; {missing} is missing")
        if self.phase is not None:
            raise PlanError(
                f"--phase {self.phase} is one pass, --prompt with --generate a whole request; give "
                "one of the two"
            )
        return whole_request(self.prompt, self.generate, batch=self.batch, repeats=self.windows)

    @property
    def phase_name(self) -> str:
        """What all of it is called in the tables."""
        if self.prompt is not None:
            return f"request {self.prompt}+{self.generate}"
        return self.stages[0].phase

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if self.prompt is not None:
            lengths = "a whole request is as long as --prompt and --generate say"
            found |= {"seq_len": lengths, "context": lengths}
        return found


class ProfileRequest(
    ComparedNIR, Aimed, PassRequest, Calibrated, Text, Layered, Compiled, Mapped, Seeded
):
    """A measured run."""

    group: ClassVar[str] = "passes"

    verify: bool = False
    """compare every row with fvcore and with the plan"""
    coincidences: bool = False
    """in a product of two spike tensors, count only events that meet a spike"""
    zeros: bool = False
    """count the MACs of dense layers whose activation is zero, for the baseline that skips them"""

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        if self.stream and self.verify:
            raise RequestError(
                "--verify runs the whole model once more under fvcore, and --stream has one layer "
                "of it at a time; leave out one of the two"
            )

    @property
    def sharing(self) -> int:
        """See `Aimed.sharing`; of a request with a decode, the tokens of a step of it."""
        one = self.stages[-1].passes[-1]
        return self.objective_tokens or one.batch * one.queries


class Carded(Hardware):
    """Whether the card of the model is to be written too."""

    group: ClassVar[str] = "output"

    card: Annotated[bool, Field(exclude=True)] = False
    """write card.md and card.json: energy per token with its conditions, for the card of the model
    on the Hugging Face hub"""
    carbon_intensity: Annotated[
        float | None, Field(gt=0, le=100_000, allow_inf_nan=False, exclude=True), Flag("GRAMS")
    ] = None
    """grams of CO2 equivalent per kWh, for the card; without it the card has none"""

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if not self.card:
            found["carbon_intensity"] = "it is stated in the card of the model; give --card too"
        return found

    def profiles(self) -> tuple[HardwareProfile, ...]:
        """See `Hardware`; raises RequestError too if a card would state no energy."""
        found = super().profiles()
        if self.card and not any(x.whole_chip or x.is_priced(Op.MAC) for x in found):
            names = ", ".join(profile.name for profile in found)
            raise RequestError(
                f"--card states energy, but {names} has no price of a multiply-accumulate (mac); "
                "give a --hw that has one, such as 45nm, or leave out --card"
            )
        return found


class PlanRequest(Swept, Carded, PassRequest):
    """A closed form at an assumed spike rate."""

    group: ClassVar[str] = "passes"

    spiking: PlannedConversion = SpikingConfig()
    analog: bool = False
    """plan the analog model alone, as of families that are not converted to spikes"""
    spike_rate: Annotated[float, Field(ge=0, le=1), Flag("RATE")] = 0.2
    """spikes per slot, everywhere"""
    active_rate: Annotated[
        float | None,
        Field(ge=0, le=1),
        Flag("SHARE", "1 - (1 - spike rate)^T, as if slots were independent"),
    ] = None
    """share of the entries of a vector that have a spike in any time step, token by token: the rows
    of weights that --dataflow gathered fetches"""
    mla: Annotated[Mla | None, Flag(default="expanded", group="passes")] = None
    """decode of a cache of latent vectors (DeepSeek): keys and values made of all of them in each
    step, as transformers does, or their matrices absorbed in query and result, as servers do"""
    gpus: Annotated[int | None, Field(ge=1, le=4096), Flag("N", "1", group="hardware")] = None
    """GPUs that share the model, on hardware with the prices of a whole chip"""
    memory: Annotated[bool, Field(exclude=True), Flag(group="output")] = False
    """print and write, too, the memory and the disk that each command needs for the model
    (memory.csv)"""
    whole_chips: ClassVar[bool] = True

    @property
    def conventions(self) -> Conventions:
        """See `Passes`."""
        return replace(super().conventions, mla=self.mla or Mla.EXPANDED)

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if self.prompt is None and self.phase != "decode":
            found["mla"] = "a prefill expands in both; give --phase decode, or --generate"
        return found

    def profiles(self) -> tuple[HardwareProfile, ...]:
        """See `Hardware`; raises RequestError too if GPUs are counted where there are none."""
        found = super().profiles()
        if self.gpus is not None and found[0].whole_chip is None:
            raise RequestError(
                f"--gpus has no effect on '{found[0].name}', which prices operations; leave it "
                "out, or give hardware with the prices of a whole chip, such as h100"
            )
        return found


class CountRequest(CountedNIR, Carded, Kept, Bound, Text, Passes, Mapped, Seeded):
    """An analog model alone, or a spiking network, measured."""

    group: ClassVar[str] = "passes"

    zeros: bool = False
    """count the MACs of dense layers whose activation is zero"""
    verify: bool = False
    """compare every row with fvcore (or all of it with torch's counter, where fvcore cannot see)
    and, for a known family, with the plan"""
    details: Annotated[bool, Field(exclude=True), Flag(group="output")] = False
    """print every part, what has no price and what is assumed"""
    out: Annotated[Path, Flag("DIR", "runs/TIME-count-MODEL")] = Field(
        default_factory=lambda given: dated(f"count-{Path(given['model']).name or 'model'}")
    )
    """output directory"""
