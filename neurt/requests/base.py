"""What all requests are made of. A field is a flag: its name, default, rules and help. No torch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from energy.formulas import Attention
from hwmodels.errors import UserError
from hwmodels.plain import printable, quoted
from hwmodels.prices import Bytes
from neurt.spiking.config import SpikingConfig
from reports.kit.fit import Fit
from reports.kit.pictures import Pictures

#: Sizes beyond these are taken for slips.
Count = Annotated[int, Field(ge=1, le=10_000_000)]
AtLeast2 = Annotated[int, Field(ge=2, le=1_000_000_000)]
AtLeast0 = Annotated[int, Field(ge=0, le=10_000_000)]
Amount = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
#: A file system takes 255; the temporary files beside it are longer.
_LONGEST_NAME_BYTES = 200
Jobs = Annotated[int, Field(ge=1, le=1024)]
#: What the generators of torch and numpy take, with room for those derived from it.
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]


def _with_unit(value: Any) -> Any:
    if isinstance(value, str) and value.strip()[-1:].isdecimal():
        raise ValueError(f"must be an amount of data with its unit, as 24MiB, not {quoted(value)}")
    return value


Capacity = Annotated[Bytes, BeforeValidator(_with_unit)]


class RequestError(UserError, ValueError):
    """A request whose parts do not fit each other."""


@dataclass(frozen=True)
class Flag:
    """What the command line knows of a field beside its name, type, default and help."""

    metavar: str | None = None  #: stands for the value in help
    default: str = ""  #: the default in words, where it is found out later
    positional: bool = False  #: it is given without a flag
    each: bool = False  #: a flag takes one value, and may be repeated; else it takes several
    only: tuple[str, ...] = ()  #: of a model inside the request, the fields that are flags
    group: str = ""  #: the heading under which help shows it; that of its class unless given
    sizes: bool = False  #: it takes several sizes in one word: 1,8,64 or 128..8192


#: Choices of the conversion that a closed form depends on.
PLANNED = (
    *("timesteps", "form", "code", "attention_code", "key_value"),
    *("resolution", "coders", "head"),
)
#: Those that a measurement depends on.
MEASURED = (
    *PLANNED,
    *("dead_zone", "threshold", "attention_threshold", "product_threshold", "head_threshold"),
    "tau",
    *("calibrate", "input_quantile", "lif_quantile"),
)
Conversion = Annotated[SpikingConfig, Flag(only=MEASURED)]
PlannedConversion = Annotated[SpikingConfig, Flag(only=PLANNED)]


class Request(BaseModel):
    """What may be asked of a command."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, defer_build=True
    )

    #: The heading under which help shows the fields of a class.
    group: ClassVar[str] = "options"

    def idle(self) -> dict[str, str]:
        """Fields that change nothing beside the others: why, and what to give instead."""
        spiking = getattr(self, "spiking", None)
        return {} if spiking is None else spiking.idle

    def check(self) -> None:
        """Make sure that the fields fit each other.

        Raises:
            UserError: If they do not. On the command line that is an error of usage (2): nothing
                has been opened to find it.
        """
        spiking: SpikingConfig | None = getattr(self, "spiking", None)
        if spiking is not None and spiking.conflict:
            raise RequestError(spiking.conflict)


class Model(Request):
    """Which model."""

    group: ClassVar[str] = "model"

    model: str
    """a name (gpt2-nano, gpt2-nano-spiking, gpt2-small, gpt2-medium, gpt2-large, gpt2-xl,
    smollm2-135m), a directory in Hugging Face format, a config.json (plan), a .gguf file, or a hub
    id (plan: of published models also its last part, such as Qwen3-8B)"""


class Pass(Request):
    """One pass through a model."""

    group: ClassVar[str] = "passes"

    phase: Annotated[Literal["prefill", "decode"] | None, Flag(default="prefill")] = None
    """whole sequences, or one new token through a cache"""
    seq_len: Count = 128
    """tokens in prefill"""
    context: Count = 128
    """attended tokens in decode, the new one included"""
    batch: Count = 1
    """sequences side by side"""
    attention: Attention = Attention.FULL
    """count all query-key pairs, or the causal half"""

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if self.phase == "decode":
            found["seq_len"] = "decode attends to --context tokens; --seq-len is that of prefill"
        else:
            found["context"] = "prefill has --seq-len tokens; --context is that of --phase decode"
        return found


class Text(Request):
    """The text that is run on."""

    group: ClassVar[str] = "texts"

    text: Annotated[Path | None, Flag("FILE", "the model's own, else Moby-Dick")] = None
    """UTF-8 text to read"""


class Calibrated(Request):
    """The text that a conversion is calibrated on."""

    group: ClassVar[str] = "texts"

    detokenise: bool = False
    """undo the spacing of WikiText in the given texts: ` @-@ ` is `-` again, and so on"""
    calibration: Annotated[Path | None, Flag("FILE", "the model's own, else Moby-Dick")] = None
    """UTF-8 text to calibrate a conversion on"""
    calibration_tokens: AtLeast2 = 512
    """tokens of it"""

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if self.calibration is None and getattr(self, "text", None) is None:
            found["detokenise"] = "no text of your own is given; give --text or --calibration"
        return found


def dated(name: str) -> Path:
    """The default of an output directory, named after the time too."""
    return named(f"{time.strftime('%Y%m%d-%H%M%S')}-{name}")


def named(name: str) -> Path:
    """A directory below `runs`, cut where it is longer than a name can be."""
    return Path("runs") / printable(name).encode()[:_LONGEST_NAME_BYTES].decode(errors="ignore")


def named_after_model(given: dict[str, Any]) -> Path:
    """The default of the output directory of a command that has a model."""
    return dated(Path(given.get("model", "")).name or "model")


class Pictured(Request):
    """What is written beside tables. These fields decide no number, so no record keeps them."""

    group: ClassVar[str] = "output"

    pictures: Annotated[Pictures, Field(exclude=True)] = Pictures.ALL
    """formats of the pictures; all is PNG and SVG"""


class Fitted(Pictured):
    """Pictures of which each can be had for one column of a paper."""

    pictures_fit: Annotated[Fit, Field(exclude=True)] = Fit.TWO
    """how wide a picture may be: one column of a paper (3.4 in), or the 7 in of two"""

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if self.pictures is Pictures.NONE:
            found["pictures_fit"] = "there are no pictures; leave out --pictures none"
        return found


class Output(Pictured):
    """Where results go."""

    out: Annotated[Path, Flag("DIR", "runs/TIME-MODEL")] = Field(default_factory=named_after_model)
    """output directory"""


class Forced(Request):
    """Files that are not replaced unasked."""

    group: ClassVar[str] = "output"

    force: Annotated[bool, Field(exclude=True)] = False
    """replace files of an earlier call"""


class Kept(Output):
    """Where results go that are not replaced unasked."""

    force: Annotated[bool, Field(exclude=True)] = False
    """replace the run that the output directory holds"""


class Reported(Kept):
    """A run with a page of its own."""

    page: Annotated[bool, Field(exclude=True)] = True
    """write report.html"""
    details: Annotated[bool, Field(exclude=True)] = False
    """print every table, not only the verdict"""
