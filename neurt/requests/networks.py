"""What may be asked of a spiking network from a NIR file. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from neurt.nir.exporter import INPUT_RATE, TIMESTEPS, Exporter
from neurt.requests.base import MEASURED, Flag, Model, Seed
from neurt.spiking.config import SpikingConfig

#: Of a language model, or of weights that can be others.
_OF_LANGUAGE = (
    *("phase", "seq_len", "context", "windows", "attention", "text", "zeros", "verify"),
    *("weights", "device", "dtype", "card"),
)
_OF_NETWORKS = ("input_rate", "input", "exporter", "dt")
_NETWORK = "it is of a spiking network; give --model FILE.nir"
_LANGUAGE = "it is of a language model, and a NIR file is none"


#: Choices of a conversion beside its time steps, which a NIR file has too.
_CONVERSION = tuple(x for x in MEASURED if x != "timesteps")


def _is_network(model: object) -> bool:
    return isinstance(model, str) and model.lower().endswith(".nir")


class FromNIR(Model):
    """What a spiking network is given, and how its file is read."""

    group: ClassVar[str] = "networks"

    model: Annotated[str, Flag(group="model")]
    """a name (gpt2-nano, gpt2-small, gpt2-medium, gpt2-large, gpt2-xl, smollm2-135m), a directory
    in Hugging Face format, a .gguf file, a hub id, or the .nir file of a spiking network"""
    input_rate: Annotated[float, Field(ge=0, le=1), Flag("RATE")] = INPUT_RATE
    """spikes per input and time step, each by chance (--seed)"""
    input: Annotated[Path | None, Flag("FILE.npy")] = None
    """recorded input instead: an array (time steps, ...) or (time steps, samples, ...)"""
    exporter: Exporter = Exporter.NIR
    """whose conventions the file follows where NIR says nothing, or something else: how neurons
    reset, whether they fire at their threshold, units of time"""
    dt: Annotated[
        float | None,
        Field(gt=0, le=1e6, allow_inf_nan=False),
        Flag("SECONDS", "1e-4, 1e-3 of Norse"),
    ] = None
    """one time step"""
    seed: Seed = 0
    """seed of random weights, and of random input"""

    @property
    def is_network(self) -> bool:
        """Whether the model is a NIR file."""
        return _is_network(self.model)

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if not self.is_network:
            return found | dict.fromkeys(_OF_NETWORKS, _NETWORK)
        found.pop("seed", None)
        found |= dict.fromkeys(_OF_LANGUAGE, _LANGUAGE)
        if self.input is not None:
            found |= dict.fromkeys(
                ("input_rate", "seed", "batch"), "the input is recorded; leave out --input"
            )
        return found


class CountedNIR(FromNIR):
    """A spiking network that is run by itself."""

    group: ClassVar[str] = "networks"

    timesteps: Annotated[
        int | None,
        Field(ge=1, le=1_000_000),
        Flag("T", f"those of --input, else {TIMESTEPS}"),
    ] = None
    """time steps that a spiking network runs"""

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        return super().idle() | ({} if self.is_network else {"timesteps": _NETWORK})


class ComparedNIR(FromNIR):
    """A spiking network that is run beside its analog layers."""

    #: Flags that say something of a NIR file too; all others are of language models.
    OF_BOTH: ClassVar[frozenset[str]] = frozenset(
        {
            *("model", "seed", "batch", "timesteps", "set", "hw", "dataflow", "latency_s"),
            *("pictures", "out", "force", "page", "details", "mixed", *_OF_NETWORKS),
        }
    )

    model: Annotated[str, Flag(group="model")]
    """a name (gpt2-nano, gpt2-nano-spiking, gpt2-small, gpt2-medium, gpt2-large, gpt2-xl,
    smollm2-135m), a directory in Hugging Face format, a .gguf file, a hub id, or the .nir file of a
    spiking network"""

    timesteps: Annotated[
        int | None,
        Field(ge=1, le=1_000_000, exclude=True),
        Flag("T", f"4; of a NIR file those of --input, else {TIMESTEPS}", group="conversion"),
    ] = None
    """spiking time steps T per token, at most 64; of a NIR file those that the network runs"""
    spiking: Annotated[SpikingConfig, Flag(only=_CONVERSION)] = SpikingConfig()

    @model_validator(mode="before")
    @classmethod
    def _steps_are_of_the_conversion(cls, given: Any) -> Any:
        # A point of a grid has them there, and is the same request as a command line.
        if not isinstance(given, Mapping):
            return given
        chosen = given.get("spiking", {})
        if isinstance(chosen, SpikingConfig):
            chosen = chosen.model_dump(exclude_unset=True)
        steps = given.get("timesteps", chosen.get("timesteps"))
        if steps is None:
            return given
        if _is_network(given.get("model")):
            return {**given, "timesteps": steps}
        return {**given, "spiking": {**chosen, "timesteps": steps}}

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if not self.is_network:
            return found
        every = {*type(self).model_fields, *SpikingConfig.model_fields}
        recorded = {key: why for key, why in found.items() if key in self.OF_BOTH}
        return recorded | dict.fromkeys(every - self.OF_BOTH, _LANGUAGE)
