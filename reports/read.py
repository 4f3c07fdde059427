"""Read the directory of a run back, and check that it is still what was written."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from energy import Counts
from energy.counts.file import CountsError, read_csv, variants_of
from energy.sheet import Say, warn
from reports.kit.closeness import Closeness
from reports.run.record import Record, RunError, Totals, is_changed, read_record
from reports.run.run import Phase, merged
from reports.run.steps import StepCount, StepsError, read_steps
from reports.run.summary import IN_BYTES, counts_summary, savings_summary
from reports.shown import Run

#: Energies that differ by less are the same, added in another order.
_SAME = 1e-9

#: Counts by variant and phase.
_Found = dict[tuple[str, str], Counts]


def read_run(directory: Path | str, say: Say = warn) -> Run:
    """Make the run again that a directory holds.

    A run of format 2, which counted bytes, is billed by the model of memory of this version.

    Args:
        directory: As written by `reports.write_report`; of its files `run.json` and `counts.csv`
            are read.
        say: Told that a run of an older format is billed anew; a warning unless given.

    Returns:
        The same run: a report of it has the same bytes.

    Raises:
        RunError: If a file is missing, cut short or of another format, if the counts are not those
            that `run.json` describes, or if their energies are not those it states.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise RunError(
            f"run '{directory}' is no directory; give one that `neurt-energy profile` or `plan` "
            "has written"
        )
    record = read_record(directory)
    counts = _counts(directory, record)
    request = tuple(
        Phase(phase.name, *_pair(counts, phase.counts), generated=phase.generated)
        for phase in record.request
    )
    whole = [record.counts["asa"], record.counts["ssa"]]
    try:
        if request:
            asa = merged((phase.asa for phase in request), whole[0].phase)
            ssa = merged((phase.ssa for phase in request), whole[1].phase)
        else:
            asa, ssa = _pair(counts, record.counts)
    except ValueError as error:
        raise RunError(f"run '{directory}': its phases are not of one model: {error}") from error
    for side, totals in zip((asa, ssa), whole, strict=True):
        _compare(directory, side, totals, record.format)
    _compare_provenance(directory, asa, ssa, record)
    run = Run(
        record.command,
        asa,
        ssa,
        tuple(entry.machine for entry in record.hardware.values()),
        record.settings,
        record.versions,
        record.created,
        request,
        record.dataflow,
        record.latency_s,
        _steps(directory, record),
        record.int8,
        None if record.quality is None else Closeness(record.quality.windows),
    )
    _compare_energies(directory, run, record)
    if record.format == IN_BYTES:
        say(
            f"run '{directory}' is of neurt-energy {record.versions.get('neurt-energy', '0.1')}: "
            "its counts are billed by the model of memory of this version, so that all energies "
            "but those of MACs and ACs are others than it states"
        )
    return run


def read_sides(path: Path, say: Say = warn) -> tuple[list[Counts], list[Counts]]:
    """The phases of the analog and of the spiking side of a run, or of a table of counts.

    A directory is that of a run, and is checked as `read_run` does; a file is any table.

    Args:
        path: A directory, or a CSV file.
        say: Told what was understood or left out of a table; a warning unless given.

    Raises:
        RunError: If a directory is not the run that was written.
        CountsError: If a table cannot be read, or lacks a side.
    """
    if not path.is_dir():
        return variants_of(read_csv(path, say), path)
    if not (path / "run.json").exists() and (path / "count.json").exists():
        raise RunError(
            f"run '{path}' has one side alone (count.json), and what is asked for compares an "
            "analog (asa) and a spiking (ssa) side; give a directory that `neurt-energy profile`, "
            "or `plan` without --analog, has written"
        )
    if not (path / "run.json").exists():
        raise RunError(
            f"run '{path}' has no run.json, which is written last: it is no whole run; give one, "
            "or a counts.csv as a table"
        )
    phases = read_run(path, say).phases
    return [phase.asa for phase in phases], [phase.ssa for phase in phases]


def _pair(counts: dict[tuple[str, str], Counts], of: dict[str, Totals]) -> tuple[Counts, Counts]:
    return counts["asa", of["asa"].phase], counts["ssa", of["ssa"].phase]


def _counts(directory: Path, record: Record) -> _Found:
    """The counts of each variant and phase, as `run.json` describes them."""
    changed = is_changed(directory, "counts.csv", record)
    try:
        found = {(side.variant, side.phase): side for side in read_csv(directory / "counts.csv")}
    except CountsError as error:
        raise RunError(
            f"run '{directory}': counts.csv is cut short or was edited: {error}"
        ) from error
    for variant, totals in _described(record):
        side = found.get((variant, totals.phase))
        if side is None:
            raise RunError(
                f"run '{directory}': counts.csv has no rows of {variant}, {totals.phase}; it is "
                "cut short, or not of this run"
            )
        found[variant, totals.phase] = side = replace(side, uncounted=totals.uncounted)
        _compare(directory, side, totals, record.format)
    if changed:
        raise RunError(
            f"run '{directory}': counts.csv is not the file that run.json describes, though its "
            "totals are (SHA-256 differs); put the original back, or price it with `neurt-energy "
            "price`"
        )
    return found


def _steps(directory: Path, record: Record) -> tuple[StepCount, ...]:
    if "steps.csv" not in record.sha256:
        return ()
    if is_changed(directory, "steps.csv", record):
        raise RunError(
            f"run '{directory}': steps.csv is not the file that run.json describes (SHA-256 "
            "differs); put the original back"
        )
    try:
        return read_steps(directory / "steps.csv")
    except StepsError as error:
        raise RunError(f"run '{directory}': {error}") from error


def _described(record: Record) -> Iterator[tuple[str, Totals]]:
    if record.request:
        for phase in record.request:
            yield from phase.counts.items()
    else:
        yield from record.counts.items()


def _compare(directory: Path, side: Counts, totals: Totals, version: int) -> None:
    """Make sure that counts add up to what `run.json` states.

    One of format 2 states bytes and no parts of neurons; that its counts are those it describes
    its SHA-256 says.
    """
    stated = {"phase": totals.phase, "uncounted": totals.uncounted, **(totals.model_extra or {})}
    for key, ours in counts_summary(side).items():
        if stated.get(key) != ours and (version != IN_BYTES or key in stated):
            raise RunError(
                f"run '{directory}': {key} of {side.variant}, {totals.phase}, is {ours} in "
                f"counts.csv but {stated.get(key)} in run.json; one of the two was edited: put "
                "the original back, or price the counts with `neurt-energy price`"
            )


def _compare_provenance(directory: Path, asa: Counts, ssa: Counts, record: Record) -> None:
    """Make sure that `run.json` speaks of the run that was counted."""
    settings = record.settings
    if asa.value_bits or ssa.value_bits:  # bytes that nobody said the width of
        raise RunError(
            f"run '{directory}': counts.csv moves bytes without 'value_bytes', which a run never "
            "does; put the original back, or price the counts with `neurt-energy price`"
        )
    for key, ours, stated in (
        ("model", asa.model, record.model),
        ("weights", asa.weights, record.weights),
        ("time steps", ssa.timesteps, settings.get("timesteps")),
        ("attention", asa.attention, settings.get("attention")),
        ("batch", asa.batch, settings.get("batch")),
    ):
        if stated is not None and ours != stated:
            raise RunError(
                f"run '{directory}': the {key} of counts.csv is {ours} but {stated} in run.json; "
                "one of the two was edited: put the original back"
            )


def _compare_energies(directory: Path, run: Run, record: Record) -> None:
    """Make sure that counts and prices still give the energies that `run.json` states."""
    for hw, pair in run.estimates.items():
        stated = record.hardware[hw]
        for part, ours in savings_summary(*pair).items():
            for accounting, found in ours.items():
                if record.format == IN_BYTES and accounting != "compute":
                    continue
                theirs = getattr(stated, part).get(accounting, {})
                for key in ("asa_pj", "ssa_pj"):
                    if not _alike(found[key], theirs.get(key)):
                        made = record.versions.get("neurt-energy", "of another version")
                        raise RunError(
                            f"run '{directory}': {key} of the {part.replace('_', ' ')} "
                            f"({accounting}) on {hw} is {found[key]} by its counts and prices but "
                            f"{theirs.get(key)} in run.json: it was edited, or neurt-energy {made} "
                            "priced otherwise; price counts.csv again with `neurt-energy price`"
                        )


def _alike(ours: object, theirs: object) -> bool:
    if isinstance(ours, float) and isinstance(theirs, (int, float)):
        return math.isclose(ours, theirs, rel_tol=_SAME)
    return ours == theirs
