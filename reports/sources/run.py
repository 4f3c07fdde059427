"""The sources of a result: of its prices, of the published figures beside it, of the method."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hwmodels import HardwareProfile
from hwmodels.pair import sides
from reports.kit.caveats import PUBLISHED_SOURCE
from reports.kit.files import write_text
from reports.run.run import Run
from reports.sources.bibtex import bibliography

#: Where the attention of the form `spikformer` is from.
_SPIKFORMER = "Spikformer, arXiv 2209.15425"


def sources_bib(runs: Iterable[Run], others: Iterable[str] = ()) -> str:
    """`sources.bib` of runs.

    Args:
        runs: The runs.
        others: Citations of what stands beside them.
    """
    texts = [text for run in runs for text in _texts(run)]
    return bibliography([*texts, *others])


def write_sources(
    profiles: Iterable[HardwareProfile], directory: Path, others: Iterable[str] = ()
) -> Path:
    """Write `sources.bib` of numbers that rest on the prices of hardware.

    Args:
        profiles: The hardware, each once.
        directory: Where to.
        others: Citations of what stands beside them, as those of `form_sources`.
    """
    texts = [text for profile in profiles for text in profile_sources(profile)]
    return write_text(directory / "sources.bib", bibliography([*texts, *others]))


def form_sources(form: object) -> list[str]:
    """Where a form of spike-based attention is from; nothing for one of this method."""
    return [_SPIKFORMER] if form == "spikformer" else []


def _texts(run: Run) -> Iterator[str]:
    """What a run cites, as the profiles and reports have it."""
    if not run.of_network:
        yield PUBLISHED_SOURCE
        spiking = run.settings.get("spiking")
        yield from form_sources(spiking.get("form") if isinstance(spiking, Mapping) else None)
    machines = (profile for machine in run.profiles for profile in sides(machine))
    for profile in (*machines, *run.int8.values()):
        yield from profile_sources(profile)


def profile_sources(profile: HardwareProfile) -> list[str]:
    """The citations of all numbers of a profile, each once, in their order."""
    return list(dict.fromkeys(_sources(profile.model_dump(mode="json", exclude_none=True))))


def _sources(value: Any) -> Iterator[str]:
    """Each text under the name `source`, however deep."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "source":
                yield inner
            else:
                yield from _sources(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _sources(inner)
