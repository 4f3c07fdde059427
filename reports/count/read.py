"""Read the directory of a count back, and check that it is still what was written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from energy import Counts
from energy.bill.layer import ACCOUNTINGS
from energy.counts.file import CountsError, read_csv
from hwmodels import HardwareProfile
from reports.count.run import CountRun, part_pj
from reports.run.record import RunError, parsed, read_bytes, validated
from reports.run.summary import counts_summary, sha256

#: Energies that differ by less are the same, added in another order.
_SAME = 1e-9


class _Billed(BaseModel):
    """A price list, and the energies that it gave, under `compute_pj` and so on."""

    model_config = ConfigDict(extra="allow")

    profile: HardwareProfile


class _Record(BaseModel):
    """What `reports.count.write.summary` made; its other fields follow from these."""

    format: Literal[1]
    command: Literal["count", "plan"]
    created: str
    settings: dict[str, Any]
    said: tuple[str, ...] = ()
    versions: dict[str, str]
    sha256: dict[str, str]
    counts: dict[str, Any]
    hardware: Annotated[dict[str, _Billed], Field(min_length=1)]


def read_count(directory: Path) -> CountRun:
    """Make the count again that a directory holds.

    Args:
        directory: As written by `neurt-energy count`, or by `plan` of one side; of its files
            `count.json` and `counts.csv` are read.

    Raises:
        RunError: If a file is missing or of another format, if the counts are not those that
            `count.json` describes, or if their energies are not those it states.
    """
    called = f"run '{directory}': count.json"
    record = validated(_Record, parsed(read_bytes(directory, "count.json"), called), called)
    counts = _counts(directory, record)
    run = CountRun(
        counts,
        tuple(bill.profile for bill in record.hardware.values()),
        record.settings,
        record.versions,
        record.created,
        record.command,
        record.said,
    )
    _compare_energies(called, run, record.hardware)
    return run


def _counts(directory: Path, record: _Record) -> Counts:
    changed = sha256(read_bytes(directory, "counts.csv")) != record.sha256.get("counts.csv")
    try:
        sides = read_csv(directory / "counts.csv")
    except CountsError as error:
        raise RunError(
            f"run '{directory}': counts.csv is cut short or was edited: {error}"
        ) from error
    stated = record.counts
    made = [replace(side, uncounted=stated.get("uncounted", {})) for side in sides]
    if changed or [counts_summary(side) for side in made] != [stated]:
        raise RunError(
            f"run '{directory}': counts.csv is not the file that count.json describes; put the "
            "original back, or price it with `neurt-energy price`"
        )
    [counts] = made
    return counts


def _compare_energies(called: str, run: CountRun, stated: Mapping[str, _Billed]) -> None:
    """Make sure that counts and prices still give the energies that are stated."""
    for (hw, bill), theirs in zip(run.estimates.items(), stated.values(), strict=True):
        for accounting in ACCOUNTINGS:
            pj, said = part_pj(bill, accounting), (theirs.model_extra or {}).get(f"{accounting}_pj")
            if not _alike(pj, said):
                made = run.versions.get("neurt-energy", "of another version")
                raise RunError(
                    f"{called} says {said} pJ ({accounting}) on {hw}, but its counts and prices "
                    f"give {pj}: it was edited, or neurt-energy {made} priced otherwise; price "
                    "counts.csv again with `neurt-energy price`"
                )


def _alike(ours: float | None, theirs: object) -> bool:
    if ours is None or not isinstance(theirs, float | int):
        return ours == theirs
    return math.isclose(ours, theirs, rel_tol=_SAME)
