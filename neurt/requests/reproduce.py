"""What may be asked of `reproduce`: a grid of measured runs, each priced on all hardware."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from energy.formulas import Attention
from neurt.requests.base import Amount, Count, Flag, Jobs, Output, Seed
from neurt.requests.cluster import Clustered
from neurt.requests.evaluate import CODES, Steps, forms_and_codes
from neurt.requests.loaded import Compiled, Placed
from neurt.requests.passes import ProfileRequest
from neurt.spiking.config import Code, Form, KeyValue, SpikingConfig

#: The sizes that the published range speaks of, and the trained model that the package ships.
MODELS = ("gpt2-small", "gpt2-medium", "gpt2-large", "gpt2-nano")
#: Constants at three precisions, 45 nm.
HARDWARE = ("45nm", "45nm-fp16", "45nm-int8")


class ReproduceRequest(Compiled, Placed, Output, Clustered):
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
        if Form.SOFTMAX not in self.forms:
            found["key_values"] = "K and V of spikformer are spikes always; give --forms softmax"
        if self.ray is not None:
            own = "a Ray cluster has its own; leave out --ray"
            found |= {"jobs": own, "memory_gib": own}
        return found

    def points(self) -> tuple[ProfileRequest, ...]:
        """One run to measure per combination, without those that differ in nothing.

        No hardware is named in them: prices decide no count.
        """
        found: dict[str, ProfileRequest] = {}
        coded = forms_and_codes(self.forms, self.codes)
        for model, (form, code), key_value, pairs, steps in product(
            self.models, coded, self.key_values, self.attention, self.timesteps
        ):
            # Spikformer's K and V are spikes whatever is asked for.
            streamed = key_value if form is Form.SOFTMAX else KeyValue.STORED
            point = ProfileRequest(
                model=model,
                hw=(),
                seq_len=self.tokens,
                attention=pairs,
                spiking=SpikingConfig(timesteps=steps, form=form, code=code, key_value=streamed),
                weights=self.weights,
                seed=self.seed,
                device=self.device,
                dtype=self.dtype,
                compile_codes=self.compile_codes,
                text=self.text,
                out=self.out,
            )
            found.setdefault(point.model_dump_json(), point)
        return tuple(found.values())
