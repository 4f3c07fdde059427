"""Lines of what has no spiking side: a count (`count.json`), and servers (`serving.json`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, FiniteFloat

from reports.kit.parts import BOUNDS
from reports.measured.lines import BILL, PREDICTED, Line
from reports.run.record import parsed, read_bytes, validated

#: What writes each of them.
COUNT, SERVERS = "count.json", "serving.json"

_Count = Annotated[int, Field(ge=1)]
_Energy = Annotated[FiniteFloat, Field(ge=0)]


class _Titled(BaseModel):
    title: str


class _Bill(BaseModel):
    profile: _Titled
    pj_per_token: dict[Literal["fused", "unfused"], _Energy | None]


class _Totals(BaseModel):
    phase: str
    batch: _Count
    tokens: _Count


class _Settings(BaseModel):
    generate: _Count | None = None
    windows: Annotated[_Count, Field(strict=True)] = 1


class _CountRecord(BaseModel):
    """What of `count.json` is read."""

    format: Literal[1]
    command: Literal["count", "plan"]
    model: str
    weights: str
    settings: _Settings
    counts: _Totals
    hardware: Annotated[dict[str, _Bill], Field(min_length=1)]

    @property
    def kind(self) -> str:
        """The phase, as of runs."""
        if self.settings.generate is not None:
            return "request"
        return "decode" if self.counts.phase.startswith("decode") else "prefill"

    @property
    def shared(self) -> float:
        """Tokens that went in, for each token by which the energy is shared: of a request answers.

        Those of all windows are counted; so are those that each of them generates.
        """
        if (generated := self.settings.generate) is None:
            return 1.0
        return self.counts.tokens / (generated * self.settings.windows * self.counts.batch)


class _Bounded(BaseModel):
    value: _Energy
    low: _Energy | None = None
    high: _Energy | None = None


class _Server(BaseModel):
    hw: str
    model: str
    prompt: _Count
    generate: _Count
    batch: Annotated[FiniteFloat, Field(gt=0)]
    gpus: _Count
    figures: dict[str, _Bounded]


class _Servers(BaseModel):
    """What of `serving.json` is read."""

    servers: Annotated[list[_Server], Field(min_length=1)]


def is_one_sided(directory: Path) -> bool:
    """Whether a directory holds a count or servers, and no run of two sides."""
    files = ("run.json", COUNT, SERVERS)
    run, *others = ((directory / name).is_file() for name in files)
    return not run and any(others)


def is_count(directory: Path) -> bool:
    """Whether such a directory holds a count, and no prediction of servers."""
    return (directory / COUNT).is_file()


def one_sided(name: str, directory: Path) -> list[Line]:
    """The energies per token of a count, or of servers.

    Args:
        name: What to call it.
        directory: As written by `neurt-energy count` or `plan`.

    Raises:
        RunError: If its file cannot be read, or is not what was written.
    """
    where = COUNT if is_count(directory) else SERVERS
    called = f"run '{directory}': {where}"
    content = parsed(read_bytes(directory, where), called)
    if where == COUNT:
        return list(_billed(name, validated(_CountRecord, content, called)))
    return [_served(name, server) for server in validated(_Servers, content, called).servers]


def _billed(name: str, record: _CountRecord) -> Iterator[Line]:
    for hw, bill in record.hardware.items():
        ends = sorted(x for x in bill.pj_per_token.values() if x is not None)
        known = len(ends) == len(BOUNDS)
        low, high = (
            (x * record.shared / 1e12 for x in (ends[0], ends[-1])) if known else (None,) * 2
        )
        yield Line(
            f"{name} on {hw}, analog",
            f"{record.model}, weights {record.weights}; {record.kind} on {bill.profile.title}",
            record.model,
            record.kind,
            record.counts.batch,
            low,
            high,
            None,
            BILL,
            "counted" if record.command == "count" else "planned",
            f"prices of {hw}, {BOUNDS[0]} to {BOUNDS[1]}",
        )


def _served(name: str, server: _Server) -> Line:
    energy = server.figures.get("energy_j_per_token")
    rate = server.figures.get("tokens_per_s")
    low = high = None
    if energy is not None:
        low, high = (energy.value if x is None else x for x in (energy.low, energy.high))
    gpus = "one GPU" if server.gpus == 1 else f"{server.gpus} GPUs"
    return Line(
        f"{name} on {server.hw}, analog",
        f"{server.model} on {gpus}; prompts of {server.prompt} tokens, answers of "
        f"{server.generate}",
        server.model,
        "request",
        server.batch,
        low,
        high,
        None if rate is None else rate.value,
        PREDICTED,
        "planned",
        f"prices of the whole chip {server.hw}, the interval of a prediction",
    )
