"""What two models made of windows of a text: sums that add up, and plain data to keep them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from energy import Counts
from neurt.evaluation.hidden import Place
from neurt.evaluation.sums import Scores, Sums
from neurt.streaming.counted import row_of, to_facts
from reports.kit.closeness import Scored

#: Fields of counts beside their rows.
_ABOUT = (
    *("variant", "model", "weights", "phase", "batch", "tokens", "timesteps", "attention"),
    "value_bits",
)


class Twin(NamedTuple):
    """What a baseline is called, see `neurt.baselines.baselines.Baseline`."""

    name: str
    kind: str
    number: float | None


class Batch(NamedTuple):
    """What was found in windows that were read at once."""

    sums: Mapping[tuple[str, Place], float]  #: of similarities, by name and place
    scores: Mapping[str, Sequence[Scored]]  #: over each window, by the name of a model


@dataclass(frozen=True)
class Read:
    """What was found in some windows of a text, in their order."""

    batches: tuple[Batch, ...]
    counts: tuple[Counts, ...]  #: of the analog model, of the spiking one, of each baseline

    def __add__(self, other: Read) -> Read:
        """This, and what was found in the windows after these."""
        counts = tuple(map(add, self.counts, other.counts))
        return Read(self.batches + other.batches, counts)

    @property
    def sums(self) -> Sums:
        """Over all windows, added up in their order."""
        sums: Sums = defaultdict(float)
        for batch in self.batches:
            for key, value in batch.sums.items():
                sums[key] += value
        return sums

    @property
    def scores(self) -> Scores:
        """Of each window, by the name of a model."""
        scores: Scores = defaultdict(list)
        for batch in self.batches:
            for name, windows in batch.scores.items():
                scores[name] += windows
        return scores


@dataclass(frozen=True)
class Facts:
    """What else must be known of a comparison, as plain data."""

    name: str  #: of the model
    weights: str  #: where they came from
    analog_weights: str  #: those of the analog model
    choices: dict[str, Any]  #: of the conversion
    text: str  #: what is read
    calibration: str  #: what was converted on
    ran: dict[str, Any]  #: device and precision
    aim: dict[str, Any]  #: what dead zones are to spare
    windows: tuple[int, int, int]  #: tokens of one, tokens from one to the next, how many
    layers: int  #: transformer layers
    baselines: tuple[Twin, ...] = ()


def to_plain(facts: Facts, read: Read) -> dict[str, Any]:
    """Both as what JSON can hold."""
    return {
        "facts": asdict(facts),
        "batches": [
            [
                [[name, *place, value] for (name, place), value in batch.sums.items()],
                {name: [list(each) for each in windows] for name, windows in batch.scores.items()},
            ]
            for batch in read.batches
        ],
        "counts": [
            to_facts(counts) | {"about": {name: getattr(counts, name) for name in _ABOUT}}
            for counts in read.counts
        ],
    }


def from_plain(plain: Mapping[str, Any]) -> tuple[Facts, Read]:
    """What `to_plain` was given."""
    facts = dict(plain["facts"])
    facts["windows"] = tuple(facts["windows"])
    facts["baselines"] = tuple(Twin(*each) for each in facts["baselines"])
    batches = tuple(
        Batch(
            {(name, (depth, part)): value for name, depth, part, value in sums},
            {name: [Scored(*each) for each in windows] for name, windows in scores.items()},
        )
        for sums, scores in plain["batches"]
    )
    counts = tuple(
        Counts(
            layers=tuple(row_of(*row) for row in each["rows"]),
            uncounted=each["uncounted"],
            **each["about"],
        )
        for each in plain["counts"]
    )
    return Facts(**facts), Read(batches, counts)


def joined(parts: Sequence[Read]) -> Read:
    """What was found in all windows, of parts in the order of the text."""
    return reduce(add, parts)
