"""What servers of one model cost over the sequences that they hold side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console

from energy.serving.predict import Bounded
from energy.table import Column, Table
from energy.words import NONE
from hwmodels.plain import several
from reports.kit.table import print_sentence, print_table
from reports.serving.served import Server


def _figure(bounded: Bounded | None, factor: float = 1.0) -> float | None:
    return None if bounded is None else factor * bounded.value


def _span(server: Server) -> str:
    low, high = server.prediction.energy_j.low, server.prediction.energy_j.high
    return NONE if low is None or high is None else f"{low:.4g} to {high:.4g}"


def _spiking(server: Server) -> float | None:
    return server.variants[0].energy_j if server.variants else None


def by_hardware(servers: Sequence[Server]) -> Iterator[list[Server]]:
    """Those of each hardware, by their batch."""
    for name in dict.fromkeys(server.profile.name for server in servers):
        own = [server for server in servers if server.profile.name == name]
        yield sorted(own, key=lambda server: server.step.sequences)


def about(server: Server) -> str:
    """What is the same at all batches."""
    return (
        f"{server.model} on {several(server.step.gpus, 'GPU')}, {server.profile.title}: prompts of "
        f"{several(server.prompt, 'token')}, answers of {several(server.generate, 'token')}"
    )


def batches_table(servers: Sequence[Server]) -> Table[Server]:
    """A row for each batch on one hardware."""
    columns = (
        Column[Server]("batch", lambda x: x.step.sequences, "batch", "{:,}".format, key=True),
        Column[Server]("energy", lambda x: x.prediction.energy_j.value, "J/token", "{:.4g}".format),
        Column[Server]("span", _span, "90 %, J/token"),
        Column[Server](
            "ms",
            lambda x: _figure(x.prediction.latency_s, 1e3),
            "ms between tokens",
            "{:.4g}".format,
        ),
        Column[Server](
            "rate", lambda x: _figure(x.prediction.tokens_per_s), "tokens/s", "{:,.4g}".format
        ),
        Column[Server]("watts", lambda x: _figure(x.prediction.power_w), "W", "{:,.4g}".format),
        Column[Server]("spiking", _spiking, "spiking, J/token", "{:.4g}".format),
    )
    kept = columns if any(x.variants for x in servers) else columns[:-1]
    return Table(kept, list(servers), about(servers[0]))


def print_batches(servers: Sequence[Server], console: Console) -> None:
    """Print a table of each hardware, and what a reader must know of any batch."""
    for own in by_hardware(servers):
        print_table(batches_table(own), console)
        if variants := own[0].variants:
            print_sentence(f"{variants[0].name}: {variants[0].words}", console)
        for note in dict.fromkeys(note for server in own for note in server.notes):
            print_sentence(note, console, "yellow")
