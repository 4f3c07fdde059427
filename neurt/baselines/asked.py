"""Which baselines are asked for, as words: `w8a8`, `teal=0.4`. No torch here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from hwmodels.errors import UserError, did_you_mean
from hwmodels.plain import quoted
from neurt.spiking.choices import Code, Form
from neurt.spiking.config import SpikingConfig


class BaselineError(UserError, ValueError):
    """A baseline that is not known, or does not fit the model."""


class Kind(StrEnum):
    """Twins of the analog model, each with the number that it may be given."""

    number: str  #: what its number is; empty where it takes none
    usual: float | None  #: that number unless given; None where the conversion says it
    most: float  #: the largest number; shares stay below it

    def __new__(
        cls, value: str, number: str = "", usual: float | None = None, most: float = 0.0
    ) -> Kind:
        """A kind by its name, with its number."""
        kind = str.__new__(cls, value)
        kind._value_, kind.number, kind.usual, kind.most = value, number, usual, most
        return kind

    #: weights of 8 bits per output channel, activations of 8 bits per token
    W8A8 = "w8a8"
    #: weights of 4 bits in groups of 128 inputs
    W4A16 = "w4a16"
    #: the dead zones of the spiking model, times a factor; what is not silent stays analog
    ZONES = "zones", "factor", 1.0, 1e6
    #: a share of each layer's inputs is silent, the smallest
    TEAL = "teal", "share", 0.4, 1.0
    #: the same by size times the norm of the weights that it meets
    WINA = "wina", "share", 0.4, 1.0
    #: activations of so many bits where the spiking model has events
    TWIN = "twin", "bits", None, 16.0


#: How people write a number.
_NUMBER = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
#: What the numbers of each kind may be.
_RULES = {
    "share": "a share above 0 and below 1, as in {}=0.4",
    "factor": "a factor above 0 and at most 1e6, as in {}=1.5",
    "bits": "1 to 16 whole bits, as in {}=4",
}


@dataclass(frozen=True)
class Asked:
    """A baseline, and its number."""

    kind: Kind
    number: float | None = None  #: None where it takes none, or where the conversion says it

    @property
    def is_calibrated(self) -> bool:
        """Whether thresholds or ranges are found on calibration text."""
        return self.kind in (Kind.TEAL, Kind.WINA, Kind.TWIN)

    @property
    def reads_weights(self) -> bool:
        """Whether it is made of the weights of the analog model before it reads."""
        return self.kind in (Kind.W8A8, Kind.W4A16, Kind.WINA)

    @property
    def is_of_conversion(self) -> bool:
        """Whether it follows from the conversion, and not from the analog model alone."""
        return self.kind in (Kind.ZONES, Kind.TWIN)

    def __str__(self) -> str:
        """As it is asked for."""
        usual = self.number is None or (self.kind is Kind.ZONES and self.number == self.kind.usual)
        return str(self.kind) if usual else f"{self.kind}={self.number:g}"


def parse(word: str) -> Asked:
    """The baseline that a word asks for; BaselineError where it asks for none."""
    name, equals, text = word.partition("=")
    if name not in [*Kind]:
        known = [str(kind) for kind in Kind]
        raise BaselineError(
            f"baseline {quoted(name)} is not known; known are {', '.join(known)}"
            f"{did_you_mean(name, known)}"
        )
    kind = Kind(name)
    if not equals:
        return Asked(kind, kind.usual)
    if not kind.number:
        raise BaselineError(f"baseline '{kind}' takes no number, not {quoted(text)}; give {kind}")
    number = float(text) if _NUMBER.fullmatch(text) else 0.0
    inside = isfinite(number) and 0 < number <= kind.most
    if kind.number == "share":
        inside = inside and number < kind.most
    if kind.number == "bits":
        inside = inside and number.is_integer()
    if not inside:
        rule = _RULES[kind.number].format(kind)
        raise BaselineError(f"baseline '{kind}' takes {rule}, not {quoted(text)}")
    return Asked(kind, number)


def parse_all(words: Iterable[str]) -> tuple[Asked, ...]:
    """The baselines that words ask for; BaselineError where one is none, or is there twice."""
    found: dict[Asked, str] = {}
    for word in words:
        asked = parse(word)
        if asked in found:
            same = "" if found[asked] == word else f", as {quoted(found[asked])} and {quoted(word)}"
            raise BaselineError(f"baseline '{asked}' is asked for twice{same}; keep one")
        found[asked] = word
    return tuple(found)


def fits(asked: Asked, spiking: SpikingConfig) -> bool:
    """Whether a conversion has what a baseline is made of; see `check`."""
    return not _lacks(asked, spiking)


def check(asked: Iterable[Asked], spiking: SpikingConfig) -> None:
    """Raise BaselineError if a baseline does not fit a conversion."""
    for each in asked:
        if lack := _lacks(each, spiking):
            raise BaselineError(lack)


def _lacks(asked: Asked, spiking: SpikingConfig) -> str:
    """Why a baseline cannot be made of a conversion; empty where it can."""
    codes = {spiking.code, spiking.code_of_attention}
    softmax = spiking.form is Form.SOFTMAX
    if asked.kind is Kind.ZONES and not (
        softmax and {Code.POW2} <= codes <= {Code.POW2, Code.EXACT}
    ):
        return (
            "baseline 'zones' is the analog model with the dead zones of the code pow2 in softmax "
            f"attention; this is {', '.join(sorted(codes))} in {spiking.form} attention: leave it "
            "out, or convert to --form softmax --code pow2"
        )
    if asked.kind is Kind.TWIN and not softmax:
        return (
            f"baseline 'twin' rounds what is events in softmax attention; {spiking.form} attention "
            "has no softmax and no analog twin of its products: leave it out, or give --form "
            "softmax"
        )
    return ""
