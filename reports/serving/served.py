"""What a server of a model is predicted to cost: figures with intervals, and parts; tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from rich.console import Console

from energy.serving.predict import Bounded, Part, Prediction
from energy.serving.step import Step
from energy.table import Column, Table
from energy.words import percent
from hwmodels import HardwareProfile
from hwmodels.plain import several
from reports.kit.table import print_sentence, print_table


class Variant(NamedTuple):
    """What another way to run the same model would change; see its words."""

    name: str
    energy_j: float  #: for each token of an answer
    words: str  #: what is assumed


class Server(NamedTuple):
    """A server in a steady state, as predicted."""

    model: str
    profile: HardwareProfile
    prompt: int  #: tokens of a prompt
    generate: int  #: tokens of an answer
    step: Step  #: what it does
    prediction: Prediction
    variants: tuple[Variant, ...]  #: what a spiking version would cost there
    notes: tuple[str, ...]  #: what a reader must know, a sentence each


class Figure(NamedTuple):
    """A predicted figure of a server."""

    server: Server
    name: str  #: its name in files, with the unit
    words: str  #: its name for people, with the unit
    bounded: Bounded


#: `serving.csv`.
FIGURES: tuple[Column[Figure], ...] = (
    Column("hw", lambda row: row.server.profile.name),
    Column("model", lambda row: row.server.model),
    Column("prompt", lambda row: row.server.prompt),
    Column("generate", lambda row: row.server.generate),
    Column("batch", lambda row: row.server.step.sequences),
    Column("gpus", lambda row: row.server.step.gpus),
    Column("figure", lambda row: row.name),
    Column("words", lambda row: row.words, "what", words=True, key=True),
    Column("value", lambda row: row.bounded.value, "predicted", "{:,.4g}".format),
    Column("low", lambda row: row.bounded.low, "90 % from", "{:,.4g}".format),
    Column("high", lambda row: row.bounded.high, "to", "{:,.4g}".format),
)


class PartOf(NamedTuple):
    """A part of what a server costs."""

    server: Server
    part: Part

    @property
    def energy_share(self) -> float | None:
        """Of the energy of a token."""
        whole = self.server.prediction.energy_j.value
        return self.part.energy_j / whole if whole else None

    @property
    def latency_share(self) -> float | None:
        """Of the time between two tokens."""
        whole = self.server.prediction.latency_s
        if whole is None or self.part.latency_s is None or not whole.value:
            return None
        return self.part.latency_s / whole.value


#: `serving_parts.csv`.
PARTS: tuple[Column[PartOf], ...] = (
    Column("hw", lambda row: row.server.profile.name),
    Column("model", lambda row: row.server.model),
    Column("work", lambda row: row.part.work.value, "for each", words=True, key=True),
    Column("amount", lambda row: row.part.amount, "in a step", "{:,.4g}".format),
    Column("energy_j", lambda row: row.part.energy_j, "J per token", "{:.4g}".format),
    Column("energy_share", lambda row: row.energy_share, "of the energy", percent),
    Column("latency_s", lambda row: row.part.latency_s, "s between tokens", "{:.4g}".format),
    Column("latency_share", lambda row: row.latency_share, "of the time", percent),
    Column("definition", lambda row: row.part.work.definition, "what it is", words=True),
)


def figures(server: Server) -> Iterator[Figure]:
    """What a server costs, one figure after the other; those that nobody knows are left out."""
    found = server.prediction
    energy = found.energy_j
    yield Figure(server, "energy_j_per_token", "energy per token of an answer (J)", energy)
    answer = Bounded(*(None if x is None else x * server.generate for x in energy))  # type: ignore[arg-type]
    yield Figure(server, "energy_j_per_request", "energy per request (J)", answer)
    if (latency := found.latency_s) is not None:
        ms = Bounded(*(None if x is None else 1e3 * x for x in latency))  # type: ignore[arg-type]
        yield Figure(server, "latency_ms", "time between two tokens (ms)", ms)
    if (rate := found.tokens_per_s) is not None:
        yield Figure(server, "tokens_per_s", "tokens of all answers per second", rate)
    if (power := found.power_w) is not None:
        yield Figure(server, "power_w", "power of all GPUs (W)", power)


def figures_table(servers: Sequence[Server]) -> Table[Figure]:
    """A row for each figure of each server."""
    return Table(FIGURES, [figure for server in servers for figure in figures(server)])


def parts_table(servers: Sequence[Server]) -> Table[PartOf]:
    """A row for each part of each server."""
    return Table(
        PARTS, [PartOf(server, part) for server in servers for part in server.prediction.parts]
    )


def title(server: Server) -> str:
    """Which server it is."""
    step = server.step
    gpus = "one GPU" if step.gpus == 1 else f"{step.gpus} GPUs"
    many = several(step.sequences, "sequence")
    return (
        f"{server.model} on {gpus}, {server.profile.title}: {many} side by side, prompts of "
        f"{several(server.prompt, 'token')}, answers of {several(server.generate, 'token')}"
    )


def record(server: Server) -> dict[str, Any]:
    """All of it, for `serving.json`."""
    return {
        "hw": server.profile.name,
        "model": server.model,
        "kind": server.step.kind.value,
        "prompt": server.prompt,
        "generate": server.generate,
        "batch": server.step.sequences,
        "gpus": server.step.gpus,
        "figures": {x.name: x.bounded._asdict() for x in figures(server)},
        "parts": [
            {"work": part.work.value, **part._asdict() | {"work": part.work.value}}
            for part in server.prediction.parts
        ],
        "spiking": [variant._asdict() for variant in server.variants],
        "notes": list(server.notes),
        "assumptions": list(server.profile.assumptions),
    }


def print_servers(servers: Sequence[Server], console: Console, *, details: bool) -> None:
    """Print figures and parts, and what a reader must know."""
    for server in servers:
        print_sentence(title(server), console, "bold")
        print_table(figures_table([server]), console)
        print_table(parts_table([server]), console)
        for variant in server.variants:
            value = f"{variant.energy_j:.4g} J per token"
            print_sentence(f"{variant.name}: {value}; {variant.words}", console)
        for note in server.notes:
            print_sentence(note, console, "yellow")
        for assumption in server.profile.assumptions if details else ():
            print_sentence(f"- {assumption}", console)
