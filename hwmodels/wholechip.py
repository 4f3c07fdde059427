"""What a server of language models costs as a whole, at prices fitted on measured joules.

A price here has clock, control, static power and the refresh of the memory in it, so none of them
can stand beside the price of a single operation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from hwmodels.defined import Defined
from hwmodels.prices import Bytes, Cited, Record, Sentence, Whole, Word
from hwmodels.units import ENERGY, Magnitude

_Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
# A step of a server costs joules, a byte picojoules, and may cost nothing that a fit can see.
Energy = Annotated[_Number, Magnitude(1e-9, 1e18, ENERGY, zero=True)]
# From a femtosecond for many operations side by side to 1,000 s for a step.
Picoseconds = Annotated[_Number, Magnitude(1e-9, 1e15, zero=True)]
Factor = Annotated[_Number, Magnitude(1e-3, 1e3)]
Share = Annotated[_Number, Magnitude(1e-9, 1e9, zero=True)]

#: Positions of a context beyond which `Work.LONG_CONTEXT` counts them.
LONG_CONTEXT = 1500


class Work(Defined):
    """What a step of a server does. A step makes one token of each sequence that runs."""

    STEP = "step", "the step itself, on each GPU"
    WEIGHT_BYTE = "weight_byte", "a byte of the weights that some token of the step needs"
    CACHE_BYTE = "cache_byte", "a byte of the KV cache, or of a state, read or written"
    MAC = "mac", "a multiply-accumulate of a product, those of prompts and of attention too"
    ACTIVATION_BYTE = (
        "activation_byte",
        "a byte that passes between layers, read or written; scores and weights of attention not",
    )
    TOKEN = "token", "a token of a prompt or of an answer, on each GPU"
    OUTPUT_TOKEN = "output_token", "a token of an answer, on each GPU"
    SUBLAYER = "sublayer", "an attention or feed-forward block, on each GPU"
    SUBLAYER_TOKEN = "sublayer_token", "a token that passes an attention or feed-forward block"
    EXPERT_TOKEN = "expert_token", "a token that is sent to one of its experts, in each layer"
    ALL_REDUCE = (
        "all_reduce",
        "the sum over several GPUs behind an attention or feed-forward block, on each GPU",
    )
    ALL_REDUCE_BYTE = "all_reduce_byte", "a byte that a GPU receives from the others in that sum"
    LONG_CONTEXT = (
        "long_context",
        f"a position of the mean context beyond {LONG_CONTEXT:,}, on each GPU",
    )


class Kind(Defined):
    """What a model is, by which errors are listed."""

    DENSE = "dense", "every token passes all weights"
    EXPERTS = "experts", "a mixture of experts"
    RECURRENT = "recurrent", "some layers keep a state in place of a cache"


class EnergyCost(Cited):
    """The energy of one unit of work.

    Attributes:
        pj: Picojoules, of all GPUs together.
    """

    pj: Energy


class TimeCost(Cited):
    """The time that one unit of work takes on one GPU.

    Attributes:
        ps: Picoseconds.
    """

    ps: Picoseconds


#: What was measured over what was predicted: ends between which nine tenths of the points of one
#: more model are expected, after those of models that the fit had not seen.
Interval = tuple[Factor, Factor]


class Intervals(Record):
    """How far predictions for models that a fit had not seen are off.

    Attributes:
        energy: Of the energy of a token.
        latency: Of the time between two tokens of a sequence; None where nobody measured it.
        rate: Of tokens per second; None where nobody measured it.
        power: Of the mean power; None where nobody measured it.
    """

    energy: Interval
    latency: Interval | None = None
    rate: Interval | None = None
    power: Interval | None = None


class LeftOut(Record):
    """How far a fit without one model is off on the points of that model.

    Attributes:
        model: Its name.
        kind: What it is.
        points: How many points of it there are.
        energy: Mean relative error of the energy of a token.
        latency: The same of the time between two tokens; None where nobody measured it.
        rate: The same of tokens per second.
    """

    model: Word
    kind: Kind
    points: Whole
    energy: Share
    latency: Share | None = None
    rate: Share | None = None


class Fitted(Record):
    """What prices were fitted on: beyond it, nobody knows how far off they are.

    Attributes:
        points: How many servers were measured.
        models: Of how many models.
        sequences: The least and the most that ran side by side.
        context: The shortest and the longest mean context.
        gpus: The fewest and the most GPUs that shared a model.
    """

    points: Whole
    models: Whole
    sequences: tuple[Share, Share]
    context: tuple[Share, Share]
    gpus: tuple[Whole, Whole]


class WholeChip(Record):
    """Prices of a chip as a server of language models, and how good they are.

    Attributes:
        boundary: What was measured: which device, with what on it.
        memory_bytes: Memory of one GPU; None where nobody said.
        energy: Energy of each kind of work.
        latency: Time between two tokens of a sequence; empty where nobody measured it.
        step: Mean time of a step with the prompts in it, from which tokens per second follow; empty
            where nobody measured it, and then a step takes what lies between two tokens.
        fitted: What the prices were fitted on.
        intervals: How far predictions are off.
        left_out: How far a fit without a model is off on it.
    """

    boundary: Sentence
    memory_bytes: Bytes | None = None
    energy: dict[Work, EnergyCost] = Field(min_length=1)
    latency: dict[Work, TimeCost] = Field(default_factory=dict)
    step: dict[Work, TimeCost] = Field(default_factory=dict)
    fitted: Fitted
    intervals: Intervals
    left_out: tuple[LeftOut, ...] = ()

    @property
    def costs(self) -> Iterator[tuple[str, Cited]]:
        """Every price with its key: `energy.step`."""
        for target in ("energy", "latency", "step"):
            yield from ((f"{target}.{work}", cost) for work, cost in getattr(self, target).items())
