"""The card of a model on prices of a whole chip: a server in a steady state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from energy.compare.energy_range import weakest_of
from hwmodels import Evidence
from reports.card.card import Card, Entry
from reports.serving.served import Server

#: What is in such an energy, said where a card of operations names its bound.
BOUND = "whole chip"
INTERVAL = "where 90 % of measurements would lie, by models that the fit had not seen"
_NOT_MODELLED = ("host, power supplies, fans and cooling",)


def server_card(
    servers: Sequence[Server],
    versions: Mapping[str, str],
    created: str,
    carbon_g_per_kwh: float | None = None,
) -> Card:
    """The energy per token of an answer, of one model on one chip or several.

    A spiking version of it stands on assumptions and is left to `serving.json`.
    """
    first = servers[0]
    step = first.step
    return Card(
        first.model,
        "none(closed form)",
        "plan",
        versions.get("neurt-energy", ""),
        created,
        {
            "phase": "request",
            "prompt": first.prompt,
            "generate": first.generate,
            "batch": step.sequences,
            "gpus": step.gpus,
            "weight_bytes_per_step": step.weight_bytes,
            "cache_bytes_per_step": step.cache_bytes,
        },
        {},
        tuple(map(_entry, servers)),
        carbon_g_per_kwh,
        notes=tuple(dict.fromkeys(note for server in servers for note in _notes(server))),
        not_modelled=_NOT_MODELLED,
    )


def _notes(server: Server) -> Iterator[str]:
    if (chip := server.profile.whole_chip) is not None:
        yield f"Prices of '{server.profile.name}' were fitted on measured energies of: " + (
            chip.boundary
        )
    yield from server.notes


def _entry(server: Server) -> Entry:
    chip, energy = server.profile.whole_chip, server.prediction.energy_j
    grades: dict[Evidence, float] = {}
    for part in server.prediction.parts:
        if chip is not None and part.work in chip.energy and energy.value:
            grade = chip.energy[part.work].evidence
            grades[grade] = grades.get(grade, 0.0) + part.energy_j / energy.value
    return Entry(
        server.profile.name,
        "analog",
        "request",
        BOUND,
        None,
        energy.value,
        energy.low,
        energy.high,
        weakest_of(grades).value if grades else None,
        {grade.value: share for grade, share in grades.items()},
        (),
        INTERVAL,
    )
