"""What may be asked of `reproduce`: a grid of measured runs, each priced on all hardware."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from energy.formulas import Attention
from neurt.requests.base import MEASURED, Amount, Count, Flag, Jobs, Output, RequestError, Seed
from neurt.requests.cluster import Clustered
from neurt.requests.constants import Changed
from neurt.requests.loaded import Compiled, Mapped
from neurt.requests.passes import ProfileRequest
from neurt.requests.sweep import CODES, Steps, forms_and_codes
from neurt.spiking.config import Code, Form, KeyValue, SpikingConfig

#: The sizes that the published range speaks of, and the trained model that the package ships.
MODELS = ("gpt2-small", "gpt2-medium", "gpt2-large", "gpt2-nano")
#: Constants at three precisions, 45 nm.
HARDWARE = ("45nm", "45nm-fp16", "45nm-int8")

#: Choices of a conversion that the grid varies; all others are the same in all of its runs.
VARIED = {"timesteps", "form", "code", "key_value"}
_SHARED = tuple(name for name in MEASURED if name not in VARIED)


class ReproduceRequest(Changed, Compiled, Mapped, Output, Clustered):
    """Every combination of the given models, conversions and conventions, each measured once."""

    group: ClassVar[str] = "grid"

    models: Annotated[tuple[str, ...], Field(min_length=1), Flag("NAME")] = MODELS
    """names, directories or hub ids"""
    timesteps: Annotated[tuple[Steps, ...], Field(min_length=1), Flag("T")] = (2, 4, 8)
    """spiking time steps"""
    hw: Annotated[tuple[str, ...], Field(min_length=1), Flag("NAME")] = HARDWARE
    """hardware profiles, by name or .toml file"""
    forms: Annotated[tuple[Form, ...], Field(min_length=1)] = tuple(Form)
    """forms of the attention: as the paper has it, and the one that costs little quality"""
    codes: Annotated[tuple[Code, ...], Flag(default=CODES)] = ()
    """codes of both blocks"""
    key_values: Annotated[tuple[KeyValue, ...], Field(min_length=1)] = (KeyValue.STORED,)
    """softmax attention finds K and V stored as analog values, or streams their events too"""
    spiking: Annotated[SpikingConfig, Flag(only=_SHARED)] = SpikingConfig()
    attention: Annotated[tuple[Attention, ...], Field(min_length=1)] = (Attention.FULL,)
    """count all query-key pairs, or the causal half"""
    tokens: Count = 128
    """tokens of the prefill"""
    weights: Literal["auto", "pretrained", "random"] = "auto"
    """auto: from the cache or the hub, else random, and said so"""
    seed: Seed = 0
    """seed of random weights"""
    text: Annotated[Path | None, Flag("FILE", "the model's own")] = None
    """UTF-8 text to run on"""
    jobs: Annotated[Jobs | None, Flag(default="one per core")] = None
    """processes side by side"""
    memory_gib: Annotated[Amount | None, Flag("GIB", "half of this machine's")] = None
    """GiB that all processes may take together; fewer run side by side where more would not fit"""
    out: Annotated[Path, Flag("DIR")] = Path("runs/reproduce")
    """output directory; what is measured there is not measured again"""

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        for choice in _SHARED:  # what changes nothing in any run
            found.pop(choice, None)
            whys = [asked.idle.get(choice) for asked in self.conversions]
            if (why := whys[0]) is not None and None not in whys:
                found[choice] = why
        for choice in VARIED:  # each is a flag of its own, in the plural
            found.pop(choice, None)
        if Form.SOFTMAX not in self.forms:
            found["key_values"] = "K and V of spikformer are spikes always; give --forms softmax"
        if self.ray is not None:
            own = "a Ray cluster has its own; leave out --ray"
            found |= {"jobs": own, "memory_gib": own}
        return found

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        for asked in self.conversions:
            if asked.conflict:
                raise RequestError(asked.conflict)

    @property
    def conversions(self) -> list[SpikingConfig]:
        """How models are converted, with choices that change nothing in some of them."""
        return [
            self._converted(coded, key_value, steps)
            for coded, key_value, steps in product(self._coded, self.key_values, self.timesteps)
        ]

    @property
    def _coded(self) -> list[tuple[Form, Code]]:
        return forms_and_codes(self.forms, self.codes)

    def _converted(
        self, coded: tuple[Form, Code], key_value: KeyValue, steps: int
    ) -> SpikingConfig:
        form, code = coded
        shared = self.spiking.model_dump(include=set(_SHARED))
        return SpikingConfig(timesteps=steps, form=form, code=code, key_value=key_value, **shared)

    def points(self) -> tuple[ProfileRequest, ...]:
        """One run to measure per combination, without those that differ in nothing.

        No hardware is named in them: prices decide no count.
        """
        found: dict[str, ProfileRequest] = {}
        for model, coded, key_value, pairs, steps in product(
            self.models, self._coded, self.key_values, self.attention, self.timesteps
        ):
            asked = self._converted(coded, key_value, steps)
            point = ProfileRequest(
                model=model,
                hw=(),
                seq_len=self.tokens,
                attention=pairs,
                # What changes nothing, as K and V of spikformer, is as it is by default.
                spiking=SpikingConfig(**asked.model_dump(exclude=set(asked.idle))),
                weights=self.weights,
                seed=self.seed,
                device=self.device,
                dtype=self.dtype,
                device_map=self.device_map,
                compile_codes=self.compile_codes,
                text=self.text,
                out=self.out,
            )
            found.setdefault(point.model_dump_json(), point)
        return tuple(found.values())
