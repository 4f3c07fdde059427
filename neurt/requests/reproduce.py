"""What a user asked of `reproduce`: a grid of measured runs, each priced on all hardware."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from energy.formulas import Attention as Pairs
from neurt.requests.passes import Count, ProfileRequest
from neurt.requests.sweep import Steps
from neurt.spiking.config import Code, Form, KeyValue, SpikingConfig

#: The sizes that the published range speaks of, and the trained model that the package ships.
MODELS = ("gpt2-small", "gpt2-medium", "gpt2-large", "gpt2-nano")
#: Constants at three precisions, 45 nm.
HARDWARE = ("45nm", "45nm-fp16", "45nm-int8")


class ReproduceRequest(BaseModel):
    """Every combination of the given models, conversions and conventions, each measured once.

    Attributes:
        models: Analog models; see `source.resolve`.
        timesteps: Time steps.
        hw: Names or paths of the hardware on which each measurement is priced.
        forms: Forms of the attention.
        codes: Codes of both blocks.
        key_values: Whether softmax attention codes K and V too.
        attention: Which query-key pairs are counted.
        tokens: Tokens of the prefill.
        weights: `auto`, `pretrained` or `random`.
        seed: Seed of random weights.
        text: Text to run on; None for each model's default.
        jobs: Processes side by side; None for one per core.
        memory_gib: GiB that all processes may take together; None for half of this machine's.
        out: Output directory.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: Annotated[tuple[str, ...], Field(min_length=1)] = MODELS
    timesteps: Annotated[tuple[Steps, ...], Field(min_length=1)] = (2, 4, 8)
    hw: Annotated[tuple[str, ...], Field(min_length=1)] = HARDWARE
    forms: Annotated[tuple[Form, ...], Field(min_length=1)] = (Form.SPIKFORMER,)
    codes: Annotated[tuple[Code, ...], Field(min_length=1)] = (Code.SIGNED_IF,)
    key_values: Annotated[tuple[KeyValue, ...], Field(min_length=1)] = (KeyValue.STORED,)
    attention: Annotated[tuple[Pairs, ...], Field(min_length=1)] = (Pairs.FULL,)
    tokens: Count = 128
    weights: Literal["auto", "pretrained", "random"] = "auto"
    seed: int = 0
    text: Path | None = None
    jobs: Count | None = None
    memory_gib: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    out: Path

    def points(self) -> tuple[ProfileRequest, ...]:
        """One run to measure per combination, without those that differ in nothing.

        No hardware is named in them: prices decide no count.
        """
        found: dict[str, ProfileRequest] = {}
        for model, form, code, key_value, pairs, steps in product(
            self.models, self.forms, self.codes, self.key_values, self.attention, self.timesteps
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
                text=self.text,
                out=self.out,
            )
            found.setdefault(point.model_dump_json(), point)
        return tuple(found.values())
